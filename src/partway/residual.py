"""What the autoencoder and the scaling lost, added back where the picture stayed the same.

A round trip, scaled to the model's canvas, encoded, decoded and scaled back, loses detail:
residual = source - round_trip. An edit that changed nothing should give the source back, so

    result += a * w * residual

a   1 - noise_fraction of the start level: 1 at strength 0, 0 at strength 1
w   local agreement of result and round trip, exp(-(d / tolerance)²) where d is their difference,
    smoothed over a window that grows with the picture: near 1 where the edit left things alone,
    0 where content changed, so that old texture does not come back
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from partway.denoiser import Array

TOLERANCE = 24.0  # grey levels of 255 at which agreement has fallen to 1/e
WINDOW = 1 / 64  # of the long side


def box_blur(values: Array, radius: int) -> Array:
    """Mean over (2 * radius + 1)² neighbours of an (H, W) array, edges replicated.

    The radius ends at the array's own sides.
    """
    blurred = values
    for axis in (0, 1):
        reach = min(radius, values.shape[axis] - 1)
        if reach < 1:
            continue
        pad = [(0, 0), (0, 0)]
        pad[axis] = (reach + 1, reach)
        total = np.cumsum(np.pad(blurred, pad, mode="edge"), axis=axis, dtype=np.float64)
        upper = np.take(total, range(2 * reach + 1, total.shape[axis]), axis=axis)
        lower = np.take(total, range(total.shape[axis] - 2 * reach - 1), axis=axis)
        blurred = ((upper - lower) / (2 * reach + 1)).astype(np.float32)
    return blurred


def restore(result: Array, round_trip: Array, source: Array, noise_fraction: float) -> Array:
    """Add the residual back; all pictures (H, W, 3) float32 in 0 … 255, the same size."""
    weight = 1.0 - noise_fraction
    if weight <= 0.0:
        return result
    difference = np.abs(result - round_trip).max(axis=-1)
    radius = round(max(difference.shape) * WINDOW)
    agreement = np.exp(-np.square(box_blur(difference, radius) / TOLERANCE))[..., None]
    restored = result + weight * agreement * (source - round_trip)
    return np.clip(restored, 0.0, 255.0).astype(np.float32)
