"""Even surfaces stay even: faint mottling that an edit left on them is smoothed away.

A small model is as unsure of each patch of a flat or softly shaded surface as of the next, and the
patches come out a little different. What an edit means to do to such a surface, another colour or
another shading, is smooth there; what it draws anew is clear. So with the change D = result -
source, split by a guided filter whose guide is the source's luma (He, Sun & Tang 2010),

    D = smooth + rest,    result -= e * w * rest,    w = min(1, (tolerance / d)²)

smooth  follows the source's edges: at each of them the change may jump
d       root mean square of the rest over the channels and a small window
e       near 1 where the source is even in that window, 0 where it has detail of its own

A faint rest goes, a clear one stays (partway.windows). The tolerance is
the model's own (Profile.even_surfaces) and shrinks to 0 as the start level nears pure noise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from partway.color import LUMA
from partway.windows import box_blur, fading, faint, reach_of, variance

if TYPE_CHECKING:
    from partway.denoiser import Array

FULL_UNTIL = 0.5  # noise fraction of the start above which the tolerance shrinks
WIDE, SMALL = 1 / 32, 1 / 128  # reach of the guided filter and of d, of the long side
EDGE = 0.01  # variance of luma, in [-1, 1], above which the guide has an edge
DETAIL = 0.002  # the same in the small window, where e is 1/2


def smooth(result: Array, source: Array, tolerance: float, noise_fraction: float | Array) -> Array:
    """Take faint mottling off; pictures (3, H, W) in about [-1, 1].

    tolerance       root mean square up to which the rest goes wholly
    noise_fraction  of the start, one for all or (H, W)
    """
    near = fading(tolerance, noise_fraction, FULL_UNTIL)
    if np.max(near) <= 0.0:
        return result
    wide, small = (reach_of(source.shape, share) for share in (WIDE, SMALL))
    luma = np.tensordot(LUMA, source, axes=1)
    change = result - source
    rest = change - _guided(change, luma, wide)
    even = DETAIL / (DETAIL + variance(luma, small))
    square = box_blur(np.einsum("chw,chw->hw", rest, rest) / 3, small)
    return (result - even * faint(square, near) * rest).astype(np.float32)


def _guided(values: Array, guide: Array, radius: int) -> Array:
    """The guided filter of (3, H, W): a line of the guide in each window, lines averaged.

    The lines are found on means of 2 × 2, since they vary slowly (He & Sun 2015).
    """
    small, reach = _halved(guide), max(radius // 2, 1)
    mean, spread = box_blur(small, reach), variance(small, reach) + EDGE
    filtered = np.empty_like(values)
    for channel, plane in enumerate(_halved(values)):
        level = box_blur(plane, reach)
        slope = (box_blur(small * plane, reach) - mean * level) / spread
        offset = level - slope * mean
        steep, high = (_doubled(box_blur(each, reach), guide.shape) for each in (slope, offset))
        filtered[channel] = steep * guide + high
    return filtered


def _halved(values: Array) -> Array:
    """Means of 2 × 2 of (…, H, W); an odd last row or column counts twice."""
    *rest, height, width = values.shape
    if height % 2 or width % 2:
        more = [(0, 0)] * len(rest) + [(0, height % 2), (0, width % 2)]
        values = np.pad(values, more, mode="edge")
    rows = values[..., ::2, :] + values[..., 1::2, :]
    return (rows[..., ::2] + rows[..., 1::2]) / 4


def _doubled(values: Array, shape: tuple[int, ...]) -> Array:
    """An (h, w) array enlarged by 2 and cut to (H, W), the sides that `_halved` had."""
    return values.repeat(2, 0).repeat(2, 1)[: shape[0], : shape[1]]
