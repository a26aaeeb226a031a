"""Sizes: from the source's pixels to the canvas a model works on, and back. Integers only.

Rule: the source is scaled (aspect kept) to the area of the model's native square, times an
optional whole multiple; each side is then padded by reflection up to the next multiple of the
network's stride. The result is cropped and scaled back to exactly the source's size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from partway.errors import InvalidRequest

MAX_ASPECT = 16  # beyond this the short side is stretched to one stride


class Extent(NamedTuple):
    """Width and height in pixels. Arrays are always (…, height, width)."""

    width: int
    height: int

    def __str__(self) -> str:
        """As in "640×480"."""
        return f"{self.width}×{self.height}"


@dataclass(frozen=True, slots=True)
class Canvas:
    """Where an edit takes place.

    source  size of the source and of the result
    fitted  the source scaled to the model's working area
    padded  fitted, padded at the right and bottom to the network's stride
    """

    source: Extent
    fitted: Extent
    padded: Extent


def canvas_for(source: Extent, native: int, stride: int, multiple: int = 1) -> Canvas:
    """The canvas for a source on a model.

    native    side of the square the model was trained on, pixels
    stride    both sides of the canvas are multiples of this
    multiple  1, 2, …: work at this many times the native side
    """
    if min(source) < 1:
        raise InvalidRequest(f"size is {source}, both sides must be at least 1 pixel")
    side = native * multiple
    aspect = min(max(source.width / source.height, 1 / MAX_ASPECT), MAX_ASPECT)
    fitted = Extent(
        max(round(side * math.sqrt(aspect)), 1), max(round(side / math.sqrt(aspect)), 1)
    )
    padded = Extent(*(-(-length // stride) * stride for length in fitted))
    return Canvas(source, fitted, padded)
