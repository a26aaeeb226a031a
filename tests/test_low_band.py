"""The low band: what a smaller picture holds, in bands as in the whole."""

from __future__ import annotations

import numpy as np
import pytest

from partway.low_band import low_band, reach_of
from partway.noise import Noise


def wave(period: float) -> np.ndarray:
    return np.cos(2 * np.pi * np.arange(240) / period)[None].repeat(16, 0).astype(np.float32)


@pytest.mark.parametrize("scale", [1.5, 2.0, 4.0])
def test_what_the_smaller_picture_can_hold_stays_and_the_rest_goes(scale: float) -> None:
    inner = (slice(None), slice(60, -60))
    slow, fast = wave(8.0 * scale), wave(1.25 * scale) if scale > 1.6 else wave(2.0)
    assert np.abs(low_band(slow, scale) - slow)[inner].max() < 0.03
    assert np.abs(low_band(fast, scale))[inner].max() < 0.08


def test_flat_stays_flat_to_the_border() -> None:
    assert np.allclose(low_band(np.full((3, 9, 5), 7.0, np.float32), 3.0), 7.0, atol=1e-5)


def test_a_band_with_its_margin_is_the_whole() -> None:
    values, reach = Noise(1, (3, 80, 40))(), reach_of(2.5)
    whole = low_band(values, 2.5)
    part = low_band(values[:, 30 - reach : 50 + reach], 2.5)[:, reach:-reach]
    assert np.array_equal(part, whole[:, 30:50])
    assert not np.allclose(low_band(values[:, 31 - reach : 50], 2.5)[:, 1:9], whole[:, 32:40])
