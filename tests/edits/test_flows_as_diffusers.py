"""The same picture as diffusers' flow pipelines make, on tiny checkpoints of random weights."""

from __future__ import annotations

import os
from importlib import import_module
from itertools import product
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.edits.beside_diffusers import STRENGTHS, generator, made_by, picture, pipeline_of
from tests.families import tiny

from partway.checkpoints.reference import arguments
from partway.dialects.flow_walks import flow_walk
from partway.engine import Engine
from partway.errors import InvalidRequest, UserError
from partway.families import profile_of
from partway.geometry import Extent
from partway.images import read_bytes
from partway.interfaces.cli.dialect import Said
from partway.request import EditRequest

# Kind → diffusers' class, and what is asked of it: guidance, negative prompt.
PIPELINES = {
    "flux-dev": ("FluxImg2ImgPipeline", ((3.5, None), (1.0, None), (7.0, "blue"))),
    "flux-schnell": ("FluxImg2ImgPipeline", ((1.0, None), (3.0, "blue"), (3.0, None))),
    "sd3": ("StableDiffusion3Img2ImgPipeline", ((1.0, None), (7.0, None), (4.0, "blue"))),
    "sd3-without-t5": ("StableDiffusion3Img2ImgPipeline", ((4.0, "blue"),)),
    "z-image": ("ZImageImg2ImgPipeline", ((0.0, None), (4.0, None), (3.0, "blue"))),
    "qwen-image": ("QwenImageImg2ImgPipeline", ((4.0, "blue"), (1.0, None), (4.0, None))),
}
RUNS = list(product(STRENGTHS, (1, 4, 20)))
EACH = RUNS if "PARTWAY_FULL" in os.environ else [RUNS[i] for i in (0, 5, 7, 13)]
TOLERANCE = 2e-5  # the largest difference seen is 4e-6


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


@pytest.fixture(scope="module")
def source() -> Image.Image:
    """Multiples of 16, and not the native size."""
    return picture(80, 48)


def family_of(kind: str) -> str:
    return profile_of(str(tiny.folder_of(kind))).family


def theirs(kind: str, source: Image.Image, guidance: float, **options: Any) -> np.ndarray[Any, Any]:
    """(H, W, 3) in [0, 1] from diffusers' pipeline."""
    pipe = pipeline_of(PIPELINES[kind][0], kind)
    named = arguments(family_of(kind), pipe, source, guidance)
    made = pipe(image=source, generator=generator(), output_type="np", **named, **options)
    return made.images[0]


@pytest.mark.parametrize("kind", PIPELINES)
def test_same_picture(engine: Engine, source: Image.Image, kind: str) -> None:
    prompted = PIPELINES[kind][1]
    for turn, (strength, steps) in enumerate(EACH):
        if kind == "qwen-image" and steps == 1:  # see test_what_is_not_followed_is_said
            continue
        guidance, negative = prompted[turn % len(prompted)]
        reference = theirs(
            kind, source, guidance, prompt="a red house", negative_prompt=negative,
            strength=strength, num_inference_steps=steps,
        )  # fmt: skip
        made, _ = made_by(
            engine, kind, source=read_bytes(source), prompt="a red house", steps=steps,
            negative_prompt=negative or "", strength=strength, guidance_scale=guidance,
        )  # fmt: skip
        apart = float(np.abs(made - reference).max())
        assert apart < TOLERANCE, (strength, steps, guidance, negative)


@pytest.mark.parametrize(("negative", "true"), [("blue", 4.0), (None, 4.0), ("blue", 0.5)])
def test_true_cfg_beside_a_built_in_guidance(
    engine: Engine, source: Image.Image, negative: str | None, true: float
) -> None:
    """It acts above 1 and beside a negative prompt, there and here."""
    reference = theirs(
        "flux-dev", source, 2.0, prompt="a red house", negative_prompt=negative, strength=0.8,
        num_inference_steps=4, true_cfg_scale=true,
    )  # fmt: skip
    asked: dict[str, Any] = {
        "source": read_bytes(source), "prompt": "a red house", "negative_prompt": negative or "",
        "strength": 0.8, "steps": 4, "guidance_scale": 2.0,
    }  # fmt: skip
    made, result = made_by(engine, "flux-dev", true_cfg_scale=true, **asked)
    assert np.abs(made - reference).max() < TOLERANCE
    plain, _ = made_by(engine, "flux-dev", **asked)
    acts = negative is not None and true > 1.0
    assert (np.abs(made - plain).max() > 20 * TOLERANCE) == acts
    assert result.evaluations == 4


