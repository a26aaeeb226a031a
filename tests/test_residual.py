from __future__ import annotations

import numpy as np
import pytest

from partway.denoiser import Array
from partway.residual import box_blur, restore


def pictures() -> tuple[Array, Array]:
    rng = np.random.RandomState(0)
    source = rng.uniform(0, 255, (48, 64, 3)).astype(np.float32)
    round_trip = np.clip(source + rng.normal(0, 12, source.shape), 0, 255).astype(np.float32)
    return source, round_trip


def test_an_edit_that_changed_nothing_gives_the_source_back_as_strength_falls() -> None:
    source, round_trip = pictures()
    assert restore(round_trip, round_trip, source, 0.0) == pytest.approx(source, abs=1e-3)
    errors = [
        float(np.abs(restore(round_trip, round_trip, source, f) - source).mean())
        for f in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    assert errors == sorted(errors)


def test_nothing_comes_back_at_pure_noise() -> None:
    source, round_trip = pictures()
    result = 255 - source
    assert np.array_equal(restore(result, round_trip, source, 1.0), result)


def test_no_old_texture_where_content_changed() -> None:
    source, round_trip = pictures()
    result = round_trip.copy()
    result[:, 32:] = np.where(round_trip[:, 32:] > 127, 0, 255)  # content replaced on the right
    restored = restore(result, round_trip, source, 0.3)
    assert np.abs(restored[:, 34:] - result[:, 34:]).max() < 1.0
    left = np.abs(restored[:, :30] - source[:, :30]).mean()
    assert left < 0.5 * np.abs(round_trip[:, :30] - source[:, :30]).mean()


def test_box_blur_is_a_mean() -> None:
    values = np.zeros((9, 9), np.float32)
    values[4, 4] = 9.0
    blurred = box_blur(values, 1)
    assert blurred[3:6, 3:6] == pytest.approx(1.0)
    assert blurred.sum() == pytest.approx(9.0)
    assert box_blur(np.full((5, 7), 3.0, np.float32), 2) == pytest.approx(3.0)
    assert np.array_equal(box_blur(values, 0), values)


def test_thin_pictures_cost_no_more_than_their_pixels() -> None:
    thin = np.zeros((1, 60_000), np.float32)
    thin[0, 30_000] = 1.0
    blurred = box_blur(thin, 937)
    assert blurred.shape == thin.shape
    assert blurred.sum() == pytest.approx(1.0, rel=1e-4)
