"""The same picture as diffusers' own pipelines make, on tiny checkpoints of random weights."""

from __future__ import annotations

import json
from importlib import import_module
from itertools import product
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.edits.beside_diffusers import STRENGTHS, generator, made_by, picture, pipeline_of
from tests.families import tiny

from partway.dialects.walks import walk
from partway.engine import Engine
from partway.errors import InvalidRequest, UserError
from partway.images import read_bytes
from partway.request import EditRequest

CLASSES = {
    "ddim": "DDIMScheduler",
    "euler": "EulerDiscreteScheduler",
    "euler_ancestral": "EulerAncestralDiscreteScheduler",
    "dpmpp_2m": "DPMSolverMultistepScheduler",
}
SD, SDXL = "StableDiffusionImg2ImgPipeline", "StableDiffusionXLImg2ImgPipeline"
PIPELINES = {"sd1": SD, "sd2-v": SD, "turbo": SD, "sdxl": SDXL}
TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


@pytest.fixture(scope="module")
def source() -> Image.Image:
    """Multiples of 8, and not the native size."""
    return picture(72, 56)


def theirs(kind: str, sampler: str, source: Image.Image, **options: Any) -> np.ndarray[Any, Any]:
    """(H, W, 3) in [0, 1] from diffusers' pipeline."""
    pipe = pipeline_of(PIPELINES[kind], kind)
    own = json.loads((tiny.folder_of(kind) / "scheduler" / "scheduler_config.json").read_text())
    pipe.scheduler = getattr(import_module("diffusers"), CLASSES[sampler]).from_config(own)
    return pipe(image=source, generator=generator(), output_type="np", **options).images[0]


def ours(
    engine: Engine, kind: str, sampler: str, source: Image.Image, **fields: Any
) -> np.ndarray[Any, Any]:
    """The same from Partway, before it is rounded to bytes."""
    return made_by(engine, kind, source=read_bytes(source), sampler=sampler, **fields)[0]


def both(
    engine: Engine,
    kind: str,
    sampler: str,
    source: Image.Image,
    strength: float,
    steps: int,
    guidance: float,
    negative: str | None,
) -> float:
    """The largest difference of the two pictures."""
    prompt = "a red house"
    reference = theirs(
        kind,
        sampler,
        source,
        prompt=prompt,
        negative_prompt=negative,
        strength=strength,
        num_inference_steps=steps,
        guidance_scale=guidance,
    )
    made = ours(
        engine,
        kind,
        sampler,
        source,
        prompt=prompt,
        negative_prompt=negative or "",
        strength=strength,
        steps=steps,
        guidance_scale=guidance,
    )
    return float(np.abs(made - reference).max())


PROMPTED = ((1.0, None), (7.5, None), (4.0, "blue"))  # guidance and negative prompt
RUNS = [
    (strength, steps) for strength, steps in product(STRENGTHS, (1, 4, 20)) if strength * steps >= 1
]


@pytest.mark.parametrize("sampler", CLASSES)
@pytest.mark.parametrize("kind", PIPELINES)
def test_same_picture(engine: Engine, source: Image.Image, kind: str, sampler: str) -> None:
    for turn, (strength, steps) in enumerate(RUNS):
        cases = PROMPTED if kind == "sd1" else (PROMPTED[turn % len(PROMPTED)],)
        for guidance, negative in cases:
            apart = both(engine, kind, sampler, source, strength, steps, guidance, negative)
            assert apart < TOLERANCE, (strength, steps, guidance, negative)


@pytest.mark.parametrize(("strength", "steps"), [(0.0, 20), (0.04, 20), (0.9, 1), (0.2, 4)])
def test_where_diffusers_fails_the_error_is_typed(
    engine: Engine, source: Image.Image, strength: float, steps: int
) -> None:
    with pytest.raises(Exception, match=r".") as theirs_fails:
        theirs("sd1", "ddim", source, prompt="x", strength=strength, num_inference_steps=steps)
    assert not isinstance(theirs_fails.value, InvalidRequest)
    with pytest.raises(InvalidRequest, match="none is left to run"):
        ours(engine, "sd1", "ddim", source, prompt="x", strength=strength, steps=steps)


@pytest.mark.parametrize("sampler", CLASSES)
def test_same_picture_from_words_alone(engine: Engine, sampler: str) -> None:
    """Text-to-image: the noise has variance 1, or Euler's scale."""
    diffusers = import_module("diffusers")
    for kind in ("sd1", "sdxl", "turbo"):
        own = json.loads((tiny.folder_of(kind) / "scheduler" / "scheduler_config.json").read_text())
        pipe = diffusers.AutoPipelineForText2Image.from_pipe(pipeline_of(PIPELINES[kind], kind))
        pipe.scheduler = getattr(diffusers, CLASSES[sampler]).from_config(own)
        pipe.set_progress_bar_config(disable=True)
        reference = pipe(
            "a red house", height=48, width=64, num_inference_steps=5, guidance_scale=3.0,
            generator=generator(), output_type="np",
        ).images[0]  # fmt: skip
        made, _ = made_by(
            engine, kind, prompt="a red house", sampler=sampler, steps=5, guidance_scale=3.0,
            size=(64, 48),
        )  # fmt: skip
        assert np.abs(made - reference).max() < TOLERANCE, kind


def test_walks_need_a_table() -> None:
    with pytest.raises(InvalidRequest, match="without a table"):
        walk({}, (), "euler", 0.5, 20)


def test_what_is_not_followed_is_said(engine: Engine, source: Image.Image) -> None:
    asked = EditRequest(source=read_bytes(source), dialect="diffusers", strength=0.5, steps=4)
    for fields, why in (
        ({"model": str(tiny.folder_of("sd1")), "sampler": "heun"}, "heun"),
        ({"model": str(tiny.folder_of("lcm"))}, "LCMScheduler, which is not followed"),
        ({"model": str(tiny.folder_of("lcm")), "sampler": "ddim"}, "guidance built in"),
        ({"model": str(tiny.folder_of("inpainting"))}, "with a mask only"),
        ({"model": "pocket"}, "no checkpoint that diffusers runs"),
        ({"model": str(tiny.folder_of("turbo")), "sampler": "ddim", "steps": 30}, "33 timesteps"),
    ):
        with pytest.raises(UserError, match=why):
            engine.run(asked.with_(**fields))
    for fields in ({"full_steps": 4}, {"dial": "noise"}, {"spacing": "karras"}, {"gain": 2.0}):
        with pytest.raises(InvalidRequest, match="leave it out"):
            asked.with_(steps=None, **fields)
    with pytest.raises(UserError, match="choose from diffusers"):
        asked.with_(dialect="a1111")