@pytest.mark.parametrize("kind", PIPELINES)
def test_guidance_and_words_matter(engine: Engine, source: Image.Image, kind: str) -> None:
    """What the comparison above would not notice if it reached neither side."""
    asked: dict[str, Any] = {"source": read_bytes(source), "strength": 0.8, "steps": 4}
    plain, _ = made_by(engine, kind, prompt="red", guidance_scale=3.0, negative_prompt="x", **asked)
    for change in ({"guidance_scale": 9.0}, {"prompt": "a blue horse"}):
        fields = {"prompt": "red", "guidance_scale": 3.0, "negative_prompt": "x"} | change
        other, _ = made_by(engine, kind, **fields, **asked)
        assert np.abs(other - plain).max() > 20 * TOLERANCE, change


@pytest.mark.parametrize("kind", PIPELINES)
def test_same_picture_from_words_alone(engine: Engine, source: Image.Image, kind: str) -> None:
    guidance, negative = PIPELINES[kind][1][-1]
    pipe = import_module("diffusers").AutoPipelineForText2Image.from_pipe(
        pipeline_of(PIPELINES[kind][0], kind)
    )
    pipe.set_progress_bar_config(disable=True)
    named = arguments(family_of(kind), pipe, source, guidance)
    reference = pipe(
        prompt="a red house", negative_prompt=negative, num_inference_steps=5,
        generator=generator(), output_type="np", **named,
    ).images[0]  # fmt: skip
    made, result = made_by(
        engine, kind, prompt="a red house", negative_prompt=negative or "", steps=5,
        guidance_scale=guidance, size=source.size,
    )  # fmt: skip
    assert np.abs(made - reference).max() < TOLERANCE
    assert result.plan.noise_fraction == 1.0


@pytest.mark.parametrize("kind", PIPELINES)
def test_where_diffusers_fails_the_error_is_typed(
    engine: Engine, source: Image.Image, kind: str
) -> None:
    with pytest.raises(Exception, match=r".") as fails:
        theirs(kind, source, 1.0, prompt="x", strength=0.0, num_inference_steps=4)
    assert not isinstance(fails.value, InvalidRequest)
    with pytest.raises(InvalidRequest, match="none is left to run"):
        made_by(engine, kind, source=read_bytes(source), strength=0.0, steps=4)


def test_what_the_shell_says_is_what_runs(engine: Engine, source: Image.Image) -> None:
    """The levels depend on the picture's size, which is not the native one."""
    model = str(tiny.folder_of("flux-dev"))
    request = EditRequest(source=read_bytes(source), model=model, steps=4)
    said = Said("diffusers", 0.6)
    said.on(request, profile_of(model), Extent(*source.size))
    _, result = made_by(engine, "flux-dev", source=request.source, strength=0.6, steps=4)
    assert f"from {100 * result.plan.noise_fraction:.1f} % noise" in said.told[0]


def test_what_is_not_followed_is_said(engine: Engine, source: Image.Image) -> None:
    asked = {"source": read_bytes(source), "strength": 0.5, "steps": 4}
    with pytest.raises(UserError, match="--sampler euler"):
        made_by(engine, "flux-dev", sampler="dpmpp_2m", **asked)
    with pytest.raises(InvalidRequest, match="use_karras_sigmas = True"):
        flow_walk({"use_karras_sigmas": True}, "flux", "euler", 0.5, 4, 16)
    with pytest.raises(InvalidRequest, match="2 steps"):
        flow_walk({"shift_terminal": 0.02}, "flux", "euler", 0.5, 1, 16)
