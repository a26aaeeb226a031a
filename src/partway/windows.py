"""Means over small windows of a picture, and how much of a difference counts as faint in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from partway.denoiser import Array

FEW = 6  # reach up to which adding neighbours up is faster than running sums
TINY = np.finfo(np.float32).tiny  # nothing over nothing is nothing


def box_blur(values: Array, radius: int) -> Array:
    """Mean over (2 * radius + 1)² neighbours of an (H, W) array, edges replicated.

    The radius ends at the array's own sides.
    """
    blurred = values
    for axis in (0, 1):
        reach = min(radius, values.shape[axis] - 1)
        if reach < 1:
            continue
        pad, width = [(0, 0), (0, 0)], 2 * reach + 1
        pad[axis] = (reach, reach)
        wide = np.moveaxis(np.pad(blurred, pad, mode="edge"), axis, 0)
        if reach <= FEW:
            window = wide[: values.shape[axis]].copy()
            for k in range(1, width):
                window += wide[k : k + values.shape[axis]]
        else:
            total = np.cumsum(wide, axis=0, dtype=np.float64)
            window = total[width - 1 :]
            window[1:] -= total[:-width].copy()
        blurred = np.moveaxis(window / width, 0, axis).astype(np.float32)
    return blurred


def variance(values: Array, radius: int) -> Array:
    """Of an (H, W) array, in the windows of box_blur."""
    return np.maximum(box_blur(values * values, radius) - box_blur(values, radius) ** 2, 0.0)


def reach_of(shape: tuple[int, ...], share: float) -> int:
    """Radius of a window, at least 1, from its share of a picture's long side."""
    return max(1, round(max(shape) * share))


def faint(square: Array, tolerance: float | Array) -> Array:
    """Share of a difference to take away, min(1, (tolerance / d)²): faint goes, clear stays.

    The positive-part estimator of James & Stein (1961). A steeper share would leave hard-edged
    islands of what is half faint.

    square     (H, W) d², the mean square of the difference around each pixel
    tolerance  d up to which all of it goes, one for all or (H, W)
    """
    limit = np.asarray(np.square(tolerance), np.float32)
    return limit / np.maximum(np.maximum(square, limit), TINY)


def fading(tolerance: float, noise_fraction: float | Array, full_until: float) -> float | Array:
    """A tolerance that is whole up to a noise fraction of the start, and falls to 0 at pure noise.

    noise_fraction  of the start, one for all or (H, W)
    """
    return tolerance * np.minimum(1.0, (1.0 - noise_fraction) / (1.0 - full_until))
