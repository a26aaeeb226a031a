"""`keep` over the APIs: the strength that the command line finds, found by runs of the server."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from partway.edits.target import find
from partway.engine import Engine
from partway.families import profile_of
from partway.request import EditRequest

FIELDS: dict[str, Any] = {"prompt": "navy, orange, white", "mode": "exact", "full_steps": "12"}
Parse = Callable[[str], list[tuple[int, str, dict[str, Any]]]]


def asked(client: TestClient, png: bytes, **fields: str) -> Any:
    return client.post("/v1/edits?wait=1", data=FIELDS | fields, files={"source": png})


@pytest.mark.parametrize("keep", ["60%", "0.6"])
def test_the_strength_is_the_one_the_library_finds(
    client: TestClient, png: bytes, keep: str
) -> None:
    profile = profile_of("analytic")
    request = EditRequest(
        prompt=FIELDS["prompt"], source=png, model="analytic", full_steps=12
    )  # fmt: skip
    expected = find(Engine().run, request, 0.6, gain=profile.gain, curve=profile.curve)
    answer = asked(client, png, keep=keep)
    assert answer.status_code == 200, answer.text
    result = answer.json()["results"][0]
    assert (result["strength"], result["runs"]) == (expected.strength, expected.renders)
    assert result["keep"] == 0.6
    assert expected.renders > 1
    found = np.asarray(Image.open(io.BytesIO(client.get(result["image"]).content)))
    assert np.array_equal(found, np.asarray(expected.result.image))
    # a plain edit at what was found is the same picture
    again = asked(client, png, strength=repr(result["strength"])).json()["results"][0]
    assert (again["keep"], again["runs"]) == (None, None)
    assert client.get(again["image"]).content == client.get(result["image"]).content


def test_all_is_the_picture_itself_and_openai_may_ask_too(client: TestClient, png: bytes) -> None:
    result = asked(client, png, keep="100%").json()["results"][0]
    assert (result["strength"], result["runs"], result["model"]) == (0.0, 1, None)
    file = {"image": ("icon.png", png, "image/png")}
    fields = {"prompt": "navy", "keep": "60%"}
    answer = client.post("/v1/images/edits", data=fields, files=file)
    assert answer.status_code == 200, answer.text
    assert 0.0 < answer.json()["data"][0]["strength"] < 1.0
    several = client.post("/v1/images/edits", data=fields | {"n": "2"}, files=file)
    assert (several.status_code, "one picture" in several.text) == (422, True)


def test_its_runs_are_events_of_one_job_and_it_can_be_cancelled(
    client: TestClient, png: bytes, sse: Parse
) -> None:
    job = client.post("/v1/edits", data=FIELDS | {"keep": "60%"}, files={"source": png}).json()
    log = [event for _, event, _ in sse(client.get(job["events"]).text)]
    runs = client.get(job["url"]).json()["results"][0]["runs"]
    assert log.count("started") == runs
    assert log[-2:] == ["done", "end"]
    slow = FIELDS | {"keep": "60%", "full_steps": "1000"}
    job = client.post("/v1/edits", data=slow, files={"source": png}).json()
    while client.get(job["url"]).json()["status"] == "queued":
        time.sleep(0.01)
    client.delete(job["url"])
    while (status := client.get(job["url"]).json()["status"]) == "running":
        time.sleep(0.01)
    assert status == "cancelled"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"keep": "0.6", "strength": "0.5"}, "not both"),
        ({"keep": "much"}, "want a share of the structure"),
        ({"keep": "140%"}, "allowed is 0 … 1"),
        ({"keep": "0.6", "extend_left": "8"}, "kept as it is"),
    ],
)
def test_what_cannot_be_is_refused_at_once(
    client: TestClient, png: bytes, fields: dict[str, str], said: str
) -> None:
    answer = client.post("/v1/edits", data=FIELDS | fields, files={"source": png})
    assert (answer.status_code, said in answer.text) == (422, True), answer.text


def test_no_source_and_sweeps_have_nothing_to_keep(client: TestClient, png: bytes) -> None:
    alone = client.post("/v1/edits", json={"prompt": "navy", "keep": 0.6})
    assert (alone.status_code, "needs a source" in alone.text) == (422, True)
    swept = client.post("/v1/sweeps", data={"prompt": "navy", "keep": "0.6"}, files={"source": png})
    assert (swept.status_code, "leave keep out" in swept.text) == (422, True)


def test_a_share_out_of_reach_fails_the_job_with_what_is_within(client: TestClient) -> None:
    """A plain picture towards its own colour keeps all of it at any strength."""
    stream = io.BytesIO()
    Image.new("RGB", (64, 64), "navy").save(stream, "PNG")
    answer = asked(client, stream.getvalue(), keep="30%", prompt="navy")
    body = answer.json()
    assert (answer.status_code, body["error"]["code"]) == (422, "unreachable")
    assert body["job"]["status"] == "failed"


def test_a_search_that_was_accepted_is_finished_while_nothing_new_is(
    client: TestClient, png: bytes
) -> None:
    app: Any = client.app
    slow = FIELDS | {"keep": "60%", "full_steps": "60"}
    job = client.post("/v1/edits", data=slow, files={"source": png}).json()
    app.state.service.executor.drain()
    assert client.post("/v1/edits", data=slow, files={"source": png}).status_code == 503
    while (facts := client.get(job["url"]).json())["status"] in {"queued", "running"}:
        time.sleep(0.01)
    assert (facts["status"], facts["results"][0]["runs"] > 1) == ("done", True), facts
