"""With a mask: the same picture as diffusers' inpainting pipelines make, of 4 and of 9 channels."""

from __future__ import annotations

import json
import os
from importlib import import_module
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
from tests.edits.test_as_diffusers import CLASSES, PROMPTED, TOLERANCE, ours
from tests.families import tiny

from partway.engine import Engine
from partway.errors import InvalidRequest
from partway.images import read_bytes
from partway.request import EditRequest

FULL = "PARTWAY_FULL" in os.environ
SD, SDXL = "StableDiffusionInpaintPipeline", "StableDiffusionXLInpaintPipeline"
PIPELINES = {"sd1": SD, "inpainting": SD, "sdxl": SDXL, "sdxl-inpainting": SDXL}
GRID = [run for run in product(STRENGTHS, (1, 4, 20)) if run[0] * run[1] >= 1]
# Both ends, a start in between, one step and several.
RUNS = GRID if FULL else [(1.0, 1), (0.45, 4), (1.0, 4), (0.3, 20), (0.05, 20)]


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


@pytest.fixture(scope="module")
def source() -> Image.Image:
    """Multiples of 8, and not the native size."""
    return picture(72, 56)


@pytest.fixture(scope="module")
def mask() -> Image.Image:
    return soft_disc(72, 56, 30, 27, 17.0)


def theirs(
    kind: str, sampler: str, source: Image.Image, mask: Image.Image, **options: Any
) -> np.ndarray[Any, Any]:
    """(H, W, 3) in [0, 1] from diffusers' pipeline."""
    pipe = pipeline_of(PIPELINES[kind], kind)
    own = json.loads((tiny.folder_of(kind) / "scheduler" / "scheduler_config.json").read_text())
    pipe.scheduler = getattr(import_module("diffusers"), CLASSES[sampler]).from_config(own)
    made = pipe(
        image=source,
        mask_image=mask,
        height=source.height // 8 * 8,
        width=source.width // 8 * 8,
        generator=generator(),
        output_type="np",
        **options,
    )
    return made.images[0]


@pytest.mark.parametrize("sampler", CLASSES)
@pytest.mark.parametrize("kind", PIPELINES)
def test_same_picture_under_a_mask(
    engine: Engine, source: Image.Image, mask: Image.Image, kind: str, sampler: str
) -> None:
    for turn, (strength, steps) in enumerate(RUNS):
        for guidance, negative in PROMPTED if FULL else (PROMPTED[turn % len(PROMPTED)],):
            reference = theirs(
                kind, sampler, source, mask, prompt="a red house", negative_prompt=negative,
                strength=strength, num_inference_steps=steps, guidance_scale=guidance,
            )  # fmt: skip
            made = ours(
                engine, kind, sampler, source, prompt="a red house", strength=strength,
                negative_prompt=negative or "", steps=steps, guidance_scale=guidance,
                mask=read_bytes(mask),
            )  # fmt: skip
            apart = np.abs(made - reference).max()
            assert apart < TOLERANCE, (strength, steps, guidance, negative)


@pytest.mark.parametrize("kind", ["sd1", "inpainting"])
def test_any_size_is_cut_as_the_mask_is(
    engine: Engine, source: Image.Image, mask: Image.Image, kind: str
) -> None:
    """Sides that are no multiples of 8, and a mask turned round."""
    wide, part = source.resize((77, 59)), mask.resize((77, 59))
    black = Image.fromarray(np.asarray(part) < 128).convert("L")  # what is repainted, as white
    reference = theirs(
        kind, "euler", wide, black, prompt="red",
        strength=0.6, num_inference_steps=4, guidance_scale=3.0,
    )  # fmt: skip
    made, result = made_by(
        engine, kind, source=read_bytes(wide), mask=read_bytes(part), mask_invert=True,
        prompt="red", sampler="euler", strength=0.6, steps=4, guidance_scale=3.0,
    )  # fmt: skip
    assert np.abs(made - reference).max() < TOLERANCE
    assert result.image.size == wide.size
    assert any("pastes nothing back" in note for note in result.warnings)


@pytest.mark.parametrize(("strength", "steps"), [(0.0, 20), (0.04, 20), (0.9, 1)])
def test_where_inpainting_fails_there_the_error_is_typed(
    engine: Engine, source: Image.Image, mask: Image.Image, strength: float, steps: int
) -> None:
    with pytest.raises(Exception, match=r".") as theirs_fails:
        theirs(
            "inpainting", "ddim", source, mask, prompt="x", strength=strength,
            num_inference_steps=steps,
        )  # fmt: skip
    assert not isinstance(theirs_fails.value, InvalidRequest)
    with pytest.raises(InvalidRequest, match="none is left to run"):
        ours(
            engine, "inpainting", "ddim", source, prompt="x", strength=strength, steps=steps,
            mask=read_bytes(mask),
        )  # fmt: skip


def test_what_its_masks_cannot_is_said(source: Image.Image, mask: Image.Image) -> None:
    asked = EditRequest(source=read_bytes(source), dialect="diffusers", mask=read_bytes(mask))
    others = ({"mask_grow": 3}, {"mask_feather": 0.0}, {"fill": "noise"}, {"only_masked": True})
    for fields in others:
        with pytest.raises(InvalidRequest, match="leave it out"):
            asked.with_(**fields)
