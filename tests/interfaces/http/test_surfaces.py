"""One edit asked for in Python, on the command line and over three APIs: same plan, same pixels."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest
from click.testing import CliRunner
from fastapi.testclient import TestClient
from numpy.typing import NDArray
from PIL import Image

from partway.api import edit
from partway.interfaces.cli import cli
from partway.interfaces.facts import plan_facts
from partway.interfaces.http.sdapi_names import start_of

Outcome: TypeAlias = tuple[dict[str, Any], NDArray[np.uint8]]
Surface: TypeAlias = Callable[[TestClient, Path, dict[str, Any]], Outcome]

# As A1111 says it: denoising_strength, steps, sampler, schedule; and what else there is.
CASES = [
    {"strength": 0.0, "steps": 10, "seed": 1},
    {"strength": 0.3, "steps": 10, "seed": 7},
    {"strength": 0.75, "steps": 4, "seed": 2**32 - 1},
    {"strength": 1.0, "steps": 5, "seed": 3},
    {"strength": 0.5, "steps": 8, "seed": 4, "sampler": "euler_ancestral"},
    {"strength": 0.5, "steps": 8, "seed": 4, "sampler": "dpmpp_2m", "spacing": "karras"},
    {"strength": 0.6, "steps": 6, "seed": 5, "guidance_scale": 2.5, "negative_prompt": "white"},
]
LABELS = {"euler": "Euler", "euler_ancestral": "Euler a", "dpmpp_2m": "DPM++ 2M"}
PROMPT = "navy, orange, white"


def fields_of(case: dict[str, Any]) -> dict[str, Any]:
    """The case in Partway's words."""
    strength, steps = start_of(case["strength"], case["steps"], case.get("spacing", "uniform"))
    return (
        {"sampler": "euler"}
        | case
        | {
            "prompt": PROMPT,
            "strength": strength,
            "steps": steps,
            "dial": "sd1",
            "model": "analytic",
        }
    )


def pixels(data: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(data)))


def python(client: TestClient, icon: Path, case: dict[str, Any]) -> Outcome:
    result = edit(icon, **fields_of(case))
    return plan_facts(result.plan, result.evaluations, result.model), np.asarray(result.image)


def command_line(client: TestClient, icon: Path, case: dict[str, Any]) -> Outcome:
    fields = fields_of(case)
    del fields["prompt"]
    fields["guidance"] = fields.pop("guidance_scale", None)
    words = options(fields)
    output = icon.with_name("result.png")
    done = CliRunner().invoke(cli, ["edit", str(icon), PROMPT, *words, "-o", str(output), "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    for name in ("seed", "guidance", "negative_prompt"):
        fields.pop(name, None)
    plan = json.loads(CliRunner().invoke(cli, ["plan", *options(fields), "--json"]).stdout)
    if told["strength"] == 0.0:
        plan["model"] = None  # `plan` speaks of a model, an edit at 0 needs none
    assert told["evaluations"] == plan["evaluations"]
    return plan, pixels(output.read_bytes())


def options(fields: dict[str, Any]) -> list[str]:
    """Fields as options, floats with all their digits."""
    return [
        word
        for name, value in fields.items()
        if value is not None
        for word in (f"--{name.replace('_', '-')}", str(value))
    ]


def native(client: TestClient, icon: Path, case: dict[str, Any]) -> Outcome:
    fields = fields_of(case) | {"source": encoded(icon), "mode": "exact"}
    answer = client.post("/v1/edits?wait=1", json=fields)
    assert answer.status_code == 200, answer.text
    result = answer.json()["results"][0]
    return result["plan"], pixels(client.get(result["image"]).content)


def a1111(client: TestClient, icon: Path, case: dict[str, Any]) -> Outcome:
    body = {
        "init_images": [encoded(icon)],
        "prompt": PROMPT,
        "negative_prompt": case.get("negative_prompt", ""),
        "denoising_strength": case["strength"],
        "steps": case["steps"],
        "seed": case["seed"],
        "sampler_name": LABELS[case.get("sampler", "euler")],
        "scheduler": case.get("spacing"),
        "cfg_scale": case.get("guidance_scale"),
        "mode": "exact",
    }
    answer = client.post("/sdapi/v1/img2img", json=body)
    assert answer.status_code == 200, answer.text
    facts = answer.json()
    return json.loads(facts["info"])["plans"][0], pixels(base64.b64decode(facts["images"][0]))


def openai(client: TestClient, icon: Path, case: dict[str, Any]) -> Outcome:
    fields = {name: str(value) for name, value in fields_of(case).items()} | {"mode": "exact"}
    fields["strength"] = repr(fields_of(case)["strength"])
    file = ("icon.png", icon.read_bytes(), "image/png")
    answer = client.post("/v1/images/edits", data=fields, files={"image[]": file})
    assert answer.status_code == 200, answer.text
    facts = answer.json()["data"][0]
    return facts["plan"], pixels(base64.b64decode(facts["b64_json"]))


def encoded(file: Path) -> str:
    return base64.b64encode(file.read_bytes()).decode()


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['strength']}/{case['steps']}")
@pytest.mark.parametrize("surface", [command_line, native, a1111, openai])
def test_every_surface_makes_the_same_picture(
    surface: Surface, case: dict[str, Any], client: TestClient, icon_file: Path
) -> None:
    expected_plan, expected = python(client, icon_file, case)
    plan, found = surface(client, icon_file, case)
    assert plan == expected_plan
    assert np.array_equal(found, expected)
