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

    make     (number along the rows, along the columns) → the tile (C, h, w)
    columns  of it that are read: other tiles are not made

    Each tile is made once. Held are the rows from the first one of the band that asked for the
    latest tiles to the end of those: about a tile and a band of them.
    """

    def __init__(self, tiling: Tiling, make: Callable[[Place], Array], columns: range) -> None:
        self._tiling = tiling
        self._make = make
        self._columns = columns
        self._held: Array | None = None
        self._first = 0  # row of the picture that is held first
        self._next = 0  # row of tiles that is made next

    def rows(self, band: range) -> Array:
        """A band (C, its rows, the columns), until the next is asked for; none starts above it."""
        starts = self._tiling.rows.starts
        while self._next < len(starts) and starts[self._next] < band.stop:
            if starts[self._next] + self._tiling.rows.side > band.start:
                self._add(self._next, band.start)
            self._next += 1
        if self._held is None:
            raise AssertionError("tiles cover every row")
        return self._held[:, band.start - self._first : band.stop - self._first]

    def _add(self, number: int, first: int) -> None:
        """Make a row of tiles and blend it in; rows above `first` are needed no more."""
        rows, columns = self._tiling.rows, self._tiling.columns
        start = rows.starts[number]
        above = max(first - start, 0)  # rows of the tiles that are not needed either
        held: Array | None = None
        here = slice(start + above - first, start + rows.side - first)
        for column, weight in enumerate(columns.weights):
            left = columns.starts[column]
            seen = range(
                max(left, self._columns.start), min(left + columns.side, self._columns.stop)
            )
            if not seen:
                continue
            tile = self._make(Place(number, column))
            if held is None:
                held = self._moved(len(tile), first, start + rows.side)
            own = slice(seen.start - left, seen.stop - left)
            across = slice(seen.start - self._columns.start, seen.stop - self._columns.start)
            held[:, here, across] += (
                np.outer(rows.weights[number][above:], weight[own]) * tile[:, above:, own]
            )

    def _moved(self, channels: int, first: int, last: int) -> Array:
        """What is held, now of the rows first … last - 1; new rows are 0."""
        size = (channels, last - first, len(self._columns))
        held, gone = self._held, first - self._first
        if held is None:
            held, gone = np.zeros(size, np.float32), 0
        elif held.shape[1] < size[1]:
            held, old = np.zeros(size, np.float32), held[:, gone:]
            held[:, : old.shape[1]], gone = old, 0
        if gone:
            for plane in held:
                plane[:-gone] = plane[gone:].copy()
                plane[-gone:] = 0.0
        self._held, self._first = held, first
        return held


def bands(length: int, most: int, margin: int, multiple: int = 1) -> Iterator[tuple[range, range]]:
    """An axis in about equal bands: the band, and it with its margin.

    most      positions of a band, about; it is never narrower than its margin
    multiple  all bands start at multiples of this
    """
    count = -(-length // max(most, margin))
    step = -(-length // (count * multiple)) * multiple
    for start in range(0, length, step):
        stop = min(start + step, length)
        yield range(start, stop), range(max(start - margin, 0), min(stop + margin, length))
