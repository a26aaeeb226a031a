"""A source enlarged: what an upscale starts from, and its result at strength 0."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from partway.geometry import Extent
from partway.images.modes import rgb_of, split

if TYPE_CHECKING:
    from partway.images.picture import Picture

# Modes whose values Lanczos can mix as they are; it weighs colours by their alpha.
MIXABLE = {"L", "LA", "RGB", "RGBA", "CMYK", "LAB", "I", "F", "I;16", "I;16L", "I;16B"}
PREMULTIPLIED = {"LA": "La", "RGBA": "RGBa"}
REACH = 4  # source pixels around a window that its values depend on: Lanczos-3, and rounding


@dataclass(frozen=True, eq=False)
class Enlarged:
    """A picture at a larger size, Lanczos-3 on the source's own values (Pillow's `resize`).

    Windows of it are made when they are asked for: the whole is never held. They agree with the
    whole, up to a grey level in few pixels where scales are no simple fraction.
    """

    source: Picture
    extent: Extent

    @property
    def digest(self) -> str:
        """A name of its pixels."""
        return f"{self.source.digest} {self.extent}"

    def image(self) -> Image.Image:
        """The whole, in the source's mode."""
        return self.source.image.resize(self.extent, Image.Resampling.LANCZOS)

    def window(self, rows: range, columns: range) -> Picture:
        """A part of it as a picture."""
        across = _seen(columns, self.source.extent.width, self.extent.width)
        down = _seen(rows, self.source.extent.height, self.extent.height)
        near = self.source.image.crop((across[0], down[0], across[1], down[1]))
        # Axis by axis: between its passes Pillow rounds and clips, and for a window it may take
        # them in the other order than for the whole.
        image = near.convert(PREMULTIPLIED.get(near.mode, near.mode))
        box = (across[2], 0.0, across[3], near.height)
        image = image.resize((len(columns), near.height), Image.Resampling.LANCZOS, box)
        box = (0.0, down[2], len(columns), down[3])
        image = image.resize((len(columns), len(rows)), Image.Resampling.LANCZOS, box)
        image = image.convert(near.mode)
        alpha = None
        if self.source.alpha is not None:
            visible = split(image)[1]
            opaque = Image.new("L", image.size, 255)
            alpha = np.asarray(opaque if visible is None else visible)
        return replace(self.source, image=image, rgb=rgb_of(image), alpha=alpha)


def _seen(window: range, length: int, enlarged: int) -> tuple[int, int, float, float]:
    """Source positions that a window depends on, and its own borders counted from their first."""
    first, last = window.start * length / enlarged, window.stop * length / enlarged
    start, stop = max(math.floor(first) - REACH, 0), min(math.ceil(last) + REACH, length)
    return start, stop, first - start, last - start


def enlarge(picture: Picture, extent: Extent) -> Enlarged:
    """A picture at a larger size.

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
    return Enlarged(replace(picture, image=image), extent)
