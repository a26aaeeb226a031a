"""Does a picture look like icon artwork on a plain background, or like a photograph?

Drawings have areas of exactly one shade, and one plain colour around the object; photographs have
grain and shading nearly everywhere.  So two shares are measured at 128 px: `flat`, neighbourhoods
of 3 x 3 pixels that hold a single luma, and `plain`, pixels of the outer frame near the frame's
median colour.  A picture counts as artwork when (3 flat + plain) / 4 reaches 0.3.

What it gets wrong, and how often: docs/choosing-a-model.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

LONG_SIDE = 128
FRAME = 0.04  # thickness of the frame, share of the long side
NEAR = 16  # per channel, of 255: "the frame's own colour"; wide enough for JPEG ringing
FLAT_COUNTS = 3  # against `plain`; 3.3 fitted by logistic regression, rounded
THRESHOLD = 0.3  # chosen on half of the pictures by benchmarks/domain_errors.py


@dataclass(frozen=True)
class Domain:
    """A verdict on a picture, with its reason in words.

    photograph  whether it looks like a photograph rather than icon artwork
    score       0 ... 1, how flat and plain it is; below `THRESHOLD` it looks like a photograph
    reason      for brackets: "room.jpg looks like a photograph (fine grain everywhere, ...)"
    """

    photograph: bool
    score: float
    reason: str


def domain_of(pixels: NDArray[np.uint8]) -> Domain:
    """Judge a picture by its share of exactly flat areas and the plainness of its frame.

    pixels  (H, W, 3)  sRGB, H and W >= 1; transparent pictures composed on a plain colour before

    Raises ValueError for another shape or dtype.
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise ValueError(
            f"pixels must be (H, W, 3) uint8 with H, W >= 1, got {pixels.shape} {pixels.dtype}"
        )
    picture = at_most(Image.fromarray(pixels), LONG_SIDE)
    flat, plain = flat_share(picture), plain_share(picture)
    score = float((FLAT_COUNTS * flat + plain) / (FLAT_COUNTS + 1))
    photograph = score < THRESHOLD
    reason = describe_photograph(flat, plain) if photograph else describe_artwork(flat, plain)
    return Domain(photograph=photograph, score=score, reason=reason)


def at_most(picture: Image.Image, long_side: int) -> Image.Image:
    """Shrink by area averaging to a long side of at most `long_side`; never enlarge."""
    scale = long_side / max(picture.size)
    if scale >= 1:
        return picture
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.BOX)


def flat_share(picture: Image.Image) -> float:
    """Share of pixels whose 3 x 3 neighbourhood holds one single luma value."""
    gray = picture.convert("L")
    highest = np.asarray(gray.filter(ImageFilter.MaxFilter(3)), np.uint8)
    lowest = np.asarray(gray.filter(ImageFilter.MinFilter(3)), np.uint8)
    return np.count_nonzero(highest == lowest) / highest.size


def plain_share(picture: Image.Image) -> float:
    """Share of the outer frame's pixels within `NEAR` of the frame's median colour."""
    pixels = np.asarray(picture, np.int16)
    height, width = pixels.shape[:2]
    thickness = max(1, round(FRAME * max(height, width)))
    on_frame = np.ones((height, width), np.bool_)
    on_frame[thickness : height - thickness, thickness : width - thickness] = False
    frame = pixels[on_frame]
    away = np.max(np.abs(frame - np.median(frame, axis=0)), axis=1)
    return np.count_nonzero(away <= NEAR) / away.size


def describe_photograph(flat: float, plain: float) -> str:
    """Phrase the reason for "photograph"."""
    grain = "fine grain everywhere" if flat < 0.03 else "few exactly flat areas"
    return f"{grain}, {'an uneven background' if plain > 0.7 else 'no plain background'}"


def describe_artwork(flat: float, plain: float) -> str:
    """Phrase the reason for "artwork"."""
    areas = "flat areas" if flat >= 0.2 else "some flat areas"
    return f"{areas}, {'a plain background' if plain > 0.7 else 'no plain background'}"
