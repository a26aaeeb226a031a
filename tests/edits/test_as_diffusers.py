"""The same picture as diffusers' own pipelines make, on tiny checkpoints of random weights."""

from __future__ import annotations

import json
from functools import cache
from importlib import import_module
from itertools import product
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.families import tiny

from partway.dialects.walks import walk
from partway.engine import Engine
from partway.errors import InvalidRequest, UserError
from partway.families import profile_of
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
STRENGTHS = (0.05, 0.3, 0.45, 0.8, 1.0)
TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


@pytest.fixture(scope="module")
def source() -> Image.Image:
    """72 × 56: multiples of 8, and not the native size."""
    y, x = np.mgrid[0:56, 0:72].astype(np.float32)
    rgb = np.stack([128 + 100 * np.sin(x / 9), 3 * x, 4 * y], axis=-1)
    return Image.fromarray(np.clip(rgb, 0, 255).astype(np.uint8))


@cache
def pipeline_of(kind: str) -> Any:
    pipe = getattr(import_module("diffusers"), PIPELINES[kind]).from_pretrained(
        str(tiny.folder_of(kind)), local_files_only=True
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe


def theirs(kind: str, sampler: str, source: Image.Image, **options: Any) -> np.ndarray[Any, Any]:
    """(H, W, 3) in [0, 1] from diffusers' pipeline."""
    diffusers, torch = import_module("diffusers"), import_module("torch")
    pipe = pipeline_of(kind)
    own = json.loads((tiny.folder_of(kind) / "scheduler" / "scheduler_config.json").read_text())
    pipe.scheduler = getattr(diffusers, CLASSES[sampler]).from_config(own)
    made = pipe(
        image=source, generator=torch.Generator("cpu").manual_seed(3), output_type="np", **options
    )
    return made.images[0]


def ours(
    engine: Engine, kind: str, sampler: str, source: Image.Image, **fields: Any
) -> np.ndarray[Any, Any]:
    """The same from Partway, before it is rounded to bytes."""
    request = EditRequest(
        source=read_bytes(source),
        model=str(tiny.folder_of(kind)),
        precision="fp32",
        dialect="diffusers",
        sampler=sampler,
        seed=3,
        **fields,
    )
    family = engine.family(profile_of(str(tiny.folder_of(kind))), "fp32")
    decoded: list[np.ndarray[Any, Any]] = []
    real = family.decode

    def spying(latents: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        decoded.append(real(latents))
        return decoded[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(family, "decode", spying)
        result = engine.run(request)
    values = np.clip(decoded[-1] / 2.0 + 0.5, 0.0, 1.0).transpose(1, 2, 0)
    assert np.abs(np.asarray(result.image) / 255.0 - values).max() < 0.51 / 255.0
    return values


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
    diffusers, torch = import_module("diffusers"), import_module("torch")
    for kind in ("sd1", "sdxl", "turbo"):
        folder = tiny.folder_of(kind)
        own = json.loads((folder / "scheduler" / "scheduler_config.json").read_text())
        pipe = diffusers.AutoPipelineForText2Image.from_pipe(pipeline_of(kind))
        pipe.scheduler = getattr(diffusers, CLASSES[sampler]).from_config(own)
        pipe.set_progress_bar_config(disable=True)
        theirs = pipe(
            "a red house", height=48, width=64, num_inference_steps=5, guidance_scale=3.0,
            generator=torch.Generator("cpu").manual_seed(3), output_type="np",
        ).images[0]  # fmt: skip
        made = engine.run(
            EditRequest(
                prompt="a red house", model=str(folder), precision="fp32", dialect="diffusers",
                sampler=sampler, seed=3, steps=5, guidance_scale=3.0, size=(64, 48),
            )
        )  # fmt: skip
        assert np.abs(np.asarray(made.image) / 255.0 - theirs).max() < 0.52 / 255.0, kind


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
