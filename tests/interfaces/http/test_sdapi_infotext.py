"""A1111's `infotext` fills what a body leaves out; `force_task_id` names a task to ask after."""

from __future__ import annotations

import base64
import io
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from fastapi.testclient import TestClient
from PIL import Image

from partway.interfaces.http import sdapi_state

TEXT = (
    "navy, orange\nwhite\nNegative prompt: blurry\n"
    "Steps: 8, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 2.5, Seed: 77, "
    "Size: 512x768, Model: pocket, Denoising strength: 0.35, Clip skip: 2, "
    'Hires upscale: 2, Lora hashes: "style: ab12, more: cd34", Version: v1.10.1'
)


def made(client: TestClient, route: str = "img2img", **body: Any) -> dict[str, Any]:
    answer = client.post(f"/sdapi/v1/{route}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json() | {"info": json.loads(answer.json()["info"])}


@pytest.fixture
def source(png: bytes) -> dict[str, Any]:
    """The least body of img2img, on the family without weights."""
    setting = {"sd_model_checkpoint": "analytic"}
    return {"init_images": [base64.b64encode(png).decode()], "override_settings": setting}


def test_what_a_body_leaves_out_is_read_from_the_text(
    client: TestClient, source: dict[str, Any]
) -> None:
    answer = made(client, **source, infotext=TEXT)
    info = answer["info"]
    assert (info["prompt"], info["negative_prompt"]) == ("navy, orange\nwhite", "blurry")
    assert (info["steps"], info["sampler_name"]) == (8, "DPM++ 2M")
    assert (info["seed"], info["cfg_scale"], info["denoising_strength"]) == (77, 2.5, 0.35)
    assert info["extra_generation_params"]["Partway evaluations"] == int(0.35 * 8) + 1
    assert (info["width"], info["height"]) == (96, 64)  # the source's own
    assert "Schedule type: Karras" in info["infotexts"][0]
    assert info["sd_model_name"] == "analytic"  # the body's own settings win
    assert answer["parameters"]["steps"] == 8
    told = [each for each in info["warnings"] if each.startswith("infotext")]
    assert told == [
        "infotext: Clip skip has no effect",
        "infotext: Hires upscale has no effect",
    ]


def test_what_a_body_says_wins(client: TestClient, source: dict[str, Any]) -> None:
    own: dict[str, Any] = {
        "prompt": "",
        "steps": 3,
        "seed": 0,
        "sampler_index": "Euler a",
        "denoising_strength": 0.0,
        "cfg_scale": None,  # as if it were not there
    }
    info = made(client, **source, **own, infotext=TEXT)["info"]
    assert info["prompt"] == ""
    assert (info["steps"], info["seed"]) == (3, 0)
    assert (info["sampler_name"], info["denoising_strength"]) == ("Euler a", 0.0)
    assert info["cfg_scale"] == 2.5
    assert info["negative_prompt"] == "blurry"


def test_a_picture_made_here_is_made_again_from_its_own_text(
    client: TestClient, source: dict[str, Any]
) -> None:
    first = made(
        client, **source, prompt="navy, white", steps=6, mode="exact", denoising_strength=0.6
    )
    text = first["info"]["infotexts"][0]
    again = made(client, **source, mode="exact", infotext=text)
    assert again["images"] == first["images"]
    other = made(client, **source, mode="exact", infotext=text, denoising_strength=0.3)
    assert other["images"] != first["images"]


def test_without_a_source_the_size_is_the_text_s_too(client: TestClient) -> None:
    text = "navy, white\nSteps: 2, Sampler: Euler, Seed: 1, Size: 48x32, Batch size: 2"
    answer = made(client, "txt2img", infotext=text)
    sizes = [Image.open(io.BytesIO(base64.b64decode(each))).size for each in answer["images"]]
    assert sizes == [(48, 32)] * 2
    assert made(client, "txt2img", infotext=text, width=16)["info"]["width"] == 16


def test_a_text_without_settings_is_a_prompt(client: TestClient, source: dict[str, Any]) -> None:
    info = made(client, **source, steps=2, infotext="navy\nNegative prompt: white, Steps: 3")[
        "info"
    ]
    assert (info["prompt"], info["negative_prompt"]) == ("navy", "white, Steps: 3")
    assert info["steps"] == 2


def test_what_a_text_says_of_a_mask(client: TestClient, source: dict[str, Any], png: bytes) -> None:
    mask = Image.new("L", Image.open(io.BytesIO(png)).size)
    mask.paste(255, (30, 20, 60, 50))
    stream = io.BytesIO()
    mask.save(stream, "PNG")
    source["mask"] = base64.b64encode(stream.getvalue()).decode()
    text = "navy\nSteps: 2, Sampler: Euler, Seed: 1, Mask blur: 3, Mask mode: Inpaint not masked, "
    info = made(client, **source, infotext=f"{text}Masked content: latent noise")["info"]
    assert (
        info["extra_generation_params"]
        | {
            "Mask blur": 3,
            "Mask mode": "Inpaint not masked",
            "Masked content": "latent noise",
        }
        == info["extra_generation_params"]
    )
    assert "Inpaint area" not in info["extra_generation_params"]  # the page's own: whole picture
    alone = made(client, **source, infotext=text, inpaint_full_res=True, mask_blur_x=1)["info"]
    facts = alone["extra_generation_params"]
    assert (facts["Masked area padding"], facts["Mask blur"]) == (32, 4)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("navy\nSteps: 2, Sampler: DPM++ 3M SDE, Seed: 1", "DPM++ 3M SDE"),
        ("navy\nSteps: 2, Sampler: Euler, Seed: 1, Model: some other", "no model 'some other'"),
        ("navy\nSteps: 2, Sampler: Euler, Schedule type: Align Your Steps, Seed: 1", "Align"),
    ],
)
def test_what_is_not_here_is_passed_over_and_told(
    client: TestClient, source: dict[str, Any], text: str, told: str
) -> None:
    del source["override_settings"]
    info = made(client, **source, infotext=text)["info"]
    assert info["sampler_name"] == "Euler"
    assert sum(told in each for each in info["warnings"]) == 1


