"""The native API, against the engine itself."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from typing import Any, get_args

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from partway.engine import Engine
from partway.examples import PHOTOGRAPH
from partway.families import profile_of
from partway.interfaces.http.edit_fields import Word
from partway.request import DEFAULT_SAMPLER, EditRequest
from partway.strength import WORDS, named_strength
from partway.styles import STYLES

Parse = Callable[[str], list[tuple[int, str, dict[str, Any]]]]

FIELDS = {"prompt": "navy, orange, white", "strength": "0.5", "mode": "exact"}


def picture(data: bytes) -> Any:
    return np.asarray(Image.open(io.BytesIO(data)))


def finished(client: TestClient, png: bytes, **fields: str) -> dict[str, Any]:
    answer = client.post("/v1/edits?wait=1", data=FIELDS | fields, files={"source": png})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_an_edit_is_the_engines_picture(client: TestClient, png: bytes) -> None:
    job = finished(client, png)
    result = job["results"][0]
    request = EditRequest(prompt=FIELDS["prompt"], source=png, strength=0.5, model="analytic")
    expected = Engine().run(request)
    file = client.get(result["image"])
    assert file.headers["content-type"] == "image/png"
    assert np.array_equal(picture(file.content), np.asarray(expected.image))
    assert result["evaluations"] == expected.evaluations == result["plan"]["evaluations"]
    assert (job["status"], result["status"], result["mode"]) == ("done", "done", "exact")


def test_an_upscale_is_the_engines_picture(client: TestClient, png: bytes) -> None:
    job = finished(client, png, scale="1.5", steps="1")
    request = EditRequest(
        prompt=FIELDS["prompt"], source=png, strength=0.5, model="analytic", scale=1.5, steps=1
    )
    file = client.get(job["results"][0]["image"])
    assert np.array_equal(picture(file.content), np.asarray(Engine().run(request).image))
    wrong = client.post("/v1/edits", data=FIELDS | {"scale": "1"}, files={"source": png})
    assert wrong.status_code in {400, 422}
    assert "an upscale enlarges" in wrong.text


@pytest.mark.parametrize("word", ["subtle", "reimagine"])
def test_a_word_is_the_models_number(client: TestClient, png: bytes, word: str) -> None:
    profile = profile_of("analytic")
    number = named_strength(word, gain=profile.gain, curve=profile.curve)
    job = finished(client, png, strength=word)
    assert job["results"][0]["strength"] == number
    plan = client.post("/v1/plan", json={"strength": word}).json()
    assert (plan["strength"], plan["levels"]) == (number, job["results"][0]["plan"]["levels"])
    fields = FIELDS | {"strength": "stronk"}
    for path in ("/v1/edits", "/v1/plan"):
        wrong = client.post(path, json=fields if path == "/v1/edits" else {"strength": "stronk"})
        assert wrong.status_code == 422
        assert "reimagine" in wrong.json()["error"]["message"]
    assert get_args(Word) == tuple(WORDS)


def test_json_and_form_are_the_same_edit(client: TestClient, png: bytes) -> None:
    by_form = client.get(finished(client, png)["results"][0]["image"]).content
    fields = FIELDS | {"strength": 0.5, "source": base64.b64encode(png).decode()}
    answer = client.post("/v1/edits", json=fields, headers={"Prefer": "wait=30"})
    assert answer.status_code == 200, answer.text
    assert client.get(answer.json()["results"][0]["image"]).content == by_form


def test_a_job_is_accepted_watched_and_read_again(
    client: TestClient, png: bytes, sse: Parse
) -> None:
    fields = FIELDS | {"preview_every": "2", "steps": "5"}
    answer = client.post("/v1/edits", data=fields, files={"source": png})
    assert answer.status_code == 202
    accepted = answer.json()
    assert answer.headers["location"] == accepted["url"] == f"/v1/jobs/{accepted['id']}"
    events = sse(client.get(accepted["events"]).text)
    names = [name for _, name, _ in events]
    assert names[0] == "queued"
    assert names[-2:] == ["done", "end"]
    steps = [facts for _, name, facts in events if name == "step"]
    assert [facts["done"] for facts in steps] == [1, 2, 3, 4, 5]
    assert {facts["total"] for facts in steps} == {5}
    assert [facts["noise_fraction"] for facts in steps] == sorted(
        (facts["noise_fraction"] for facts in steps), reverse=True
    )
    previews = [facts for _, name, facts in events if name == "preview"]
    assert previews[-1]["image"].startswith("data:image/webp;base64,")
    again = client.get(accepted["events"], headers={"Last-Event-ID": str(events[-2][0])})
    assert [name for _, name, _ in sse(again.text)] == ["end"]
    facts = client.get(accepted["url"]).json()
    assert facts["status"] == "done"
    assert facts["results"][0] == events[-2][2]


def test_a_sweep_is_one_job_with_a_result_per_strength(client: TestClient, png: bytes) -> None:
    fields = FIELDS | {"strengths": "0:1:0.25", "mode": "shared"}
    del fields["strength"]
    answer = client.post("/v1/sweeps?wait=1", data=fields, files={"source": png})
    results = answer.json()["results"]
    assert [each["strength"] for each in results] == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert np.array_equal(picture(client.get(results[0]["image"]).content), picture(png))
    evaluations = [each["evaluations"] for each in results]
    assert evaluations == sorted(evaluations)


def test_cancelling_and_what_is_unknown(client: TestClient, png: bytes, sse: Parse) -> None:
    fields = FIELDS | {"steps": "1000"}
    accepted = client.post("/v1/edits", data=fields, files={"source": png}).json()
    assert client.delete(accepted["url"]).status_code == 200
    assert sse(client.get(accepted["events"]).text)[-1][2] == {"status": "cancelled"}
    assert client.get(accepted["url"]).json()["results"][0]["image"] is None
    assert client.get(f"{accepted['url']}/images/0").status_code == 404
    assert client.get("/v1/jobs/nothing").json()["error"]["code"] == "not_found"


@pytest.mark.parametrize("name", ["png", "jpeg", "webp", "avif"])
def test_files_in_every_format(client: TestClient, png: bytes, name: str) -> None:
    url = finished(client, png, format=name)["results"][0]["image"]
    for address, wanted in ((url, name), (f"{url}?format=jpeg", "jpeg")):
        file = client.get(address)
        assert file.headers["content-type"] == f"image/{wanted}"
        assert (Image.open(io.BytesIO(file.content)).format or "").lower() == wanted


def test_plans_without_a_model_loaded(client: TestClient) -> None:
    facts = client.post("/v1/plan", json={"strength": 0.45, "model": "pocket"}).json()
    assert facts["model"] == "pocket"
    assert facts["levels"][0] == facts["noise_fraction"]
    assert facts["description"].startswith(f"{facts['intervals']} of 20 steps")
    values = {each["program"]: each["value"] for each in facts["elsewhere"]}
    assert set(values) == {"A1111", "ComfyUI", "diffusers"}
    assert values["ComfyUI"] == pytest.approx(0.45, abs=0.03)  # the gain is ours, not theirs
    assert client.post("/v1/plan", json={"strength": 2}).status_code == 422
    assert client.post("/v1/plan", json={"model": "../x"}).json()["error"]["code"] == "unknown_name"


def test_what_there_is(client: TestClient) -> None:
    models = {each["id"]: each for each in client.get("/v1/models").json()["data"]}
    assert set(models) == {"analytic", "pocket", "exemplar"}
    assert models["analytic"]["default"]
    assert models["pocket"]["artwork_only"]
    assert "owl" in models["pocket"]["subjects"]
    assert "folder" not in models["pocket"]
    styles = client.get("/v1/styles").json()
    assert [each["name"] for each in styles] == list(STYLES)
    for each in (*styles, *client.get("/v1/examples").json()):
        assert each["thumbnail"].startswith("data:image/")
        assert picture(client.get(each["image"]).content).ndim == 3


def test_what_there_is_to_choose_from(client: TestClient) -> None:
    facts = client.get("/v1/choices").json()
    assert facts["strength"] == 0.5
    assert {"standard", "sd1", "noise"} <= set(facts["dials"])
    assert "euler" in facts["samplers"]
    assert facts["defaults"] == {"sampler": DEFAULT_SAMPLER} | {
        name: getattr(EditRequest(), name) for name in ("spacing", "dial")
    }
    bands = facts["bands"]
    assert [bands[0]["from"], *(each["to"] for each in bands)] == [0.0, 0.3, 0.55, 0.85, 1.0]
    for each in bands:
        middle = (each["from"] + each["to"]) / 2
        asked = {"strength": middle, "model": "pocket"}
        named = client.post("/v1/plan", json=asked).json()["band"]
        assert named == f"{each['name']}: {each['says']}"


def test_inspecting_a_picture(client: TestClient, png: bytes) -> None:
    facts = client.post("/v1/inspect", files={"source": png}).json()
    assert (facts["width"], facts["height"], facts["format"]) == (96, 64, "png")
    assert facts["model"] == "analytic"
    assert facts["photograph"] is False  # a bool of Python's, which JSON can hold
    photograph = client.post("/v1/inspect", files={"source": PHOTOGRAPH.read_bytes()}).json()
    assert photograph["photograph"] is True
    assert client.get("/health/live").json() == {"status": "live"}
    assert client.get("/metrics").text.startswith("# HELP partway_ready")


def test_docs_need_nothing_from_elsewhere(client: TestClient) -> None:
    text = client.get("/docs").text
    assert "/v1/edits" in text
    assert "guidance_interval" in text
    assert "http://" not in text.replace("http://127.0.0.1", "")
    assert "https://" not in text
    assert "<script" not in text
