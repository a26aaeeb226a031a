"""Masks and strength maps over the APIs: the engine's pictures, and what cannot be is refused."""

from __future__ import annotations

import base64
import io
import re
import shlex
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image, ImageDraw

from partway.engine import Engine
from partway.interfaces.http.masks import from_alpha, grey
from partway.request import DEFAULT_EXTENDING, EditRequest

FIELDS: dict[str, Any] = {"prompt": "navy, orange, white", "strength": 0.7, "mode": "exact"}


def file_of(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def drawn(icon: Image.Image, level: int = 255) -> bytes:
    """A rectangle of a level in the middle of black, of the icon's size."""
    image = Image.new("L", icon.size)
    width, height = icon.size
    ImageDraw.Draw(image).rectangle((width // 4, height // 4, width // 2, height // 2), fill=level)
    return file_of(image)


def pixels(data: bytes) -> Any:
    return np.asarray(Image.open(io.BytesIO(data)))


def made(png: bytes, **fields: Any) -> Any:
    words = {name: value for name, value in FIELDS.items() if name != "mode"}
    request = EditRequest(source=png, model="analytic", **(words | fields))
    return np.asarray(Engine().run(request).image)


def in_json(**files: bytes) -> dict[str, str]:
    return {name: base64.b64encode(data).decode() for name, data in files.items()}


MASKED: dict[str, Any] = {
    "mask_invert": True,
    "mask_grow": 2,
    "mask_feather": 3.0,
    "fill": "blur",
    "only_masked": True,
    "padding": 6,
}


def test_a_mask_in_a_form_and_in_json(client: TestClient, icon: Image.Image, png: bytes) -> None:
    mask = drawn(icon)
    expected = made(png, mask=mask, **MASKED)
    form = {name: str(value) for name, value in (FIELDS | MASKED).items()}
    answers = [
        client.post("/v1/edits?wait=1", data=form, files={"source": png, "mask": mask}),
        client.post(
            "/v1/edits?wait=1", json=FIELDS | MASKED | in_json(source=png, mask=mask)
        ),
    ]  # fmt: skip
    for answer in answers:
        assert answer.status_code == 200, answer.text
        found = pixels(client.get(answer.json()["results"][0]["image"]).content)
        assert np.array_equal(found, expected)
    assert not np.array_equal(expected, made(png, mask=mask))


def test_a_strength_map_and_an_alpha_mask(
    client: TestClient, icon: Image.Image, png: bytes
) -> None:
    grey = drawn(icon, 150)
    hole = icon.convert("RGB").convert("RGBA")
    hole.putalpha(Image.eval(Image.open(io.BytesIO(drawn(icon))), lambda level: 255 - level))
    cases: list[tuple[dict[str, bytes], dict[str, Any], Any]] = [
        ({"source": png, "map": grey}, {}, made(png, strength_map=grey)),
        ({"source": file_of(hole)}, {"alpha_mask": True}, made(file_of(hole), alpha_mask=True)),
    ]
    for files, fields, expected in cases:
        form = {name: str(value) for name, value in (FIELDS | fields).items()}
        for answer in (
            client.post("/v1/edits?wait=1", data=form, files=files),
            client.post("/v1/edits?wait=1", json=FIELDS | fields | in_json(**files)),
        ):
            assert answer.status_code == 200, answer.text
            found = pixels(client.get(answer.json()["results"][0]["image"]).content)
            assert np.array_equal(found, expected)


def test_a_sweep_under_a_mask_leaves_the_rest_alone(
    client: TestClient, icon: Image.Image, png: bytes
) -> None:
    fields = {"prompt": "navy", "strengths": "0.4,1", "mask_feather": "0"}
    answer = client.post(
        "/v1/sweeps?wait=1", data=fields, files={"source": png, "mask": drawn(icon)}
    )
    assert answer.status_code == 200, answer.text
    outside = pixels(drawn(icon)) == 0
    for result in answer.json()["results"]:
        found = pixels(client.get(result["image"]).content)
        assert np.array_equal(found[outside], pixels(png)[outside])
        assert not np.array_equal(found, pixels(png))


@pytest.mark.parametrize(
    ("files", "fields", "said"),
    [
        ({"mask": "small"}, {}, "the mask is 9×9"),
        ({"map": "small"}, {}, "the strength map is 9×9"),
        ({"mask": "black"}, {}, "selects nothing"),
        ({"map": "black"}, {}, "black everywhere"),
        ({"mask": "drawn", "map": "drawn"}, {}, "not both"),
        ({"mask": "drawn"}, {"mask_feather": "-1"}, "0 … 1024"),
        ({"mask": "drawn"}, {"fill": "magic"}, "unknown fill 'magic'"),
        ({"mask": "no picture"}, {}, "the mask"),
        ({}, {"mask_invert": "true"}, "is for masks"),
        ({}, {"alpha_mask": "true"}, "no transparent part"),
    ],
)
@pytest.mark.parametrize("wait", ["", "?wait=1"])
def test_masks_that_cannot_be_are_refused_at_once(
    client: TestClient,
    icon: Image.Image,
    files: dict[str, str],
    fields: dict[str, str],
    said: str,
    wait: str,
) -> None:
    kinds = {
        "small": file_of(Image.new("L", (9, 9), 255)),
        "black": file_of(Image.new("L", icon.size)),
        "drawn": drawn(icon),
        "no picture": b"no picture",
    }
    sent = {"source": file_of(icon.convert("RGB"))} | {
        name: kinds[kind] for name, kind in files.items()
    }
    answer = client.post(f"/v1/edits{wait}", data=FIELDS | fields, files=sent)
    assert answer.status_code == 422, answer.text
    assert said in answer.json()["error"]["message"]


def test_a_mask_needs_a_source_and_comes_once(client: TestClient, icon: Image.Image) -> None:
    alone = client.post("/v1/edits", data=FIELDS, files={"mask": drawn(icon)})
    assert (alone.status_code, "needs a source" in alone.text) == (422, True)
    source = ("source", file_of(icon))
    twice = client.post(
        "/v1/edits", data=FIELDS, files=[source, *[("mask", drawn(icon))] * 2]
    )  # fmt: skip
    assert (twice.status_code, "several files called mask" in twice.text) == (422, True)
    text = client.post("/v1/edits", data=FIELDS | {"mask": "white"}, files=[source])
    assert (text.status_code, "want the file itself" in text.text) == (422, True)


@pytest.mark.parametrize(
    ("fields", "margins"),
    [
        ({"extend_left": 16, "extend_bottom": "25%"}, (16, 0, 0, 16)),
        ({"extend_to": "2:1", "mask_feather": 3.0}, (16, 0, 16, 0)),
    ],
)
def test_a_source_is_extended(
    client: TestClient, png: bytes, fields: dict[str, Any], margins: tuple[int, ...]
) -> None:
    own = {name: value for name, value in fields.items() if not name.startswith("extend")}
    expected = made(png, extend=margins, **own)
    form = {name: str(value) for name, value in (FIELDS | fields).items()}
    for answer in (
        client.post("/v1/edits?wait=1", data=form, files={"source": png}),
        client.post("/v1/edits?wait=1", json=FIELDS | fields | in_json(source=png)),
    ):
        assert answer.status_code == 200, answer.text
        result = answer.json()["results"][0]
        assert np.array_equal(pixels(client.get(result["image"]).content), expected)
        assert (result["width"], result["height"]) == expected.shape[1::-1]
        assert result["kept"] is None


def test_a_source_is_extended_by_0_85_where_no_strength_is_said(
    client: TestClient, png: bytes
) -> None:
    fields = {"prompt": "navy", "extend_right": "8"}
    answer = client.post("/v1/edits?wait=1", data=fields, files={"source": png})
    assert answer.json()["results"][0]["strength"] == DEFAULT_EXTENDING


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"extend_left": "0"}, "nothing to paint"),
        ({"extend_left": "wide"}, "want pixels or a share"),
        ({"extend_left": "4", "extend_to": "16:9"}, "not both"),
        ({"extend_to": "3:2"}, "already: nothing to add"),
        ({"extend_to": "9x9"}, "smaller than the source"),
        ({"extend_top": "16384"}, "extended picture would be"),
        ({"extend_top": "9", "mask_invert": "true"}, "is for masks"),
    ],
)
def test_margins_that_cannot_be_are_refused_at_once(
    client: TestClient, png: bytes, fields: dict[str, str], said: str
) -> None:
    answer = client.post("/v1/edits", data=FIELDS | fields, files={"source": png})
    assert (answer.status_code, said in answer.text) == (422, True), answer.text
    alone = client.post("/v1/edits", json=FIELDS | {"extend_left": 4})
    assert (alone.status_code, "need a source" in alone.text) == (422, True)
    both = {"source": png, "mask": png}
    masked = client.post("/v1/edits", data=FIELDS | {"extend_left": "4"}, files=both)
    assert (masked.status_code, "not both: only what is added" in masked.text) == (422, True)


