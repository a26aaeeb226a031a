"""What the autoencoder and the scaling lost, added back where the picture stayed the same.

A round trip, scaled to the model's canvas, encoded, decoded and scaled back, loses detail. An edit
that changed nothing should give the source back, so

    result += a * (w * (source - round_trip) + v * (round_trip - result))

a   1 - noise_fraction¹² of the start level: 1 at strength 0, above 0.98 up to strength 0.5, 0 at 1
w   exp(-(d / TOLERANCE)⁴), where d is the difference of result and round trip, averaged over a
    window that grows with the picture: near 1 where the edit left things alone, 0 where content
    changed, so that old texture does not come back
v   exp(-(d / UNSEEN)⁴): where the edit changed less than can be seen, its grain goes too and the
    source itself stands

docs/decisions/0010 has the reasons, docs/results/residual.md the measurements.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from partway.denoiser import Array

TOLERANCE = 12.0  # grey levels of 255 at which detail comes back by 1/e
UNSEEN = 4.0  # grey levels of 255 at which the edit's own grain is dropped by 1/e
FALL = 12  # exponent of a: the detail stays whole until little of the source is left
WINDOW = 1 / 64  # of the long side
FEW = 6  # reach up to which adding neighbours up is faster than running sums


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


def radius_of(width: int, height: int) -> int:
    """Reach of the window that agreement is judged in, pixels."""
    return max(1, round(max(width, height) * WINDOW))


def restore(
    result: Array,
    round_trip: Array,
    source: Array,
    noise_fraction: float | Array,
    radius: int | None = None,
) -> Array:
    """Add the residual back; all pictures (H, W, 3) float32 in 0 … 255, the same size.

    noise_fraction  of the start, one for all or (H, W, 1)
    radius          of the window, where these are only a part of the picture
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
    grain = np.exp(-fourth / UNSEEN**4) * (round_trip - result)
    return np.clip(result + amount * (lost + grain), 0.0, 255.0).astype(np.float32)
