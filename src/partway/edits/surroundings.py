"""Holes filled from around them, smoothly: what repainting starts from where nothing shall stay."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from partway.denoiser import Array
    from partway.images import Pixels

KNOWN = 1e-3  # weight from which a pixel of a smaller scale says something


def continued(rgb: Pixels, known: Array) -> Pixels:
    """A picture (H, W, 3) whose unknown pixels continue the known ones.

    known  (H, W) 0 … 1: 1 stays as it is, 0 is filled, between is mixed

    Push and pull (Gortler et al. 1996): means of what is known at ever smaller scales, then back
    up, each scale filling what the finer one does not know. Where nothing is known, nothing
    changes.
    """
    if not (known > KNOWN).any():
        return rgb
    filled = _filled(rgb.astype(np.float32), known.astype(np.float32))
    weight = known[..., None]
    return np.rint(weight * rgb + (1.0 - weight) * filled).astype(np.uint8)


def _filled(values: Array, known: Array) -> Array:
    """(H, W, 3) with a value everywhere."""
    if min(known.shape) == 1 or known.min() > KNOWN:
        total = known.sum()
        mean = (values * known[..., None]).sum(axis=(0, 1)) / max(float(total), KNOWN)
        return np.where(known[..., None] > KNOWN, values, mean).astype(np.float32)
    weighted, weight = _halved(values * known[..., None]), _halved(known[..., None])
    smaller = weighted / np.maximum(weight, KNOWN)
    below = _filled(smaller, np.minimum(weight[..., 0] * 4, 1.0))
    height, width = known.shape
    wide = np.stack(
        [
            np.asarray(
                Image.fromarray(np.ascontiguousarray(below[..., c])).resize(
                    (width, height), Image.Resampling.BILINEAR
                )
            )
            for c in range(3)
        ],
        axis=-1,
    )
    return known[..., None] * values + (1.0 - known[..., None]) * wide


def _halved(values: Array) -> Array:
    """Means of 2 × 2 pixels; an odd last row or column is repeated."""
    more = [(0, length % 2) for length in values.shape[:2]]
    even = np.pad(values, (*more, (0, 0)), mode="edge")
    return (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) / 4.0
