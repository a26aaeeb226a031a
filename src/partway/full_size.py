"""From the size a picture was worked on at to its own: the change is carried over, detail stays.

    full = enlarged(result) + share * gain * (source - enlarged(reduced source))

The bracket is what the source has beyond the working size. It comes back as strongly as the result
still follows the source there: `gain` is the slope of result over source in a small window, the
linear coefficient of a guided filter (He, Sun & Tang 2010), and `share` falls with strength.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from partway.color import LUMA
from partway.windows import box_blur, variance

if TYPE_CHECKING:
    from partway.denoiser import Array
    from partway.images import Pixels

RADIUS = 3  # of the window, working pixels
GRAIN = 3.0  # grey levels of 255: variations below this count as flat, flat follows flat
MOST = 1.25  # detail is never strengthened by more


def carry(result: Array, reduced: Array, source: Pixels, share: float | Array) -> Array:
    """The result at the source's size, (H, W, 3) float32 in 0 … 255.

    result, reduced  (h, w, 3) 0 … 255: the finished picture and the source at the working size
    source           (H, W, 3)
    share            0 … 1 of the source's fine detail, one for all or (h, w)
    """
    height, width = source.shape[:2]
    if result.shape == source.shape:
        return result
    gain = share * following(result @ LUMA, reduced @ LUMA)
    full = np.empty(source.shape, np.float32)
    wide = None if np.max(share) <= 0.0 else enlarged(gain.astype(np.float32), width, height)
    for c in range(3):
        full[..., c] = enlarged(result[..., c], width, height)
        if wide is not None:
            detail = source[..., c] - enlarged(reduced[..., c], width, height)
            full[..., c] += wide * detail
    return np.clip(full, 0.0, 255.0, out=full)


def following(result: Array, source: Array) -> Array:
    """Slope of result over source in a window around each pixel, 0 … MOST; (h, w) luma planes."""
    mean_r, mean_s = box_blur(result, RADIUS), box_blur(source, RADIUS)
    together = box_blur(result * source, RADIUS) - mean_r * mean_s
    slope = (together + GRAIN**2) / (variance(source, RADIUS) + GRAIN**2)
    return box_blur(np.clip(slope, 0.0, MOST), RADIUS)


def enlarged(plane: Array, width: int, height: int) -> Array:
    """A plane (h, w) at another size, bicubic."""
    image = Image.fromarray(np.ascontiguousarray(plane, np.float32))
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))
