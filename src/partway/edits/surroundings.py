"""Pictures continued: into holes, and beyond their edges. What repainting starts from there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from partway.geometry import Extent

if TYPE_CHECKING:
    from partway.denoiser import Array
    from partway.images import Pixels
    from partway.margins import Margins

KNOWN = 1e-3  # weight from which a pixel of a smaller scale says something
SHARP = 2.0  # pixels beyond an edge up to which it is continued as it is


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
    wide = _doubled(below, known.shape)
    return known[..., None] * values + (1.0 - known[..., None]) * wide


def beyond(rgb: Pixels, margins: Margins) -> Pixels:
    """A picture (H, W, 3) continued on all sides: its edges, ever softer further out.

    Next to an edge its own pixels are repeated, so that there is no step; with the distance they
    are averaged over ever larger parts of it, so that there are no streaks.
    """
    rows, columns = (margins.top, margins.bottom), (margins.left, margins.right)
    repeated = np.pad(rgb, (rows, columns, (0, 0)), mode="edge")
    size = Extent(rgb.shape[1], rgb.shape[0])
    octaves = np.log2(np.maximum(distance_beyond(size, margins) / SHARP, 1.0))
    return np.rint(_softened(repeated.astype(np.float32), octaves)).astype(np.uint8)


def distance_beyond(source: Extent, margins: Margins) -> Array:
    """(H, W) pixels from the nearest one of the source, 0 in it."""
    whole = margins.around(source)
    left, top, right, bottom = margins.box(source)
    x, y = np.arange(whole.width, dtype=np.float32), np.arange(whole.height, dtype=np.float32)
    across = np.maximum(np.maximum(left - x, x - (right - 1)), 0.0)
    down = np.maximum(np.maximum(top - y, y - (bottom - 1)), 0.0)
    return np.hypot(across[None, :], down[:, None])


def _softened(values: Array, octaves: Array) -> Array:
    """(H, W, 3), each pixel a mean over about 2^octaves pixels around it."""
    if octaves.max() <= 0.0 or min(octaves.shape) == 1:
        return values
    below = _softened(_halved(values), _halved(octaves[..., None])[..., 0] - 1.0)
    share = np.clip(octaves, 0.0, 1.0)[..., None]
    return (1.0 - share) * values + share * _doubled(below, octaves.shape)


def _doubled(values: Array, shape: tuple[int, ...]) -> Array:
    """(h, w, 3) at twice the size, smoothly, cut to (H, W, 3): the other way round of `_halved`."""
    planes = [Image.fromarray(np.ascontiguousarray(values[..., c])) for c in range(3)]
    size = (2 * values.shape[1], 2 * values.shape[0])
    wide = [np.asarray(plane.resize(size, Image.Resampling.BILINEAR)) for plane in planes]
    return np.stack(wide, axis=-1)[: shape[0], : shape[1]]


def _halved(values: Array) -> Array:
    """Means of 2 × 2 pixels; an odd last row or column is repeated."""
    more = [(0, length % 2) for length in values.shape[:2]]
    even = np.pad(values, (*more, (0, 0)), mode="edge")
    return (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) / 4.0
