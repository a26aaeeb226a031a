"""Opponent colours and palettes."""

from __future__ import annotations

import numpy as np

from partway.color import matched, to_opponent, to_rgb, with_hues
from partway.noise import Noise


def test_opponent_colours_are_a_rotation_with_luma_first() -> None:
    rgb = Noise(1, (3, 8, 9))()
    there = to_opponent(rgb)
    assert np.abs(to_rgb(there) - rgb).max() < 1e-5
    assert np.allclose(np.square(there).sum(), np.square(rgb).sum(), rtol=1e-5)
    assert np.abs(there[0] - rgb.sum(axis=0) / 3**0.5).max() < 1e-5


def test_matching_takes_over_mean_and_covariance() -> None:
    noise = Noise(2, (3, 60, 60))
    source = 0.3 * noise() + 0.2
    shape = np.array([0.4, 0.25, 0.2], np.float32).reshape(3, 1, 1)
    reference = shape * noise() - 0.1
    result = matched(source, reference, 1.0)
    for c in range(3):
        assert abs(result[c].mean() - reference[c].mean()) < 1e-3
        assert abs(result[c].std() / reference[c].std() - 1) < 0.05
    half = matched(source, reference, 0.5)
    assert np.abs(half - (source + result) / 2).max() < 1e-5
    assert matched(source, reference, 0.0) is source


def test_a_grey_reference_takes_the_colours_and_half_of_the_contrast_at_most() -> None:
    source = 0.3 * Noise(3, (3, 30, 30))()
    source[1] += 0.5 * source[0]
    result = matched(source, np.zeros_like(source), 1.0)
    assert np.isfinite(result).all()
    assert abs(result[0].std() / source[0].std() - 0.5) < 0.01
    assert result[1:].std() < 0.15 * source[1:].std()


def test_a_loud_reference_stretches_within_a_limit() -> None:
    source, reference = 0.05 * Noise(3, (3, 30, 30))(), Noise(4, (3, 30, 30))()
    result = matched(source, reference, 1.0)
    assert result.std(axis=(1, 2)).max() < 1.9 * source.std(axis=(1, 2)).max()


def test_with_hues_keeps_luma() -> None:
    result, source = Noise(4, (3, 5, 5))(), Noise(5, (3, 5, 5))()
    mixed = with_hues(result, source, 1.0)
    assert np.array_equal(mixed[0], result[0])
    assert np.allclose(mixed[1:], source[1:])