def test_the_schema_names_masks_and_maps(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    content = paths["/v1/edits"]["post"]["requestBody"]["content"]
    form = content["multipart/form-data"]["schema"]["properties"]
    as_json = content["application/json"]["schema"]["properties"]
    for name in ("mask", "map"):
        assert form[name] == {"type": "string", "format": "binary"}
        assert as_json[name]["anyOf"][0] == {"type": "string"}
    assert MASKED.keys() <= form.keys() & as_json.keys()
    sides = {f"extend_{side}" for side in ("left", "top", "right", "bottom", "to")}
    assert sides <= form.keys() & as_json.keys()
    theirs = paths["/sdapi/v1/img2img"]["post"]["requestBody"]["content"]["application/json"]
    assert {"mask", "mask_blur", "inpainting_fill"} <= theirs["schema"]["properties"].keys()
    images = paths["/v1/images/edits"]["post"]["requestBody"]["content"]["multipart/form-data"]
    assert images["schema"]["properties"]["mask"] == {"type": "string", "format": "binary"}


def test_the_commands_in_the_docs(client: TestClient, icon: Image.Image) -> None:
    """Each curl of docs/server.md, its fields and files sent as it would."""
    files = {"cat.png": file_of(icon), "fox.png": file_of(icon), "mask.png": drawn(icon)}
    page = (Path(__file__).parents[3] / "docs/server.md").read_text("utf-8")
    commands = [
        shlex.split(block.replace("\\\n", " "))
        for block in re.findall(r"```sh\n(curl.*?)```", page, re.DOTALL)
    ]
    assert len(commands) >= 2
    for words in commands:
        parts = [after for word, after in pairwise(words) if word == "-F"]
        pairs = [part.split("=", 1) for part in parts]
        data = {name: value for name, value in pairs if not value.startswith("@")}
        sent = {name: files[value[1:]] for name, value in pairs if value.startswith("@")}
        address = words[-1].removeprefix("http://127.0.0.1:7861")
        answer = client.post(address, data=data, files=sent)
        assert answer.status_code == 200, answer.text
        assert answer.json()["status"] == "done"


def test_a_mask_is_read_as_a_picture_is() -> None:
    """Of 16 bits and turned by its file: what Pillow alone reads as white, and lying."""
    levels = np.zeros((6, 4), np.uint16)
    levels[:, 2:] = 2**15
    stream = io.BytesIO()
    turned = Image.Exif()
    turned[0x0112] = 6  # a quarter to the right
    Image.fromarray(levels).save(stream, "PNG", exif=turned.tobytes())
    found = pixels(grey(stream.getvalue()))
    assert found.tolist() == [[0] * 6] * 2 + [[128] * 6] * 2

    alpha = Image.fromarray(np.array([[0, 64, 255]], np.uint8))
    mask = Image.new("RGBA", (3, 1))
    mask.putalpha(alpha)
    stream = io.BytesIO()
    mask.save(stream, "PNG", exif=turned.tobytes())
    edited = from_alpha(stream.getvalue())
    assert edited is not None
    assert pixels(edited).tolist() == [[255], [191], [0]]
