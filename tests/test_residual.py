from __future__ import annotations

import numpy as np
import pytest

from partway.denoiser import Array
from partway.residual import restore
from partway.strength import start_noise_fraction
from partway.windows import box_blur


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


STRENGTHS = (0.05, 0.2, 0.35, 0.5)


def lossy(source: Array) -> Array:
    """A round trip that loses all fine detail."""
    return np.stack([box_blur(source[..., c], 4) for c in range(3)], axis=-1)


def fine(picture: Array) -> Array:
    """Luma without its local mean."""
    luma = picture.mean(axis=-1)
    return luma - box_blur(luma, 2)


def calm() -> Array:
    """A source with little fine detail, and away from black and white."""
    source, _ = pictures()
    return lossy(source) + 0.05 * (source - 128)


def test_distance_falls_to_nothing_with_strength() -> None:
    """The edit's own change shrinks with the noise; what the autoencoder lost does not."""
    source, _ = pictures()
    round_trip = lossy(source)
    texture = np.random.RandomState(3).normal(0, 60, source.shape).astype(np.float32)
    distances = [
        float(np.abs(restore(round_trip + f * texture, round_trip, source, f) - source).mean())
        for f in (0.5, 0.1, 0.02, 0.004)
    ]
    assert distances == sorted(distances, reverse=True)
    assert distances[-1] < 0.1
    assert np.abs(round_trip - source).mean() > 10.0


@pytest.mark.parametrize("strength", STRENGTHS)
@pytest.mark.parametrize("gain", [1.0, 1.33])
def test_unchanged_regions_keep_their_detail(strength: float, gain: float) -> None:
    source, _ = pictures()
    round_trip = lossy(source)
    drift = np.random.RandomState(1).normal(0, 2.5, source.shape).astype(np.float32)
    start = start_noise_fraction(strength, "standard", gain)
    restored = restore(round_trip + drift, round_trip, source, start)
    energy = np.square(fine(restored)).sum() / np.square(fine(source)).sum()
    assert 0.9 <= energy <= 1.1
    assert np.square(fine(round_trip)).sum() < 0.2 * np.square(fine(source)).sum()


@pytest.mark.parametrize("strength", STRENGTHS)
def test_new_content_is_free_of_old_detail(strength: float) -> None:
    source, _ = pictures()
    round_trip = lossy(source)
    rng = np.random.RandomState(4)
    drawn = np.clip(round_trip + rng.choice([-70.0, 70.0], source.shape), 0, 255)
    restored = restore(drawn, round_trip, source, start_noise_fraction(strength))
    changed = box_blur(np.abs(drawn - round_trip).max(axis=-1), 1) > 30.0
    assert changed.mean() > 0.9
    added = fine(restored)[changed], fine(source - round_trip)[changed]
    before = fine(drawn)[changed], fine(source - round_trip)[changed]
    assert abs(np.corrcoef(*added)[0, 1]) <= 0.1
    assert abs(np.corrcoef(*added)[0, 1] - np.corrcoef(*before)[0, 1]) <= 0.02


def test_what_cannot_be_seen_leaves_the_source_as_it_is() -> None:
    source, _ = pictures()
    round_trip = lossy(source)
    grain = np.random.RandomState(2).uniform(-1.5, 1.5, source.shape).astype(np.float32)
    restored = restore(round_trip + grain, round_trip, source, 0.3)
    assert np.abs(restored - source).mean() < 0.1


def test_twenty_rounds_lose_no_more_than_one() -> None:
    source, _ = pictures()
    picture, distances = source, list[float]()
    for number in range(20):
        round_trip = lossy(picture)
        grain = np.random.RandomState(number).uniform(-1.5, 1.5, source.shape).astype(np.float32)
        picture = restore(round_trip + grain, round_trip, picture, 0.36)
        distances.append(float(np.abs(picture - source).mean()))
    assert max(distances) < 0.5
    assert np.abs(lossy(lossy(source)) - source).mean() > 10.0


def test_the_grain_of_edits_does_not_add_up() -> None:
    """A round trip drops it, so it would come back with the residual, and the next one's on top."""
    source, rng = calm(), np.random.RandomState(6)
    picture = source
    for grain in rng.normal(0, 3, (20, *source.shape)).astype(np.float32):
        round_trip = lossy(picture)
        picture = restore(round_trip + grain, round_trip, picture, 0.36, radius=4, grain=9.0)
    once = np.abs(fine(rng.normal(0, 3, source.shape).astype(np.float32))).mean()
    assert np.abs(fine(picture - source)).mean() < 0.6 * once
