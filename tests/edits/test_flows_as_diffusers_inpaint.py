"""With a mask: the same picture as diffusers' inpainting pipelines of flows make."""

from __future__ import annotations

import os
from itertools import product
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.edits.beside_diffusers import (
    STRENGTHS,
    generator,
    made_by,
    picture,
    pipeline_of,
    soft_disc,
)
from tests.edits.test_flows_as_diffusers import family_of

from partway.checkpoints.reference import arguments
from partway.engine import Engine
from partway.errors import InvalidRequest
from partway.images import read_bytes

FULL = "PARTWAY_FULL" in os.environ
# Kind → diffusers' class, and what is asked of it: guidance, negative prompt.
PIPELINES = {
    "flux-dev": ("FluxInpaintPipeline", ((3.5, None), (7.0, "blue"))),
    "flux-schnell": ("FluxInpaintPipeline", ((1.0, None), (3.0, "blue"))),
    "sd3": ("StableDiffusion3InpaintPipeline", ((7.0, None), (1.0, None), (4.0, "blue"))),
    "z-image": ("ZImageInpaintPipeline", ((4.0, None), (0.0, None), (3.0, "blue"))),
    "qwen-image": ("QwenImageInpaintPipeline", ((4.0, "blue"), (1.0, None))),
}
# Both ends and a start between them.
RUNS = list(product(STRENGTHS, (1, 4, 20))) if FULL else [(1.0, 4), (0.45, 4), (0.05, 20)]
TOLERANCE = 2e-5  # of the range


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


@pytest.fixture(scope="module")
def source() -> Image.Image:
    """Multiples of 16, and not the native size."""
    return picture(80, 48)


@pytest.fixture(scope="module")
def mask() -> Image.Image:
    return soft_disc(80, 48, 33, 22, 15.0)


def theirs(
    kind: str, source: Image.Image, mask: Image.Image, guidance: float, **options: Any
) -> np.ndarray[Any, Any]:
    """(H, W, 3) in [0, 1] from diffusers' pipeline."""
    pipe = pipeline_of(PIPELINES[kind][0], kind)
    named = arguments(family_of(kind), pipe, source, guidance)
    made = pipe(
        image=source, mask_image=mask, generator=generator(), output_type="np", **named, **options
    )
    return made.images[0]


@pytest.mark.parametrize("kind", PIPELINES)
def test_same_picture_under_a_mask(
    engine: Engine, source: Image.Image, mask: Image.Image, kind: str
) -> None:
    prompted = PIPELINES[kind][1]
    for turn, (strength, steps) in enumerate(RUNS):
        if kind == "qwen-image" and steps == 1:  # diffusers makes no number of it
            continue
        guidance, negative = prompted[turn % len(prompted)]
        reference = theirs(
            kind, source, mask, guidance, prompt="a red house", negative_prompt=negative,
            strength=strength, num_inference_steps=steps,
        )  # fmt: skip
        made, result = made_by(
            engine, kind, source=read_bytes(source), mask=read_bytes(mask), prompt="a red house",
            steps=steps, negative_prompt=negative or "", strength=strength, guidance_scale=guidance,
        )  # fmt: skip
        apart = float(np.abs(made - reference).max())
        assert apart < TOLERANCE, (strength, steps, guidance, negative)
        assert any("pastes nothing back" in note for note in result.warnings)


@pytest.mark.parametrize("kind", ["flux-schnell", "sd3"])
def test_the_mask_and_its_outside_matter(
    engine: Engine, source: Image.Image, mask: Image.Image, kind: str
) -> None:
    """What the comparison above would not notice if it reached neither side."""
    asked = {"source": read_bytes(source), "prompt": "red", "strength": 0.8, "steps": 4}
    masked, _ = made_by(engine, kind, mask=read_bytes(mask), **asked)
    whole, _ = made_by(engine, kind, **asked)
    turned, _ = made_by(engine, kind, mask=read_bytes(mask), mask_invert=True, **asked)
    for other in (whole, turned):
        assert np.abs(masked - other).max() > 20 * TOLERANCE


def test_where_inpainting_fails_there_the_error_is_typed(
    engine: Engine, source: Image.Image, mask: Image.Image
) -> None:
    with pytest.raises(Exception, match=r".") as fails:
        theirs("sd3", source, mask, 1.0, prompt="x", strength=0.0, num_inference_steps=4)
    assert not isinstance(fails.value, InvalidRequest)
    with pytest.raises(InvalidRequest, match="none is left to run"):
        made_by(
            engine, "sd3", source=read_bytes(source), mask=read_bytes(mask), strength=0.0, steps=4
        )
