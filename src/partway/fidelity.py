"""How much of a source picture an edit kept, measured without any network.

    kept = 1 - loss / (mean loss of unrelated pictures)

1 means identical, 0 means as different as two unrelated pictures are on average; a pair more
different than that scores slightly below 0.  Structure looks at luma only: correlation per octave
and agreement of gradients.  Colour looks at a coarse grid of CIE Lab.  Formulas, the measured
anchors and what the score cannot see: docs/fidelity.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels: TypeAlias = NDArray[np.uint8]
Plane: TypeAlias = NDArray[np.floating[Any]]  # float32 throughout
Lab: TypeAlias = NDArray[np.float64]

# Mean losses of unrelated pairs, measured by benchmarks/fidelity_anchor.py.
UNRELATED_OCTAVES = 0.9151
UNRELATED_GRADIENTS = 0.6960
UNRELATED_COLOR = 0.7053

# Everything is judged at one scale, so that a score means the same at any size.
LONG_SIDE = 128
# Octaves of 32-64, 16-32, 8-16, 4-8 and 2-4 cycles per long side.  The finest counts little
# (grain, compression); below 2 cycles a picture only says "something in the middle".
OCTAVE_WEIGHTS = (0.1, 0.2, 0.3, 0.3, 0.1)
# A band whose variance lies well below this (rms 2.5 / 255) is flat: flat against flat is kept.
FLAT_VARIANCE = 1e-4
# Gradients at 64 and 32 px; the constant of Xue et al. 2014 (170 on a scale of 255, squared).
GRADIENT_LEVELS = 2
GRADIENT_FLOOR = 170 / 255**2
# Side of a colour cell in canonical pixels, and the CIE76 distance at which half of it is lost.
COLOR_CELL = 8
HALF_LOST = 20.0
# What a cell of common background still counts, in CIE76 units.
BACKGROUND_WEIGHT = 2.0

BANDS = (
    (90, "almost the same picture"),
    (70, "same composition"),
    (45, "composition loosened"),
    (20, "loose echo"),
    (0, "a new picture"),
)


@dataclass(frozen=True)
class Kept:
    """Signed shares of a source that a result kept: 1 identical, 0 like an unrelated picture."""

    structure: float
    color: float


def kept(source: Pixels, result: Pixels) -> Kept:
    """Score how much of `source` is still there in `result`.

    source, result  (H, W, 3)  sRGB, same size, H and W >= 1

    Symmetric in its arguments; identical pictures give exactly 1.0 for both numbers.
    Raises ValueError for another shape or dtype, or when the sizes differ.
    """
    for name, pixels in (("source", source), ("result", result)):
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
            raise ValueError(
                f"{name} must be (H, W, 3) uint8 with H, W >= 1, got {pixels.shape} {pixels.dtype}"
            )
    if source.shape != result.shape:
        raise ValueError(
            f"source and result must have one size, got {source.shape} and {result.shape}"
        )
    here, there = canonical(source), canonical(result)
    octaves, gradients = structure_losses(luma(here), luma(there))
    color = color_loss(cells(here), cells(there))
    return Kept(
        structure=1 - (octaves / UNRELATED_OCTAVES + gradients / UNRELATED_GRADIENTS) / 2,
        color=1 - color / UNRELATED_COLOR,
    )


def percent(share: float) -> int:
    """Round a signed share for print: 0 to 100, and 100 only when nothing at all was lost."""
    return 100 if share >= 1 else min(99, max(0, round(100 * share)))


def describe(kept: Kept) -> str:
    """Say in words what was kept: "kept 71 % of the structure: same composition"."""
    share = percent(kept.structure)
    words = next(words for least, words in BANDS if share >= least)
    return f"kept {share} % of the structure: {words}"


def canonical(pixels: Pixels) -> Image.Image:
    """Bring a picture to the canonical scale: long side 128, area-averaged (enlarged: bilinear)."""
    height, width = pixels.shape[:2]
    scale = LONG_SIDE / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    method = Image.Resampling.BOX if scale < 1 else Image.Resampling.BILINEAR
    return Image.fromarray(pixels).resize(size, method)


def luma(picture: Image.Image) -> Plane:
    """Rec. 601 luma of gamma-coded sRGB, (h, w) in [0, 1]."""
    weights = np.array([0.299, 0.587, 0.114]) / 255
    return (np.asarray(picture, np.float32) @ weights).astype(np.float32)


def structure_losses(a: Plane, b: Plane) -> tuple[float, float]:
    """Raw losses in [0, 1] of octave correlation and of gradient agreement, not yet anchored.

    Both are blind to the sign of contrast: a picture that only changed colours, even to its
    negative, keeps its structure.
    """
    octaves = 0.0
    gradients = 0.0
    for level, weight in enumerate(OCTAVE_WEIGHTS):
        coarse_a, coarse_b = halve(a), halve(b)
        octaves += weight * octave_loss(a - enlarge(coarse_a, a), b - enlarge(coarse_b, b))
        a, b = coarse_a, coarse_b
        if level < GRADIENT_LEVELS:
            gradients += gradient_loss(a, b) / GRADIENT_LEVELS
    return octaves, gradients


def octave_loss(a: Plane, b: Plane) -> float:
    """1 - |2 <ab> + c| / (<aa> + <bb> + c): correlation times agreement of contrast.

    The constant makes flat against flat 0 and flat against textured 1 (Wang et al. 2004, eq. 13).
    """
    power = float(np.mean(a * a)) + float(np.mean(b * b)) + FLAT_VARIANCE
    return 1 - abs(2 * float(np.mean(a * b)) + FLAT_VARIANCE) / power


def gradient_loss(a: Plane, b: Plane) -> float:
    """1 - weighted mean of (2 |g·h| + c) / (|g|² + |h|² + c) over pixels, g and h gradients.

    The similarity of Xue et al. 2014 (GMSD, eq. 4) with the dot product instead of the product of
    magnitudes, so that direction counts; weighted by the larger gradient, so that a shared plain
    background counts as little as it shows.
    """
    ay, ax = gradient(a)
    by, bx = gradient(b)
    power_a, power_b = ax * ax + ay * ay, bx * bx + by * by
    loss = 1 - (2 * np.abs(ax * bx + ay * by) + GRADIENT_FLOOR) / (
        power_a + power_b + GRADIENT_FLOOR
    )
    weight = np.sqrt(np.maximum(power_a, power_b)) + np.float32(1e-3)
    return float(np.sum(weight * loss)) / float(np.sum(weight))


def gradient(plane: Plane) -> tuple[Plane, Plane]:
    """Prewitt gradient (down, right), edges replicated; a step of height 1 gives 1."""
    p = np.pad(plane, 1, mode="edge")
    down = p[2:] - p[:-2]
    right = p[:, 2:] - p[:, :-2]
    vertical: Plane = (down[:, :-2] + down[:, 1:-1] + down[:, 2:]) / 3
    horizontal: Plane = (right[:-2] + right[1:-1] + right[2:]) / 3
    return vertical, horizontal


def halve(plane: Plane) -> Plane:
    """Half size by a triangle filter; a side of 1 stays 1."""
    height, width = plane.shape
    size = ((width + 1) // 2, (height + 1) // 2)
    return np.asarray(Image.fromarray(plane).resize(size, Image.Resampling.BILINEAR), np.float32)


def enlarge(plane: Plane, like: Plane) -> Plane:
    """Bilinear enlargement to the size of `like`."""
    height, width = like.shape
    picture = Image.fromarray(plane).resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(picture, np.float32)


def cells(picture: Image.Image) -> Lab:
    """CIE Lab (D65) of the coarse colour grid, (n, 3)."""
    size = (max(1, round(picture.width / COLOR_CELL)), max(1, round(picture.height / COLOR_CELL)))
    coarse = np.asarray(picture.resize(size, Image.Resampling.BOX), np.float64) / 255
    linear = np.where(coarse <= 0.04045, coarse / 12.92, ((coarse + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array(  # IEC 61966-2-1; rows divided by the D65 white, so white is (1, 1, 1)
        [
            [0.4124564, 0.3575761, 0.1804375],
            [0.2126729, 0.7151522, 0.0721750],
            [0.0193339, 0.1191920, 0.9503041],
        ]
    )
    xyz = linear.reshape(-1, 3) @ (to_xyz / to_xyz.sum(axis=1, keepdims=True)).T
    root: Lab = np.cbrt(xyz)
    f: Lab = np.where(xyz > 216 / 24389, root, (24389 / 27 * xyz + 16) / 116)
    x, y, z = f[:, 0], f[:, 1], f[:, 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)


def color_loss(a: Lab, b: Lab) -> float:
    """Weighted mean over cells of d² / (d² + 20²), d the CIE76 distance: raw loss in [0, 1].

    A cell weighs by how far either picture there lies from either picture's median colour: a
    background that both share counts next to nothing, one that changed counts fully.
    """
    squared = np.sum((a - b) ** 2, axis=1)
    medians = (np.median(a, axis=0), np.median(b, axis=0))
    away = [np.sqrt(np.sum((lab - median) ** 2, axis=1)) for lab in (a, b) for median in medians]
    weight = np.max(away, axis=0) + BACKGROUND_WEIGHT
    return float(np.sum(weight * squared / (squared + HALF_LOST**2)) / np.sum(weight))
