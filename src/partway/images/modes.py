"""Pixels of every mode as 8-bit RGB, with transparency apart."""

from __future__ import annotations

import numpy as np
from PIL import Image

from partway.images.picture import Pixels


def decompose(image: Image.Image) -> tuple[Pixels, Pixels | None]:
    """8-bit RGB on white, and alpha where anything is transparent."""
    if image.mode.startswith("I") or image.mode == "F":
        image = eight_bit(image)
    if not image.has_transparency_data:
        return np.asarray(image.convert("RGB")), None
    rgba = np.asarray(image.convert("RGBA"))
    alpha = rgba[..., 3]
    if alpha.min() == 255:
        return np.ascontiguousarray(rgba[..., :3]), None
    share = alpha[..., None].astype(np.float32) / 255.0
    white = 255.0 - share * (255.0 - rgba[..., :3].astype(np.float32))
    return np.rint(white).astype(np.uint8), np.ascontiguousarray(alpha)


def eight_bit(image: Image.Image) -> Image.Image:
    """16-bit greys scaled to 8 bit; wider types are clipped to 16 bit first."""
    values = np.asarray(image, dtype=np.float64)
    scaled = np.rint(np.clip(np.nan_to_num(values), 0, 65535) / 257.0)
    grey = Image.fromarray(scaled.astype(np.uint8))
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):  # one grey value is the background
        grey.putalpha(Image.fromarray(np.where(values == transparent, 0, 255).astype(np.uint8)))
    return grey


def rgb_of(image: Image.Image) -> Pixels:
    """(H, W, 3) uint8 of a result, transparency composited on white."""
    return decompose(image)[0]
