"""How far an outpainted picture reaches beyond its source: pixels, percent or an aspect ratio."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

from partway.errors import InvalidRequest
from partway.geometry import MAX_ASPECT, Extent

_LENGTH = re.compile(r"(\d+(?:\.\d+)?)\s*(px|%)?")
_RATIO = re.compile(r"(\d+(?:\.\d+)?)\s*[:/x×]\s*(\d+(?:\.\d+)?)")


class Margins(NamedTuple):
    """Pixels added on each side of a source; none negative, not all 0."""

    left: int = 0
    top: int = 0
    right: int = 0
    bottom: int = 0

    def around(self, source: Extent) -> Extent:
        """Size of the whole: the source and its margins."""
        return Extent(self.left + source.width + self.right, self.top + source.height + self.bottom)

    def box(self, source: Extent) -> tuple[int, int, int, int]:
        """Left, top, right, bottom of the source inside the whole, as Pillow crops."""
        return (self.left, self.top, self.left + source.width, self.top + source.height)


def check_margins(margins: Margins, source: Extent, max_side: int, max_pixels: int) -> Margins:
    """The margins; InvalidRequest where they add nothing, cut, or make too large a picture."""
    for name, length in zip(Margins._fields, margins, strict=True):
        if length < 0:
            raise InvalidRequest(f"{name} is {length} pixels, allowed are 0 and more: try {name} 0")
    if not any(margins):
        raise InvalidRequest(
            "no side is extended by at least 1 pixel, so there is nothing to paint: "
            "try --right 25% or --to 16:9"
        )
    whole = margins.around(source)
    if max(whole) > max_side or whole.width * whole.height > max_pixels:
        raise InvalidRequest(
            f"the extended picture would be {whole}, allowed are {max_side} pixels a side and "
            f"{max_pixels / 1e6:.0f} megapixels: extend it by less, or scale the source down"
        )
    return margins


def margin(name: str, value: str, length: int) -> int:
    """Pixels of one margin.

    value   "64", "64px" or "25%"
    length  of the source along that side, pixels: what a percentage is of
    """
    found = _LENGTH.fullmatch(value.strip())
    if found is None:
        raise InvalidRequest(
            f"{name} is {value!r}, want pixels or a share of the source: 64 or 25%"
        )
    number, unit = float(found[1]), found[2]
    if unit == "%":
        return round(length * number / 100.0)
    if not number.is_integer():
        raise InvalidRequest(f"{name} is {value!r}, want whole pixels: try {round(number)}")
    return int(number)


def margins_to(ratio: str, source: Extent) -> Margins:
    """Margins that bring a source to an aspect ratio, "16:9", by growing one side only.

    The source is centred; of an odd number of pixels the right or bottom takes the larger half.
    """
    found = _RATIO.fullmatch(ratio.strip())
    width, height = (float(found[1]), float(found[2])) if found else (0.0, 0.0)
    if not (width > 0.0 and height > 0.0):
        raise InvalidRequest(f"the aspect ratio is {ratio!r}, want width:height: try 16:9")
    aspect = width / height
    if not 1 / MAX_ASPECT <= aspect <= MAX_ASPECT:
        raise InvalidRequest(
            f"the aspect ratio is {ratio}, allowed is 1:{MAX_ASPECT} … {MAX_ASPECT}:1"
        )
    across = max(_nearest(source.height * aspect) - source.width, 0)
    down = 0 if across else max(_nearest(source.width / aspect) - source.height, 0)
    return Margins(across // 2, down // 2, across - across // 2, down - down // 2)


def _nearest(length: float) -> int:
    """Rounded, half up."""
    return math.floor(length + 0.5)