def test_a_model_of_this_server_is_taken(client: TestClient, source: dict[str, Any]) -> None:
    source["override_settings"] = {"samples_format": "png"}
    text = "navy\nSteps: 2, Sampler: Euler, Seed: 1, Model: pocket"
    assert made(client, **source, infotext=text)["info"]["sd_model_name"] == "pocket"


@pytest.mark.parametrize("text", ["navy\nSteps: many, Sampler: Euler, Seed: 1", 3, ["navy"]])
def test_a_text_that_cannot_be_is_refused(
    client: TestClient, source: dict[str, Any], text: object
) -> None:
    answer = client.post("/sdapi/v1/img2img", json=source | {"infotext": text})
    assert answer.status_code == 422, answer.text


def test_a_task_is_known_by_the_name_its_caller_gave(address: str, png: bytes) -> None:
    body = {
        "init_images": [base64.b64encode(png).decode()],
        "prompt": "navy",
        "steps": 300,
        "send_images": False,
        "force_task_id": "task(mine)",
    }
    ask = {"id_task": "task(mine)", "id_live_preview": -1}
    with ThreadPoolExecutor(1) as pool, requests.Session() as ann, requests.Session() as other:
        ann.auth, other.auth = ("ann", ""), ("ben", "")
        answer = pool.submit(ann.post, f"{address}/sdapi/v1/img2img", json=body)
        progress = f"{address}/internal/progress"
        while not (found := ann.post(progress, json=ask).json())["active"]:
            assert not found["completed"]
            assert not answer.done()
        assert 0 < found["progress"] <= 1
        assert not other.post(progress, json=ask).json()["active"]
        previewed = found
        while not previewed["live_preview"] and previewed["active"]:
            previewed = ann.post(progress, json=ask).json()
        assert previewed["live_preview"].startswith("data:image/")
        ann.post(f"{address}/sdapi/v1/interrupt")
        assert answer.result(30).status_code in {200, 409}
        assert ann.post(progress, json=ask).json()["completed"]
        assert not other.post(progress, json=ask).json()["completed"]
        assert ann.get(f"{address}/internal/pending-tasks").json() == {"size": 0, "tasks": []}


def test_requests_without_a_name_push_no_name_out(
    client: TestClient, source: dict[str, Any]
) -> None:
    ask = {"id_task": "task(mine)"}
    made(client, **source, prompt="navy", steps=1, force_task_id="task(mine)")
    for _ in range(sdapi_state.ENDED):
        made(client, **source, prompt="navy", steps=1, send_images=False)
    assert client.post("/internal/progress", json=ask).json()["completed"]
    assert not client.post("/internal/progress", json={}).json()["completed"]
