"""Curves: exact at both ends, strictly rising, their own inverse; fits: true on made-up models."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partway.calibration import (
    FULL,
    LEVELS,
    PROMISED,
    Curve,
    curve_from,
    fit,
    fit_gain,
    paired,
    rising,
)
from partway.errors import InvalidRequest
from partway.strength import start_noise_fraction

CURVE = Curve(((0.0, 0.0), (0.05, 0.2), (0.2, 0.55), (0.6, 0.8), (0.9, 0.92), (1.0, 1.0)))


@st.composite
def curves(draw: st.DrawFn) -> Curve:
    """Curves with up to 12 knots at least a thousandth apart."""
    inner = st.lists(st.integers(1, 999), min_size=10, max_size=10, unique=True)
    count = draw(st.integers(0, 10))
    shares, fractions = (sorted(draw(inner))[:count] for _ in range(2))
    knots = [(u / 1000, f / 1000) for u, f in zip(shares, fractions, strict=True)]
    return Curve(((0.0, 0.0), *knots, (1.0, 1.0)))


@given(curves())
def test_curves_meet_their_knots_and_rise_everywhere(curve: Curve) -> None:
    for share, fraction in curve.knots:
        assert curve.noise_fraction(share) == pytest.approx(fraction, abs=1e-12)
    values = [curve.noise_fraction(i / 2000) for i in range(2001)]
    assert values[0] == 0.0
    assert values[-1] == 1.0
    assert all(a < b for a, b in pairwise(values))


@given(curves(), st.floats(0, 1))
def test_the_inverse_inverts(curve: Curve, share: float) -> None:
    fraction = curve.noise_fraction(share)
    assert curve.noise_fraction(curve.share(fraction)) == pytest.approx(fraction, abs=1e-6)


def test_a_curve_is_smooth_and_does_not_overshoot() -> None:
    values = np.array([CURVE.noise_fraction(i / 1000) for i in range(1001)])
    assert np.abs(np.diff(values, 2)).max() < 2e-3  # no kink, no step
    between = [CURVE.noise_fraction(0.2 + 0.4 * i / 50) for i in range(51)]
    assert 0.55 <= min(between) <= max(between) <= 0.8


def test_change_runs_from_nothing_to_full() -> None:
    curve = Curve(CURVE.knots, 0.8)
    assert curve.change(0.0) == pytest.approx(0.0, abs=1e-9)
    assert curve.change(1.0) == pytest.approx(0.8)
    assert curve.change(0.8) == pytest.approx(0.8 * 0.6)
    assert curve.share_of_change(0.4) == pytest.approx(0.5)
    assert (curve.share_of_change(0.0), curve.share_of_change(0.9)) == (0.0, 1.0)


@pytest.mark.parametrize(
    "knots",
    [
        (),
        ((0.0, 0.0),),
        ((0.0, 0.0), (0.5, 0.5)),
        ((0.0, 0.1), (1.0, 1.0)),
        ((0.0, 0.0), (0.5, 0.7), (0.6, 0.7), (1.0, 1.0)),
        ((0.0, 0.0), (0.5, 0.7), (0.5, 0.8), (1.0, 1.0)),
        ((0.0, 0.0), (float("nan"), 0.7), (1.0, 1.0)),
    ],
)
def test_what_does_not_rise_is_no_curve(knots: tuple[tuple[float, float], ...]) -> None:
    with pytest.raises(InvalidRequest, match="curve"):
        Curve(knots)


def test_a_curve_travels_flat() -> None:
    assert paired(CURVE.flat) == CURVE.knots
    for flat in ((0.0, 0.0, 1.0), (0.5,) * 80):
        with pytest.raises(InvalidRequest, match="numbers"):
            paired(flat)


def test_pooling_gives_the_nearest_rising_values() -> None:
    assert rising([0.1, 0.4, 0.2, 0.6]).tolist() == pytest.approx([0.1, 0.3, 0.3, 0.6])
    assert rising([3.0, 2.0, 1.0]).tolist() == pytest.approx([2.0, 2.0, 2.0])
    assert rising([1.0, 2.0, 3.0]).tolist() == [1.0, 2.0, 3.0]


def test_a_made_up_model_is_found_again() -> None:
    """Change follows a known law, pictures differ, the measurement is noisy."""
    rng = np.random.RandomState(0)

    def law(fraction: float) -> float:
        return 0.03 + 0.95 * fraction**3

    own = rng.uniform(0.85, 1.15, (200, 1))
    changes = own * [[law(f) for f in LEVELS]] + rng.normal(0, 0.02, (200, len(LEVELS)))
    found = fit(LEVELS, changes)
    assert found.pictures == 200
    assert found.curve.full == FULL
    dial = [i / 10 for i in range(1, 10)]
    changed = [law(found.curve.noise_fraction(u)) for u in dial]
    assert changed == pytest.approx([FULL * u for u in dial], abs=0.02)
    assert found.spread[7] == pytest.approx(0.02 + own.std() * law(LEVELS[7]), abs=0.015)


@pytest.mark.parametrize("most", [0.9, 1.0, 1.1])
def test_models_that_differ_change_alike_at_one_number(most: float) -> None:
    """One lets go late and ends far, one early and near: up to 0.9 the dial hides it."""
    for power in (1.0, 2.0, 5.0):
        law = np.array([most * f**power for f in LEVELS])
        curve = fit(LEVELS, law[None]).curve
        dial = [i / 10 for i in range(1, 10)]
        changed = [most * curve.noise_fraction(u) ** power for u in dial]
        assert changed == pytest.approx([FULL * u for u in dial], abs=0.03)


def test_a_model_that_cannot_change_as_much_uses_what_it_has() -> None:
    curve = fit(LEVELS, np.array([[0.4 * f for f in LEVELS]])).curve
    assert curve.full == pytest.approx(0.4)
    assert curve.noise_fraction(0.5) == pytest.approx(0.5, abs=0.01)


def test_plateaus_and_steps_back_still_rise() -> None:
    means = np.linspace(0.0, 1.0, len(LEVELS))
    means[5:8] = [0.5, 0.4, 0.45]
    means[-3:] = 1.0
    curve = fit(LEVELS, means[None]).curve
    values = [curve.noise_fraction(i / 500) for i in range(501)]
    assert all(a < b for a, b in pairwise(values))


def test_a_model_that_changes_nothing_has_no_dial() -> None:
    with pytest.raises(InvalidRequest, match="too little for a dial"):
        fit(LEVELS, np.full((3, len(LEVELS)), 0.1))
    with pytest.raises(InvalidRequest, match="levels"):
        fit((0.5, 0.1, 1.0), np.ones((3, 3)))


def test_the_gain_that_keeps_what_is_promised_is_found() -> None:
    levels = np.linspace(0.0, 1.0, 400)
    for gain in (0.5, 1.0, 2.2):
        starts = [start_noise_fraction(s, "standard", gain) for s in PROMISED]
        structure = np.interp(levels, [0.0, *starts, 1.0], [1.0, *PROMISED.values(), 0.0])
        assert fit_gain(levels.tolist(), structure) == pytest.approx(gain, rel=0.03)


def test_no_gain_gives_the_composition_up() -> None:
    """A model that lets go late and never far would otherwise be pushed beyond it at 0.5."""
    levels = np.linspace(0.0, 1.0, 400)
    starts = [start_noise_fraction(s, "standard", 1.0) for s in PROMISED]
    structure = np.interp(levels, [0.0, *starts, 1.0], [1.0, 0.85, 0.715, 0.62, 0.5, 0.3])
    gain = fit_gain(levels.tolist(), structure)
    kept = np.interp(start_noise_fraction(0.5, "standard", gain), levels, structure)
    assert kept >= 0.71


def test_what_is_stored_is_read_again() -> None:
    rng = np.random.RandomState(1)
    changes = np.sort(rng.uniform(0, 1, (20, len(LEVELS))), axis=1)
    found = fit(LEVELS, changes)
    assert curve_from(json.loads(json.dumps(found.stored()))) == found.curve


@pytest.mark.parametrize(
    "stored", [None, 3, {}, {"curve": 3}, {"curve": [[0, 0], [1]]}, {"curve": [[0, 0], ["a", 1]]}]
)
def test_damaged_calibrations_are_refused(stored: object) -> None:
    with pytest.raises(InvalidRequest):
        curve_from(stored)
