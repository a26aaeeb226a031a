"""What the autoencoder and the scaling lost, added back where the picture stayed the same.

A round trip, scaled to the model's canvas, encoded, decoded and scaled back, loses detail. An edit
that changed nothing should give the source back, so

    result += a * (w * (source - round_trip) + v * (round_trip - result))

a   1 - noise_fraction¹² of the start level: 1 at strength 0, above 0.98 up to strength 0.5, 0 at 1
w   exp(-(d / TOLERANCE)⁴), where d is the difference of result and round trip, averaged over a
    window that grows with the picture: near 1 where the edit left things alone, 0 where content
    changed, so that old texture does not come back
v   exp(-(d / grain)⁴): where the edit changed less than can be seen, or than the grain that a model
    leaves of itself (Profile.own_grain), the source itself stands

docs/decisions/0010 has the reasons, docs/results/residual.md the measurements.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from partway.windows import box_blur, reach_of

if TYPE_CHECKING:
    from partway.denoiser import Array

TOLERANCE = 12.0  # grey levels of 255 at which detail comes back by 1/e
UNSEEN = 4.0  # grey levels of 255 at which any model's grain is dropped by 1/e
FALL = 12  # exponent of a: the detail stays whole until little of the source is left
WINDOW = 1 / 64  # of the long side


def radius_of(width: int, height: int) -> int:
    """Reach of the window that agreement is judged in, pixels."""
    return reach_of((width, height), WINDOW)


def restore(
    result: Array,
    round_trip: Array,
    source: Array,
    noise_fraction: float | Array,
    radius: int | None = None,
    grain: float = 0.0,
) -> Array:
    """Add the residual back; all pictures (H, W, 3) float32 in 0 … 255, the same size.

    noise_fraction  of the start, one for all or (H, W, 1)
    radius          of the window, where these are only a part of the picture
    grain           grey levels at which this model's is, where larger than UNSEEN
    """
    amount = 1.0 - noise_fraction**FALL
    if np.max(amount) <= 0.0:
        return result
    red, green, blue = np.moveaxis(np.abs(result - round_trip), -1, 0)
    difference = np.maximum(np.maximum(red, green), blue)
    if radius is None:
        radius = radius_of(*difference.shape)
    fourth = np.square(np.square(box_blur(difference, radius)))[..., None]
    lost = np.exp(-fourth / TOLERANCE**4) * (source - round_trip)
    own = np.exp(-fourth / max(grain, UNSEEN) ** 4) * (round_trip - result)
    return np.clip(result + amount * (lost + own), 0.0, 255.0).astype(np.float32)
