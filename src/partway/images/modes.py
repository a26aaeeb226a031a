"""Pixels of every mode as 8-bit colours with transparency apart.

1, L, RGB, CMYK, LAB       as they are (1 as L)
P, PA, YCbCr, HSV          as RGB
LA, RGBA, transparency     split off; premultiplied kinds are divided first
I;16 and its kinds, I      grey, value / 257 rounded; I beyond 16 bits is clipped
F                          grey: 0 … 1 where nothing exceeds 1, else 0 … 255, else 0 … 65535
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from PIL import Image

from partway.images import color_profiles
from partway.images.picture import Pixels

COLORS = {"L", "RGB", "CMYK", "LAB"}


def split(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Colours as L, RGB, CMYK or LAB, and alpha as L where anything is transparent."""
    image = _plain(image)
    if image.mode in {"LA", "RGBA"}:
        alpha = image.getchannel("A")
        colors = image.convert(image.mode[:-1])
        return colors, None if alpha.getextrema()[0] == 255 else alpha
    return image, None


def _plain(image: Image.Image) -> Image.Image:
    """Any image in one of COLORS, LA or RGBA."""
    mode = image.mode
    if mode in {"I", "F"} or mode.startswith("I;16"):
        return eight_bit(image)
    if mode in {"La", "RGBa"}:
        return image.convert(mode.upper())
    if image.has_transparency_data:
        _cut_transparency(image)
        return image.convert("LA" if mode in {"1", "L", "LA"} else "RGBA")
    if mode == "1":
        return image.convert("L")
    return image if mode in COLORS else image.convert("RGB")


def _cut_transparency(image: Image.Image) -> None:
    """A transparent colour of 16 bits as the 8 bits that its pixels were read with."""
    value: Any = image.info.get("transparency")
    if image.mode == "RGB" and isinstance(value, tuple):
        levels = cast("tuple[int, ...]", value)
        if max(levels) > 255:
            image.info["transparency"] = tuple(level >> 8 for level in levels)


def eight_bit(image: Image.Image) -> Image.Image:
    """Greys of more than 8 bits as L, or LA where one value is transparent."""
    values = np.asarray(image)
    if image.mode == "F":
        finite = np.nan_to_num(values, nan=0.0, posinf=65535.0, neginf=0.0)
        top = float(finite.max(initial=0.0))
        scale = 255.0 if top <= 1.0 else 1.0 if top <= 255.0 else 1 / 257
        grey = np.rint(np.clip(finite * scale, 0.0, 255.0)).astype(np.uint8)
    else:
        grey = ((np.clip(values, 0, 65535).astype(np.uint32) + 128) // 257).astype(np.uint8)
    result = Image.fromarray(grey)
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):  # one grey value is the background
        result.putalpha(Image.fromarray(np.where(values == transparent, 0, 255).astype(np.uint8)))
    return result


def on_white(rgb: Image.Image, alpha: Image.Image | None) -> Image.Image:
    """Colours composited on white, so that what a transparent pixel hides is not seen."""
    if alpha is None:
        return rgb
    paper = Image.new(rgb.mode, rgb.size, "white")
    paper.paste(rgb, mask=alpha)
    return paper


def rgb_of(image: Image.Image) -> Pixels:
    """(H, W, 3) uint8 sRGB of an image in its own profile, transparency composited on white."""
    colors, alpha = split(image)
    rgb = color_profiles.to_srgb(colors, image.info.get("icc_profile"))
    return np.asarray(on_white(rgb, alpha))
