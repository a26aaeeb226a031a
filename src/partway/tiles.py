"""A large picture as overlapping tiles of a model's own size: cut, blended, streamed row by row.

    ├──── tile ────┤
             ├──── tile ────┤        along one axis; tiles of a picture are the product of two
             ╲╱ smooth window: the weights of all tiles add up to 1 everywhere

What a network answers for tiles is blended on the whole grid, so that whoever asked sees one
picture. Decoding goes through the same tiles band by band and never holds a whole float picture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from partway.denoiser import Array

OVERLAP = 1 / 3  # of a tile's side, about, that it shares with the next at least


@dataclass(frozen=True)
class Axis:
    """Tiles along one axis of `length` positions, all of one side."""

    length: int
    side: int
    starts: tuple[int, ...]

    @cached_property
    def weights(self) -> Array:
        """(n, side) share of each tile at each of its positions; a raised cosine at both ends.

        At a position the shares of all tiles add up to 1. At the picture's own border a tile ends
        without a ramp.
        """
        plain = np.ones((len(self.starts), self.side))
        for number, later in enumerate(self.starts[1:]):
            shared = self.starts[number] + self.side - later
            rise = np.sin(np.pi / 2 * (np.arange(shared) + 0.5) / shared) ** 2
            plain[number, self.side - shared :] *= rise[::-1]
            plain[number + 1, :shared] *= rise
        total = np.zeros(self.length)
        for number, tile in enumerate(plain):
            total[self.span(number)] += tile
        shares = [tile / total[self.span(number)] for number, tile in enumerate(plain)]
        return np.stack(shares).astype(np.float32)

    def span(self, number: int) -> slice:
        """Positions of a tile."""
        return slice(self.starts[number], self.starts[number] + self.side)

    def times(self, factor: int) -> Axis:
        """The same tiles on a grid so many times as fine."""
        return Axis(
            self.length * factor, self.side * factor, tuple(s * factor for s in self.starts)
        )


def axis_of(length: int, side: int) -> Axis:
    """As few tiles as share OVERLAP of their side, spread evenly; one where it fits."""
    side = min(side, length)
    shared = round(side * OVERLAP)
    count = 1 if side == length else -(-(length - shared) // (side - shared))
    starts = np.rint(np.linspace(0, length - side, count)).astype(int)
    return Axis(length, side, tuple(int(start) for start in starts))


class Place(NamedTuple):
    """A tile by its number along both axes."""

    row: int
    column: int


@dataclass(frozen=True)
class Tiling:
    """The tiles of a grid (…, h, w)."""

    rows: Axis
    columns: Axis

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """All tiles, row by row."""
        down, across = range(len(self.rows.starts)), range(len(self.columns.starts))
        return tuple(Place(row, column) for row in down for column in across)

    def cut(self, grid: Array, place: Place) -> Array:
        """A tile of (…, h, w)."""
        return grid[..., self.rows.span(place.row), self.columns.span(place.column)]

    def add(self, grid: Array, place: Place, tile: Array) -> None:
        """Add a tile's share to a grid (…, h, w) that starts at 0."""
        weight = np.outer(self.rows.weights[place.row], self.columns.weights[place.column])
        self.cut(grid, place)[...] += weight * tile

    def times(self, factor: int) -> Tiling:
        """The same tiles on a grid so many times as fine."""
        return Tiling(self.rows.times(factor), self.columns.times(factor))


def tiling_of(height: int, width: int, side: int) -> Tiling:
    """Square tiles on a grid of this size; where it is smaller they end with it."""
    return Tiling(axis_of(height, side), axis_of(width, side))


class Streamed:
    """A picture (C, H, W) that is made tile by tile and read from top to bottom.

    make    (number along the rows, along the columns) → the tile (C, h, w)
    Only the rows of tiles that a band crosses are held; a band may start before the one read last
    as long as it starts within a tile that is still held.
    """

    def __init__(self, tiling: Tiling, make: Callable[[Place], Array]) -> None:
        self._tiling = tiling
        self._make = make
        self._held: dict[int, Array] = {}

    def rows(self, top: int, bottom: int) -> Array:
        """Rows top … bottom - 1, (C, bottom - top, W)."""
        axis = self._tiling.rows
        crossed = [
            number
            for number, start in enumerate(axis.starts)
            if start < bottom and start + axis.side > top
        ]
        self._held = {n: strip for n, strip in self._held.items() if n >= crossed[0]}
        band: Array | None = None
        for number in crossed:
            if number not in self._held:
                self._held[number] = self._strip(number)
            strip, start = self._held[number], axis.starts[number]
            first, last = max(top, start), min(bottom, start + axis.side)
            if band is None:
                band = np.zeros((len(strip), bottom - top, strip.shape[2]), np.float32)
            weight = axis.weights[number][first - start : last - start, None]
            band[:, first - top : last - top] += weight * strip[:, first - start : last - start]
        if band is None:
            raise AssertionError("tiles cover every row")
        return band

    def _strip(self, number: int) -> Array:
        """A row of tiles, blended across: (C, h, W)."""
        axis = self._tiling.columns
        strip: Array | None = None
        for column, weight in enumerate(axis.weights):
            tile = self._make(Place(number, column))
            if strip is None:
                strip = np.zeros((*tile.shape[:2], axis.length), np.float32)
            strip[:, :, axis.span(column)] += weight * tile
        if strip is None:
            raise AssertionError("an axis has at least one tile")
        return strip


def bands(height: int, width: int, pixels: int, margin: int) -> Iterator[tuple[range, range]]:
    """Rows of a picture in bands of about so many pixels: the band, and it with its margin."""
    count = max(pixels // width, margin, 1)
    for top in range(0, height, count):
        bottom = min(top + count, height)
        yield range(top, bottom), range(max(top - margin, 0), min(bottom + margin, height))
