"""A source enlarged: what an upscale starts from, and its result at strength 0."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from partway.images.modes import rgb_of, split

if TYPE_CHECKING:
    from partway.geometry import Extent
    from partway.images.picture import Picture

# Modes whose values Lanczos can mix as they are; it weighs colours by their alpha.
MIXABLE = {"L", "LA", "RGB", "RGBA", "CMYK", "LAB", "I", "F", "I;16", "I;16L", "I;16B"}


def enlarge(picture: Picture, extent: Extent) -> Picture:
    """A picture at a larger size, Lanczos-3 on the source's own values (Pillow's `resize`).

    The mode stays but for palettes, single bits and a single transparent colour: those become
    grey or RGB, with alpha where anything is transparent.
    """
    image = picture.image
    if image.mode not in MIXABLE or "transparency" in image.info:
        colors, alpha = split(image)
        if alpha is not None:
            colors.putalpha(alpha)
        colors.info = {key: value for key, value in image.info.items() if key != "transparency"}
        image = colors
    image = image.resize(extent, Image.Resampling.LANCZOS)
    alpha = split(image)[1] if picture.alpha is not None else None
    return replace(
        picture,
        image=image,
        rgb=rgb_of(image),
        alpha=None if alpha is None else np.asarray(alpha),
        digest=f"{picture.digest} {extent}",
    )
