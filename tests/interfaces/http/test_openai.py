"""OpenAI's images API with its real client."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import openai
import pytest
import requests
from fastapi.testclient import TestClient
from PIL import Image

from partway.engine import Engine
from partway.request import EditRequest

WORDS = "navy, orange, white"


@pytest.fixture
def their(address: str) -> Iterator[openai.OpenAI]:
    """The client, as programs make it."""
    with openai.OpenAI(api_key="any", base_url=f"{address}/v1", max_retries=0) as client:
        yield client


def file_of(image: Image.Image, name: str = "icon.png") -> tuple[str, bytes, str]:
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return name, stream.getvalue(), "image/png"


def pictures(response: Any) -> list[Image.Image]:
    return [Image.open(io.BytesIO(base64.b64decode(each.b64_json))) for each in response.data]


@pytest.mark.parametrize("count", [None, 1])
def test_its_client_edits_a_picture(their: openai.OpenAI, png: bytes, count: int | None) -> None:
    """One file is sent as `image`, a list of one as `image[]`."""
    file = ("icon.png", png, "image/png")
    extra = {"strength": 0.4, "seed": 3, "steps": 5, "mode": "exact"}
    response = their.images.edit(
        image=file if count is None else [file], prompt=WORDS, model="gpt-image-1", extra_body=extra
    )
    request = EditRequest(prompt=WORDS, source=png, strength=0.4, seed=3, steps=5, model="analytic")
    expected = np.asarray(Engine().run(request).image)
    assert np.array_equal(np.asarray(pictures(response)[0]), expected)
    facts: Any = response.data and response.data[0]
    assert (facts.seed, facts.strength, facts.evaluations) == (3, 0.4, 5)
    assert (response.size, response.output_format) == ("96x64", "png")


def test_its_client_makes_pictures_from_words(their: openai.OpenAI) -> None:
    response = their.images.generate(
        prompt=WORDS, n=3, size="80x48", output_format="webp", extra_body={"seed": 5}
    )
    made = pictures(response)
    assert [(image.size, image.format) for image in made] == [((80, 48), "WEBP")] * 3
    facts: Any = response.data
    assert [each.seed for each in facts] == [5, 6, 7]
    assert not np.array_equal(np.asarray(made[0]), np.asarray(made[1]))


def test_pictures_by_address(their: openai.OpenAI, address: str, png: bytes) -> None:
    response = their.images.edit(
        image=("a.png", png, "image/png"), prompt=WORDS, response_format="url"
    )
    url = (response.data or [])[0].url or ""
    assert url.startswith(f"{address}/v1/jobs/")
    file = requests.get(url, timeout=20)
    assert Image.open(io.BytesIO(file.content)).size == (96, 64)


def test_its_client_lists_models(their: openai.OpenAI) -> None:
    listed = {model.id: model for model in their.models.list()}
    assert set(listed) == {"analytic", "pocket", "exemplar"}
    assert listed["pocket"].owned_by == "partway"
    assert their.models.retrieve("pocket").id == "pocket"
    with pytest.raises(openai.NotFoundError):
        their.models.retrieve("none-such")


def test_size_cuts_the_source_before(their: openai.OpenAI, icon: Image.Image) -> None:
    response = their.images.edit(
        image=file_of(icon), prompt=WORDS, size="64x64", extra_body={"strength": 0.0}
    )
    result = pictures(response)[0]
    assert result.size == (64, 64)
    middle = np.asarray(icon.crop((16, 0, 80, 64))).astype(int)
    assert np.abs(np.asarray(result).astype(int) - middle).max() <= 1


def test_fidelity_stands_for_a_strength(their: openai.OpenAI, icon: Image.Image) -> None:
    strengths: dict[str, Any] = {}
    for name in ("high", "low"):
        response = their.images.edit(image=file_of(icon), prompt=WORDS, input_fidelity=name)
        facts: Any = response.data and response.data[0]
        strengths[name] = facts.strength
    assert 0 < strengths["high"] < strengths["low"] < 1


def test_what_a_mask_protects_stays(their: openai.OpenAI, icon: Image.Image) -> None:
    """Transparent is edited; cut to a size with the picture."""
    mask = icon.convert("RGBA")
    mask.putalpha(0)
    extra = {"strength": 0.9, "seed": 1, "steps": 3, "mode": "exact"}
    given: dict[str, Any] = {"image": file_of(icon), "prompt": WORDS, "extra_body": extra}
    whole = np.asarray(pictures(their.images.edit(**given))[0])
    # all of it may change: an edit like any other
    (free,) = pictures(their.images.edit(**given, mask=file_of(mask)))
    assert np.array_equal(np.asarray(free), whole)
    mask.paste((0, 0, 0, 255), (0, 0, 48, 64))
    given["extra_body"] = extra | {"mask_feather": 0}
    for size, kept in ((None, 48), ("48x64", 24)):
        asked: dict[str, Any] = given | ({} if size is None else {"size": size})
        (picture,) = pictures(their.images.edit(**asked, mask=file_of(mask)))
        source = icon if size is None else icon.crop((24, 0, 72, 64))
        same = (np.asarray(picture) == np.asarray(source)).all(axis=-1)
        assert same[:, :kept].all()
        assert not same[:, kept:].all()


def test_masks_that_say_nothing_are_refused(their: openai.OpenAI, icon: Image.Image) -> None:
    for refused, why in ((icon, "no alpha"), (icon.convert("RGBA"), "opaque everywhere")):
        with pytest.raises(openai.UnprocessableEntityError, match=why):
            their.images.edit(image=file_of(icon), prompt=WORDS, mask=file_of(refused))


def test_a_mask_beside_margins_is_refused(their: openai.OpenAI, icon: Image.Image) -> None:
    mask = icon.convert("RGBA")
    mask.putalpha(0)
    mask.paste((0, 0, 0, 255), (0, 0, 48, 64))
    with pytest.raises(openai.APIStatusError, match="extend first, then edit the result"):
        their.images.edit(
            image=file_of(icon), prompt=WORDS, mask=file_of(mask), extra_body={"extend_left": 8}
        )


def test_its_client_extends_a_picture(their: openai.OpenAI, icon: Image.Image) -> None:
    answer = their.images.edit(
        image=file_of(icon), prompt=WORDS, extra_body={"extend_right": "25%", "extend_top": 5}
    )
    assert pictures(answer)[0].size == (96 + 24, 64 + 5)


def test_its_client_hears_why_not(their: openai.OpenAI, icon: Image.Image) -> None:
    def edit(extra: dict[str, Any] | None = None, **fields: Any) -> None:
        given: dict[str, Any] = {"image": file_of(icon), "prompt": WORDS}
        given |= fields
        their.images.edit(**given, extra_body=extra)

    with pytest.raises(openai.UnprocessableEntityError) as caught:
        edit({"strength": 2})
    body: Any = caught.value.body
    assert set(body) == {"code", "message", "type", "param"}
    assert (caught.value.code, caught.value.type) == ("invalid_request", "invalid_request_error")
    refused: list[dict[str, Any]] = [
        {"image": []},
        {"image": [file_of(icon), file_of(icon)]},
        {"image": ("x.png", b"no picture", "image/png")},
        {"model": "none-such"},
        {"n": 11},
        {"stream": True},
        {"size": "0x9"},
        {"size": "16000x16000"},
    ]
    for bad in refused:
        with pytest.raises(openai.UnprocessableEntityError):
            edit(**bad)
    with pytest.raises(openai.UnprocessableEntityError):
        edit({"strenght": 0.4})
    for size in ("auto", "16000x16000"):
        with pytest.raises(openai.UnprocessableEntityError):
            their.images.generate(prompt=" " if size == "auto" else WORDS, size=size)


def test_text_where_a_file_belongs_is_not_fetched(client: TestClient) -> None:
    fields = {"prompt": WORDS, "image": "http://127.0.0.1:1/x.png"}
    answer = client.post("/v1/images/edits", files={"x": b""}, data=fields)
    assert answer.status_code == 422
    assert "nothing is fetched" in answer.json()["error"]["message"]


def test_the_example_in_the_docs(
    address: str, icon_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (Path(__file__).parents[3] / "docs/server.md").read_text("utf-8")
    snippet = re.findall(r"```python\n(.*?)```", text, re.DOTALL)[0]
    monkeypatch.chdir(icon_file.parent)
    names: dict[str, Any] = {}
    exec(snippet.replace("http://127.0.0.1:7861", address), names)  # noqa: S102
    assert pictures(names["answer"])[0].size == (96, 64)
