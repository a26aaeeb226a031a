"""Tiles cover a grid, their shares add up to 1, and a picture of them streams as it is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partway.noise import Noise
from partway.tiles import Place, Streamed, Tiling, axis_of, bands, tiling_of


@given(st.integers(1, 300), st.integers(1, 64))
def test_tiles_cover_an_axis_and_shares_add_up_to_one(length: int, side: int) -> None:
    axis = axis_of(length, side)
    total = np.zeros(length)
    for number, share in enumerate(axis.weights):
        assert (share >= 0.0).all()
        total[axis.span(number)] += share
    assert np.allclose(total, 1.0, atol=1e-6)
    assert axis.starts[0] == 0
    assert axis.starts[-1] + axis.side == length


@given(st.integers(40, 400))
def test_neighbours_share_a_third_and_a_tile_fades_in(length: int) -> None:
    axis = axis_of(length, 24)
    for number, (here, there) in enumerate(zip(axis.starts, axis.starts[1:], strict=False)):
        assert here + axis.side - there >= 8
        assert axis.weights[number + 1][0] < 0.05
        assert axis.weights[number][-1] < 0.05
    steps = np.abs(np.diff(axis.weights, axis=1))
    assert steps.max() < 0.25  # smooth: a tile's own tone comes in over many positions


@pytest.mark.parametrize("factor", [1, 3])
def test_what_is_cut_and_added_is_the_grid_again(factor: int) -> None:
    tiling = tiling_of(37, 81, 16).times(factor)
    grid = Noise(3, (2, 37 * factor, 81 * factor))()
    again = np.zeros_like(grid)
    for place in tiling.places:
        tiling.add(again, place, tiling.cut(grid, place))
    assert np.abs(again - grid).max() < 1e-5


def tiles_of(
    tiling: Tiling, made: list[Place]
) -> tuple[dict[Place, np.ndarray], Callable[[Place], np.ndarray]]:
    """Random tiles, and what hands them out and notes it in `made`."""
    tiles = {place: Noise(i, (3, 16, 16))() for i, place in enumerate(tiling.places)}

    def make(place: Place) -> np.ndarray:
        made.append(place)
        return tiles[place]

    return tiles, make


@pytest.mark.parametrize("most", [3, 7, 40, 90])
def test_a_stream_is_the_blend_of_its_tiles_and_makes_each_once(most: int) -> None:
    tiling = tiling_of(90, 50, 16)
    made: list[Place] = []
    tiles, make = tiles_of(tiling, made)
    whole = np.zeros((3, 90, 50), np.float32)
    for place in tiling.places:
        tiling.add(whole, place, tiles[place])
    stream = Streamed(tiling, make, range(50))
    for band, seen in bands(90, most, margin=2):
        rows = stream.rows(seen)
        assert np.allclose(rows, whole[:, seen.start : seen.stop], atol=1e-6)
        assert band.start >= seen.start
    assert made == list(tiling.places)


def test_a_stream_of_some_columns_is_cut_from_the_whole() -> None:
    tiling = tiling_of(40, 90, 16)
    made: list[Place] = []
    _, make = tiles_of(tiling, made)
    whole = Streamed(tiling, make, range(90)).rows(range(40)).copy()
    made.clear()
    rows = Streamed(tiling, make, range(33, 57)).rows(range(40))
    assert np.array_equal(rows, whole[:, :, 33:57])
    seen = {place.column for place in made}
    assert len(made) == len(seen) * len(tiling.rows.starts)
    assert all(tiling.columns.starts[each] < 57 for each in seen)
    assert all(tiling.columns.starts[each] + 16 > 33 for each in seen)


def test_a_stream_read_far_below_its_beginning() -> None:
    tiling = tiling_of(90, 20, 16)
    stream = Streamed(tiling, lambda place: np.full((1, 16, 16), place.row, np.float32), range(20))
    rows = stream.rows(range(70, 90))
    last = len(tiling.rows.starts) - 1
    assert np.allclose(rows[0, -1], last)
    assert (rows[0, 0] < last).all()


@given(st.integers(1, 200), st.integers(1, 50), st.integers(0, 30), st.integers(1, 9))
def test_bands_cover_an_axis_once(length: int, most: int, margin: int, multiple: int) -> None:
    found = list(bands(length, most, margin, multiple))
    assert [place for band, _ in found for place in band] == list(range(length))
    for band, seen in found:
        assert seen.start == max(band.start - margin, 0)
        assert seen.stop == min(band.stop + margin, length)
        assert band.start % multiple == 0
        assert len(band) < max(most, margin) + multiple
