"""Opponent colours, and taking over the palette of another picture.

The opponent space is a rotation of sRGB: luma, red against blue, green against magenta. A rotation
leaves white noise white, so a diffusion model may work in it, and lightness and hue can be treated
differently without a conversion on the way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from partway.denoiser import Array

OPPONENT = np.array(
    [[3**-0.5, 3**-0.5, 3**-0.5], [2**-0.5, 0.0, -(2**-0.5)], [6**-0.5, -2 * 6**-0.5, 6**-0.5]],
    dtype=np.float32,
)  # orthonormal; rows: luma, red - blue, magenta - green

LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # Rec. 601, of sRGB as it is coded
# The least deviation of a channel that palettes are compared with: a grey reference has none.
FLOOR = 0.03
# How far matching may stretch contrast and saturation, and squeeze contrast.
MOST, LEAST = 1.8, 0.5


def to_opponent(rgb: Array) -> Array:
    """(3, H, W) in [-1, 1] → (3, H, W), luma first, within ±sqrt(3)."""
    return np.einsum("oc,chw->ohw", OPPONENT, rgb, optimize=True).astype(np.float32)


def to_rgb(opponent: Array) -> Array:
    """The inverse of to_opponent."""
    return np.einsum("oc,ohw->chw", OPPONENT, opponent, optimize=True).astype(np.float32)


def matched(source: Array, reference: Array, share: float | Array) -> Array:
    """`source` with a share, 0 … 1, of the way to the mean and covariance of `reference`.

    source, reference  (C, H, W), one or all of the opponent channels
    share              one for all, or (1, H, W)

    The linear Monge-Kantorovich map (Pitié & Kokaram 2007): of all linear maps between two
    Gaussians the one that moves colours least, so hues keep their order. Its gains are limited:
    what is pale grows no louder than MOST, and shapes stay readable after a reference without
    contrast. Colour may go altogether, as a pencil drawing asks. A share below 1 leaves some of the
    source's own colours.
    """
    if np.max(share) <= 0.0:
        return source
    flat, other = (each.reshape(len(each), -1) for each in (source, reference))
    mean, target = flat.mean(axis=1, keepdims=True), other.mean(axis=1, keepdims=True)
    floor = FLOOR**2 * np.eye(len(flat))
    here, there = (np.atleast_2d(np.cov(each)) + floor for each in (flat, other))
    root = _power(here, 0.5)
    inverse = _power(here, -0.5)
    transport = inverse @ _power(root @ there @ root, 0.5) @ inverse
    values, vectors = np.linalg.eigh(transport)
    transport = (vectors * np.minimum(values, MOST)) @ vectors.T
    contrast = float(transport[0] @ here @ transport[0] / here[0, 0]) ** 0.5
    transport[0] *= max(LEAST / max(contrast, 1e-9), 1.0)
    moved = transport @ (flat - mean) + target
    return (source + share * (moved.reshape(source.shape) - source)).astype(np.float32)


def _power(matrix: Array, exponent: float) -> Array:
    """Power of a symmetric positive matrix."""
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.maximum(values, 1e-9) ** exponent) @ vectors.T


def with_hues(result: Array, source: Array, share: float | Array) -> Array:
    """`result` with a share, 0 … 1, of the source's two colour channels; luma stays the result's.

    Both (3, H, W) opponent; share one for all, or (1, H, W).
    """
    mixed = result.copy()
    mixed[1:] += share * (source[1:] - result[1:])
    return mixed
