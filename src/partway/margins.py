"""How far an outpainted picture reaches beyond its source: pixels, percent, a ratio or a size."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from partway.errors import InvalidRequest
from partway.fields import whole
from partway.geometry import MAX_ASPECT, Extent

_NUMBER = r"(\d{1,9}(?:\.\d{1,9})?)"
_LENGTH = re.compile(_NUMBER + r"\s*(px|%)?")
_RATIO = re.compile(_NUMBER + r"\s*[:/]\s*" + _NUMBER)
_SIZE = re.compile(r"(\d{1,6})\s*[x×]\s*(\d{1,6})")


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

    def __str__(self) -> str:
        """As in "64 left, 12 bottom"."""
        sides = zip(self._fields, self, strict=True)
        return ", ".join(f"{length} {name}" for name, length in sides if length)


NOTHING = (
    "no side is extended by at least 1 pixel, so there is nothing to paint: "
    "try --right 25% or --to 16:9"
)


def margins_in_pixels(value: Any) -> Margins:
    """Margins from four whole numbers: left, top, right, bottom."""
    try:
        left, top, right, bottom = value
    except (TypeError, ValueError) as error:
        raise InvalidRequest(
            f"extend is {value!r}, want pixels of four sides: (left, top, right, bottom)"
        ) from error
    margins = Margins(
        whole("left", left), whole("top", top), whole("right", right), whole("bottom", bottom)
    )
    for name, length in zip(Margins._fields, margins, strict=True):
        if length < 0:
            raise InvalidRequest(f"{name} is {length} pixels, allowed are 0 and more: try {name} 0")
    if not any(margins):
        raise InvalidRequest(NOTHING)
    return margins


def check_margins(margins: Margins, source: Extent, max_side: int, max_pixels: int) -> Margins:
    """The margins; InvalidRequest where they make too large a picture."""
    whole = margins.around(source)
    if max(whole) > max_side or whole.width * whole.height > max_pixels:
        raise InvalidRequest(
            f"the extended picture would be {whole}, allowed are {max_side} pixels a side and "
            f"{max_pixels / 1e6:.0f} megapixels: extend it by less, or scale the source down"
        )
    return margins


def margins_of(
    source: Extent, sides: Mapping[str, str | int | None], to: str | None = None
) -> Margins:
    """Margins as they are asked for on a source.

    sides  "left", "top", "right", "bottom" → pixels or a share of the source, as of `margin`
    to     an aspect ratio or a size instead, as of `margins_to`
    """
    given = {name: value for name, value in sides.items() if value is not None}
    if to is not None and given:
        raise InvalidRequest(
            f"give --to or sides, not both: --to {to} already says where {next(iter(given))} ends"
        )
    if to is not None:
        return margins_to(to, source)
    along = {"left": source.width, "right": source.width}
    found = {
        name: margin(name, value, along.get(name, source.height)) for name, value in given.items()
    }
    return margins_in_pixels(Margins(**found))


def margin(name: str, value: str | int, length: int) -> int:
    """Pixels of one margin.

    value   64, "64", "64px" or "25%"
    length  of the source along that side, pixels: what a percentage is of
    """
    found = _LENGTH.fullmatch(str(value).strip())
    if found is None:
        raise InvalidRequest(
            f"{name} is {value!r}, want pixels or a share of the source: 64 or 25%"
        )
    number, unit = float(found[1]), found[2]
    if unit == "%":
        number = length * number / 100.0
    elif not number.is_integer():
        raise InvalidRequest(f"{name} is {value!r}, want whole pixels: try {round(number)}")
    return _nearest(number)


def margins_to(target: str, source: Extent) -> Margins:
    """Margins that bring a source to an aspect ratio, "16:9", or to a size, "1024x576".

    To a ratio one side only grows. The source is centred; of an odd number of pixels the right or
    bottom takes the larger half.
    """
    size = _SIZE.fullmatch(target.strip())
    wanted = _of_ratio(target, source) if size is None else Extent(int(size[1]), int(size[2]))
    across, down = wanted.width - source.width, wanted.height - source.height
    if across < 0 or down < 0:
        raise InvalidRequest(
            f"the size is {wanted}, smaller than the source's {source}: nothing is cut; "
            f"for an aspect ratio try --to {wanted.width}:{wanted.height}"
        )
    if not across and not down:
        raise InvalidRequest(f"the source is {source}, which is {target} already: nothing to add")
    return Margins(across // 2, down // 2, across - across // 2, down - down // 2)


def _of_ratio(ratio: str, source: Extent) -> Extent:
    """The smallest size of a ratio that holds the source."""
    found = _RATIO.fullmatch(ratio.strip())
    width, height = (float(found[1]), float(found[2])) if found else (0.0, 0.0)
    if not (width > 0.0 and height > 0.0):
        raise InvalidRequest(
            f"the aspect ratio is {ratio!r}, want width:height or a size: try 16:9 or 1024x576"
        )
    aspect = width / height
    if not 1 / MAX_ASPECT <= aspect <= MAX_ASPECT:
        raise InvalidRequest(
            f"the aspect ratio is {ratio}, allowed is 1:{MAX_ASPECT} … {MAX_ASPECT}:1"
        )
    wide = max(_nearest(source.height * aspect), source.width)
    high = source.height if wide > source.width else _nearest(source.width / aspect)
    return Extent(wide, max(high, source.height))


def _nearest(length: float) -> int:
    """Rounded, half up."""
    return math.floor(length + 0.5)
