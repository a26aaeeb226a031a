"""Patches: taking apart and putting together lose nothing; the nearest key is the nearest."""

from __future__ import annotations

import numpy as np
import pytest

from partway.noise import Noise
from partway.patches import cosines, fold, keys_of, scatter, unfold


@pytest.mark.parametrize("turn", [0, 1, 5])
def test_unfold_then_fold_is_the_identity(turn: int) -> None:
    x = Noise(1, (3, 31, 44))()
    ys, xs = scatter(x.shape, 9, 3, turn)
    assert np.abs(fold(unfold(x, ys, xs, 9), ys, xs, 9, x.shape) - x).max() < 1e-5


@pytest.mark.parametrize(("side", "stride"), [(9, 3), (25, 8), (7, 2), (3, 1), (9, 4)])
def test_patches_cover_every_pixel_inside_the_picture(side: int, stride: int) -> None:
    for shape in ((3, side, side), (3, side + 1, 40), (3, 64, 31)):
        for turn in range(2 * stride):
            ys, xs = scatter(shape, side, stride, turn)
            covered = np.zeros(shape[1:], bool)
            for y, x in zip(ys, xs, strict=True):
                covered[y : y + side, x : x + side] = True
            assert covered.all()
            assert ys.min() >= 0
            assert ys.max() <= shape[1] - side
            assert xs.max() <= shape[2] - side


def test_patches_lie_in_no_lines_and_elsewhere_at_every_turn() -> None:
    ys, xs = scatter((3, 100, 100), 12, 4, 1)
    inner = ys[(xs > 10) & (xs < 80) & (ys > 10) & (ys < 80)]
    assert np.bincount(inner % 4, minlength=4).min() > 0.2 * len(inner)
    assert not np.array_equal(ys, scatter((3, 100, 100), 12, 4, 2)[0])


def test_cosines_are_orthonormal_and_start_with_the_mean() -> None:
    basis = cosines(13, 3)
    assert basis.shape == (6, 169)
    assert np.abs(basis @ basis.T - np.eye(6)).max() < 1e-5
    assert np.ptp(basis[0]) == 0


def test_split_and_join() -> None:
    picture = Noise(2, (3, 40, 40))()
    keys = keys_of([picture], 9, 100, 2)
    patches = unfold(picture, *scatter(picture.shape, 9, 5, 0), 9)
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
