"""Windows: means as counted by hand, what is faint, and a tolerance that ends at pure noise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partway.windows import FEW, box_blur, fading, faint, reach_of, variance


def means(values: np.ndarray, radius: int) -> np.ndarray:
    """Of every window, one after the other."""
    height, width = values.shape
    down, across = min(radius, height - 1), min(radius, width - 1)
    padded = np.pad(values.astype(float), [(down, down), (across, across)], mode="edge")
    rows = [
        [padded[y : y + 2 * down + 1, x : x + 2 * across + 1].mean() for x in range(width)]
        for y in range(height)
    ]
    return np.array(rows)


@given(st.integers(1, 24), st.integers(1, 24), st.integers(0, 2 * FEW), st.integers(0, 9))
def test_every_window_has_its_mean(height: int, width: int, radius: int, seed: int) -> None:
    values = np.random.default_rng(seed).uniform(0, 255, (height, width)).astype(np.float32)
    before = values.copy()
    assert box_blur(values, radius) == pytest.approx(means(values, radius), abs=1e-3)
    assert np.array_equal(values, before)


def test_thin_pictures_cost_no_more_than_their_pixels() -> None:
    thin = np.zeros((1, 60_000), np.float32)
    thin[0, 30_000] = 1.0
    blurred = box_blur(thin, 937)
    assert blurred.shape == thin.shape
    assert blurred.sum() == pytest.approx(1.0, rel=1e-4)


def test_variance_is_that_of_the_window() -> None:
    values = np.random.default_rng(0).normal(0, 1, (40, 40)).astype(np.float32)
    assert variance(values, 3)[20, 20] == pytest.approx(values[17:24, 17:24].var(), abs=1e-5)
    assert (variance(np.full((9, 9), 0.7, np.float32), 2) >= 0.0).all()


def test_a_window_has_its_share_of_the_long_side() -> None:
    assert reach_of((3, 256, 100), 1 / 128) == 2
    assert reach_of((3, 5, 4), 1 / 128) == 1


@given(st.floats(0.0, 3.0), st.floats(0.001, 1.0))
def test_up_to_the_tolerance_all_goes_and_beyond_it_ever_less(d: float, tolerance: float) -> None:
    share = float(faint(np.array([[d * d]], np.float32), tolerance)[0, 0])
    assert share == pytest.approx(1.0 if d <= tolerance else (tolerance / d) ** 2, rel=1e-3)


def test_without_a_tolerance_nothing_is_faint() -> None:
    assert (faint(np.array([[0.0, 0.1]], np.float32), 0.0) == 0.0).all()


def test_a_tolerance_is_whole_and_then_falls_to_nothing() -> None:
    at = [fading(0.2, f, 0.75) for f in (0.0, 0.75, 0.875, 1.0)]
    assert at == pytest.approx([0.2, 0.2, 0.1, 0.0])
    assert fading(0.2, np.array([[0.0, 1.0]]), 0.75) == pytest.approx(np.array([[0.2, 0.0]]))
