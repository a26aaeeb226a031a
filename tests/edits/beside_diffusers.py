"""One edit on a tiny checkpoint, by diffusers and by the engine before it rounds to bytes."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.families import tiny

from partway.engine import Engine
from partway.families import profile_of
from partway.request import EditRequest
from partway.result import EditResult

STRENGTHS = (0.05, 0.3, 0.45, 0.8, 1.0)
SEED = 3


def picture(width: int, height: int) -> Image.Image:
    """Waves and ramps, RGB."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    rgb = np.stack([128 + 100 * np.sin(x / 9), 3 * x, 4 * y], axis=-1)
    return Image.fromarray(np.clip(rgb, 0, 255).astype(np.uint8))


def soft_disc(width: int, height: int, x0: float, y0: float, radius: float) -> Image.Image:
    """A mask with soft edges, none of them on a multiple of 8."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    grey = 255.0 * (1.5 - np.hypot(x - x0, y - y0) / radius)
    return Image.fromarray(np.clip(grey, 0, 255).astype(np.uint8))


@cache
def pipeline_of(name: str, kind: str) -> Any:
    """diffusers' pipeline of class `name` on the tiny checkpoint `kind`."""
    absent = {"text_encoder_3": None, "tokenizer_3": None} if "without-t5" in kind else {}
    pipe = getattr(import_module("diffusers"), name).from_pretrained(
        str(tiny.folder_of(kind)), local_files_only=True, **absent
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe


def generator() -> Any:
    return import_module("torch").Generator("cpu").manual_seed(SEED)


def made_by(engine: Engine, kind: str, **fields: Any) -> tuple[np.ndarray[Any, Any], EditResult]:
    """(H, W, 3) in [0, 1] as last decoded, not cut to the source's size, and the result."""
    model = str(tiny.folder_of(kind))
    request = EditRequest(model=model, precision="fp32", dialect="diffusers", seed=SEED, **fields)
    family = engine.family(profile_of(model), "fp32")
    decoded: list[np.ndarray[Any, Any]] = []
    real = family.decode

    def spying(latents: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        decoded.append(real(latents))
        return decoded[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(family, "decode", spying)
        result = engine.run(request)
    values = np.clip(decoded[-1] / 2.0 + 0.5, 0.0, 1.0).transpose(1, 2, 0)
    if values.shape[:2] == (result.image.height, result.image.width):
        assert np.abs(np.asarray(result.image) / 255.0 - values).max() < 0.51 / 255.0
    return values, result
