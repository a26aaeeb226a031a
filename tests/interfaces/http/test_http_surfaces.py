"""One edit asked for in Python, on the command line and over three APIs: same plan, same pixels."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import numpy as np
import openai
import pytest
import requests
from click.testing import CliRunner
from numpy.typing import NDArray
from PIL import Image

from partway.api import edit
from partway.interfaces.cli import cli
from partway.interfaces.facts import plan_facts
from partway.interfaces.http.sdapi_names import start_of

Outcome: TypeAlias = tuple[dict[str, Any], NDArray[np.uint8]]
Surface: TypeAlias = Callable[[str, Path, dict[str, Any]], Outcome]

MASKED: dict[str, Any] = {
    "mask": True,
    "mask_feather": 6.0,
    "fill": "source",
    "only_masked": False,
    "padding": 0,
}
# As A1111 says it: denoising_strength, steps, sampler, schedule; and what else there is.
CASES: list[dict[str, Any]] = [
    {"strength": 0.0, "steps": 10, "seed": 1},
    {"strength": 0.3, "steps": 10, "seed": 7},
    {"strength": 0.75, "steps": 4, "seed": 2**32 - 1},
    {"strength": 1.0, "steps": 5, "seed": 3},
    {"strength": 0.5, "steps": 8, "seed": 4, "sampler": "euler_ancestral"},
    {"strength": 0.5, "steps": 8, "seed": 4, "sampler": "dpmpp_2m", "spacing": "karras"},
    {"strength": 0.6, "steps": 6, "seed": 5, "guidance_scale": 2.5, "negative_prompt": "white"},
    {"strength": 0.7, "steps": 6, "seed": 6, **MASKED},
    {"strength": 0.7, "steps": 6, "seed": 6, **MASKED, "fill": "blur", "only_masked": True},
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


def python(address: str, icon: Path, case: dict[str, Any]) -> Outcome:
    result = edit(icon, **fields_of(case))
    return plan_facts(result.plan, result.evaluations, result.model), np.asarray(result.image)


def command_line(address: str, icon: Path, case: dict[str, Any]) -> Outcome:
    fields = fields_of(case)
    del fields["prompt"]
    for name, option in (("guidance_scale", "guidance"), ("mask_feather", "feather")):
        fields[option] = fields.pop(name, None)
    words = options(fields)
    output = icon.with_name("result.png")
    done = CliRunner().invoke(cli, ["edit", str(icon), PROMPT, *words, "-o", str(output), "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    for name in ("seed", "guidance", "negative_prompt", *MASKED, "feather"):
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
        if value is not None and value is not False
        for word in (f"--{name.replace('_', '-')}", *([] if value is True else [str(value)]))
    ]


def native(address: str, icon: Path, case: dict[str, Any]) -> Outcome:
    fields: dict[str, Any] = fields_of(case) | {"source": encoded(icon), "mode": "exact"}
    if "mask" in fields:
        fields["mask"] = encoded(fields["mask"])
    answer = requests.post(f"{address}/v1/edits?wait=1", json=fields, timeout=60)
    assert answer.status_code == 200, answer.text
    result = answer.json()["results"][0]
    return result["plan"], pixels(requests.get(address + result["image"], timeout=60).content)


def a1111(address: str, icon: Path, case: dict[str, Any]) -> Outcome:
    """Through its client, whose fields are A1111's alone."""
    where = urlsplit(address)
    client = import_module("webuiapi").WebUIApi(host=where.hostname, port=where.port)
    mask: dict[str, Any] = {}
    if "mask" in case:
        mask = {
            "mask_image": Image.fromarray(pixels(case["mask"].read_bytes())),
            "mask_blur": case["mask_feather"] / 3,
            "inpainting_fill": {"blur": 0, "source": 1, "noise": 2}[case["fill"]],
            "inpaint_full_res": case["only_masked"],
            "inpaint_full_res_padding": case["padding"],
        }
    image = Image.fromarray(pixels(icon.read_bytes()))
    answer = client.img2img(
        [image],
        prompt=PROMPT,
        negative_prompt=case.get("negative_prompt", ""),
        denoising_strength=case["strength"],
        steps=case["steps"],
        seed=case["seed"],
        sampler_name=LABELS[case.get("sampler", "euler")],
        scheduler=case.get("spacing"),
        cfg_scale=case.get("guidance_scale"),
        width=image.width,
        height=image.height,
        override_settings={"partway_mode": "exact"},
        **mask,
    )
    return answer.info["plans"][0], np.asarray(answer.image)


def images_api(address: str, icon: Path, case: dict[str, Any]) -> Outcome:
    """Through OpenAI's client; its masks are transparent where there is something to do."""
    fields: dict[str, Any] = fields_of(case) | {"mode": "exact"}
    del fields["prompt"]
    files: dict[str, Any] = {"image": icon}
    if "mask" in fields:
        hole = Image.fromarray(pixels(icon.read_bytes())).convert("RGBA")
        hole.putalpha(Image.fromarray(255 - pixels(fields.pop("mask").read_bytes())))
        files["mask"] = icon.with_name("hole.png")
        hole.save(files["mask"])
    with openai.OpenAI(api_key="any", base_url=f"{address}/v1", max_retries=0) as client:
        send: Any = client.images.edit
        answer = send(**files, prompt=PROMPT, extra_body=fields)
    facts = answer.data[0]
    return facts.plan, pixels(base64.b64decode(facts.b64_json))


def encoded(file: Path) -> str:
    return base64.b64encode(file.read_bytes()).decode()


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['strength']}/{case['steps']}")
@pytest.mark.parametrize("surface", [command_line, native, a1111, images_api])
def test_every_surface_makes_the_same_picture(
    surface: Surface, case: dict[str, Any], address: str, icon_file: Path
) -> None:
    if "mask" in case:
        mask = Image.fromarray(pixels(icon_file.read_bytes())).convert("L")
        mask.paste(0, (0, 0, *mask.size))
        mask.paste(255, (20, 12, 60, 40))
        case = case | {"mask": icon_file.with_name("mask.png")}
        mask.save(case["mask"])
    expected_plan, expected = python(address, icon_file, case)
    plan, found = surface(address, icon_file, case)
    assert plan == expected_plan
    assert np.array_equal(found, expected)
