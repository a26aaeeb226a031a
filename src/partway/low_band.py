"""What of a picture a smaller one can hold: a low-pass that needs no smaller picture.

A windowed sinc along both axes, the filter G that Lanczos reduces with, and once more of what that
leaves: G (2 - G), so that the finest detail the smaller picture holds comes through too. Every
position depends on its neighbours within `reach_of` alone: a band of rows with that margin gives
the same values as the whole.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from partway.denoiser import Array

LOBES = 3  # of the sinc, to either side
PASSES = 2


def low_band(values: Array, scale: float) -> Array:
    """Of (…, H, W) what a picture smaller by `scale`, above 1, can hold; the same shape."""
    kernel = _kernel(scale)
    once = _both(values, kernel)
    return once + _both(values - once, kernel)


def reach_of(scale: float) -> int:
    """Positions to either side that the low band of one depends on."""
    return PASSES * _half(scale)


def _half(scale: float) -> int:
    """Positions of the kernel to either side of its middle."""
    return math.ceil(LOBES * scale) - 1


def _kernel(scale: float) -> Array:
    """sinc(t) sinc(t / LOBES), t in pixels of the smaller picture; sums up to 1."""
    reach = _half(scale)
    t = np.arange(-reach, reach + 1) / scale
    kernel = np.sinc(t) * np.sinc(t / LOBES)
    return (kernel / kernel.sum()).astype(np.float32)


def _both(values: Array, kernel: Array) -> Array:
    """A kernel along both axes."""
    return _convolved(_convolved(values, kernel, -2), kernel, -1)


def _convolved(values: Array, kernel: Array, axis: int) -> Array:
    """A symmetric kernel along an axis; beyond its ends the array is reflected."""
    reach = len(kernel) // 2
    width = [(0, 0)] * values.ndim
    width[axis] = (reach, reach)
    padded = np.moveaxis(np.pad(values, width, mode="symmetric"), axis, 0)
    length = values.shape[axis]
    total = kernel[reach] * padded[reach : reach + length]
    for k in range(reach):
        last = 2 * reach - k
        total += kernel[k] * (padded[k : k + length] + padded[last : last + length])
    return np.moveaxis(total, 0, axis)
