"""Patches: taking apart and putting together lose nothing; the nearest key is the nearest."""

from __future__ import annotations

import numpy as np
import pytest

from partway.noise import Noise
from partway.patches import cosines, fold, keys_of, lattice, unfold


@pytest.mark.parametrize("offset", [0, 1, 5])
def test_unfold_then_fold_is_the_identity(offset: int) -> None:
    x = Noise(1, (3, 31, 44))()
    ys, xs = lattice(31, 9, 3, offset), lattice(44, 9, 3, offset)
    assert np.abs(fold(unfold(x, ys, xs, 9), ys, xs, 9, x.shape) - x).max() < 1e-5


def test_a_lattice_reaches_both_ends_and_leaves_no_gap() -> None:
    for length in (9, 10, 31, 64):
        at = lattice(length, 9, 4, 2)
        assert at[0] == 0
        assert at[-1] == length - 9
        assert len(at) == 1 or np.diff(at).max() <= 9


def test_cosines_are_orthonormal_and_start_with_the_mean() -> None:
    basis = cosines(13, 3)
    assert basis.shape == (6, 169)
    assert np.abs(basis @ basis.T - np.eye(6)).max() < 1e-5
    assert np.ptp(basis[0]) == 0


def test_split_and_join() -> None:
    picture = Noise(2, (3, 40, 40))()
    keys = keys_of([picture], 9, 100, 2)
    patches = unfold(picture, lattice(40, 9, 5, 0), lattice(40, 9, 5, 0), 9)
    texture, plain = keys.split(patches)
    assert np.abs(keys.join(texture, plain) - patches).max() < 1e-5
    assert np.abs(texture.reshape(len(texture), 3, -1).mean(axis=2)).max() < 1e-5


def test_each_key_is_its_own_nearest_and_keys_are_always_the_same() -> None:
    picture = Noise(3, (3, 50, 50))()
    keys = keys_of([picture], 7, 300, 1)
    found = keys.nearest(keys.texture, keys.plain, np.ones(3, np.float32), 1.0)
    assert (found == np.arange(len(keys.texture))).all()
    assert np.array_equal(keys.texture, keys_of([picture], 7, 300, 1).texture)


def test_every_picture_gives_its_share_of_keys_even_a_small_or_flat_one() -> None:
    flat, small = np.full((3, 30, 30), 0.5, np.float32), Noise(4, (3, 4, 20))()
    keys = keys_of([flat, small], 7, 40, 1)
    assert len(keys.texture) <= 40
    assert np.isfinite(keys.features).all()
    assert np.abs(keys.texture).max() > 0.1
