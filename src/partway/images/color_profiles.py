"""Colour profiles: pixels to sRGB for the model, and a result back into the source's profile.

Conversions are littleCMS's, relative colorimetric with black point compensation. The profile of an
image's pixels is its `info["icc_profile"]`; an image without one is sRGB.
"""

from __future__ import annotations

import io
from functools import lru_cache
from typing import Any, cast

import numpy as np
from PIL import Image, ImageCms

from partway.images.picture import Pixels

INTENT = ImageCms.Intent.RELATIVE_COLORIMETRIC
FLAGS = ImageCms.Flags.BLACKPOINTCOMPENSATION
SPACES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK", "Lab": "LAB"}  # ICC's name → Pillow's mode
MAX_BYTES = 8 * 2**20  # the largest printing profiles have about 3 MiB
SAME = 1  # grey levels of 255 within which a profile is sRGB by another name

BROKEN = (ImageCms.PyCMSError, OSError, ValueError, TypeError, AttributeError)


@lru_cache(1)
def srgb() -> bytes:
    """An sRGB profile, to be written beside pixels that were converted."""
    made: Any = cast("Any", ImageCms).createProfile("sRGB")
    return ImageCms.ImageCmsProfile(made).tobytes()


def suits(icc: bytes, mode: str) -> bool:
    """Whether a profile can be used for pixels of a mode: whole, and of its colour space."""
    if len(icc) > MAX_BYTES:
        return False
    try:
        space = _space(icc)
        if SPACES.get(space) != mode and not (space == "RGB" and mode == "L"):
            return False
        _transform(icc, srgb(), SPACES[space], "RGB")
    except BROKEN:
        return False
    return True


def for_results(icc: bytes) -> bytes:
    """The profile that an RGB result of a source in this profile is written in.

    The source's own where it is RGB and can be converted to; else sRGB.
    """
    try:
        if _space(icc) == "RGB":
            _transform(srgb(), icc, "RGB", "RGB")
            return icc
    except BROKEN:
        pass
    return srgb()


@lru_cache(16)
def is_srgb(icc: bytes) -> bool:
    """Whether an RGB profile means sRGB, within rounding: most photographs carry one that does."""
    steps = np.linspace(0, 255, 9).astype(np.uint8)
    grid = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(27, 27, 3)
    transform = _transform(icc, srgb(), "RGB", "RGB")
    there = np.asarray(ImageCms.applyTransform(Image.fromarray(grid), transform), np.int16)
    return bool(np.abs(there - grid).max() <= SAME)


def to_srgb(image: Image.Image, icc: bytes | None) -> Image.Image:
    """An L, RGB, CMYK or LAB image as sRGB; without a profile by Pillow's plain formulas."""
    if icc is None:
        converted = image if image.mode == "RGB" else image.convert("RGB")
    else:
        if image.mode == "L" and _space(icc) == "RGB":
            image = image.convert("RGB")  # a grey picture that was left its colour profile
        elif image.mode == "RGB" and is_srgb(icc):
            return image
        transform = _transform(icc, srgb(), image.mode, "RGB")
        converted = ImageCms.applyTransform(image, transform)
        if converted is None:
            raise AssertionError("a new image, since it was not to be changed in place")
    return converted


def from_srgb(rgb: Pixels, icc: bytes) -> Pixels:
    """sRGB pixels (H, W, 3) in an RGB profile."""
    transform = _transform(srgb(), icc, "RGB", "RGB")
    image = Image.fromarray(rgb)
    ImageCms.applyTransform(image, transform, inPlace=True)
    return np.asarray(image)


def _open(icc: bytes) -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(io.BytesIO(icc))


def _space(icc: bytes) -> str:
    """ICC's name of a profile's colour space: "RGB", "GRAY", "CMYK", "Lab" …"""
    return cast("Any", _open(icc)).profile.xcolor_space.strip()


def _transform(
    source: bytes, target: bytes, source_mode: str, target_mode: str
) -> ImageCms.ImageCmsTransform:
    """A conversion, made anew each time: littleCMS's own keep a cache and suit one thread."""
    return ImageCms.buildTransform(
        _open(source), _open(target), source_mode, target_mode, INTENT, FLAGS
    )
