from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partway.calibration import Curve
from partway.errors import InvalidRequest, Uncalibrated, UnknownName
from partway.strength import (
    DIALS,
    WORDS,
    band,
    named_strength,
    noise_fraction_of,
    nsr_of,
    sd1_log_nsr,
    start_noise_fraction,
    strength_at,
)

strengths = st.floats(0, 1, allow_nan=False)
gains = st.floats(0.05, 20)
dials = st.sampled_from(sorted(DIALS))
CURVE = Curve(((0.0, 0.0), (0.05, 0.2), (0.2, 0.55), (0.6, 0.8), (0.9, 0.92), (1.0, 1.0)))


def test_sd1_meets_the_table_at_its_own_timesteps() -> None:
    for timestep in (50, 51, 450, 701, 949, 950):
        nsr = math.exp(sd1_log_nsr()[timestep])
        assert nsr_of(start_noise_fraction(timestep / 1000, "sd1")) == pytest.approx(nsr, rel=1e-9)


def test_sd1_runs_straight_to_its_ends() -> None:
    for inside, outside in ((0.05, (0.01, 0.02, 0.04)), (0.95, (0.96, 0.98, 0.99))):
        end = round(inside)
        edge = start_noise_fraction(inside, "sd1")
        for strength in outside:
            share = (strength - inside) / (end - inside)
            got = start_noise_fraction(strength, "sd1")
            assert got == pytest.approx(edge + share * (end - edge), abs=1e-12)


@pytest.mark.parametrize(
    ("strength", "expected"),
    [(0.1, 0.256), (0.3, 0.454), (0.45, 0.578), (0.5, 0.618), (0.7, 0.769), (0.9, 0.893)],
)
def test_sd1_levels_are_stable_diffusions(strength: float, expected: float) -> None:
    assert start_noise_fraction(strength, "sd1") == pytest.approx(expected, abs=5e-4)


def test_sd1_table_reproduces_the_published_ends() -> None:
    # sigma_min and sigma_max of the scaled-linear table as k-diffusion and sgm state them
    assert math.exp(sd1_log_nsr()[0]) == pytest.approx(0.0292, abs=1e-4)
    assert math.exp(sd1_log_nsr()[-1]) == pytest.approx(14.6146, abs=1e-3)
    assert len(sd1_log_nsr()) == 1000


@given(strengths, strengths, dials, gains)
def test_monotone(a: float, b: float, dial: str, gain: float) -> None:
    low, high = sorted((a, b))
    assert start_noise_fraction(low, dial, gain, CURVE) <= start_noise_fraction(
        high, dial, gain, CURVE
    )


@given(st.integers(0, 999), dials, gains)
def test_strictly_rising(i: int, dial: str, gain: float) -> None:
    here, there = (start_noise_fraction(k / 1000, dial, gain, CURVE) for k in (i, i + 1))
    assert here < there


@given(strengths, dials, st.floats(0.2, 5))
def test_continuous(strength: float, dial: str, gain: float) -> None:
    step = 1e-7
    here = start_noise_fraction(strength, dial, gain, CURVE)
    there = start_noise_fraction(min(strength + step, 1.0), dial, gain, CURVE)
    # the steepest place is sd1's run to 0: 3.7 per unit, times the gain
    assert there - here <= 60 * step


@given(dials, gains)
def test_ends_are_exact(dial: str, gain: float) -> None:
    assert start_noise_fraction(0, dial, gain, CURVE) == 0.0
    assert start_noise_fraction(1, dial, gain, CURVE) == 1.0


@given(st.floats(5e-324, 1, exclude_max=True), dials, st.floats(1e-3, 1e3))
def test_only_one_is_pure_noise_and_only_zero_is_none(s: float, dial: str, gain: float) -> None:
    fraction = start_noise_fraction(s, dial, gain, CURVE)
    assert np.float32(fraction) > 0.0  # samplers compute in float32
    assert fraction < 1.0


def test_gain_scales_the_noise_to_signal_ratio_of_standard_only() -> None:
    plain, doubled = (nsr_of(start_noise_fraction(0.45, "standard", g)) for g in (1.0, 2.0))
    assert doubled == pytest.approx(2 * plain)
    for dial in ("sd1", "noise", "perceptual"):
        here, there = (start_noise_fraction(0.45, dial, gain, CURVE) for gain in (1.0, 2.0))
        assert here == there
    assert start_noise_fraction(0.45, "noise") == 0.45


@given(st.floats(0.001, 0.999), dials, st.floats(0.2, 5))
def test_inverse(strength: float, dial: str, gain: float) -> None:
    level = start_noise_fraction(strength, dial, gain, CURVE)
    assert strength_at(level, dial, gain, CURVE) == pytest.approx(strength, abs=1e-6)


@given(st.floats(0, 1))
def test_nsr_round_trip(fraction: float) -> None:
    assert noise_fraction_of(nsr_of(fraction)) == pytest.approx(fraction, abs=1e-12)


@pytest.mark.parametrize("bad", [-0.01, 1.01, math.nan, math.inf, -math.inf])
def test_out_of_range_says_what_is_allowed(bad: float) -> None:
    with pytest.raises(InvalidRequest, match=r"allowed is 0 … 1.*try --strength"):
        start_noise_fraction(bad)


def test_unknown_dial_names_the_nearest() -> None:
    with pytest.raises(UnknownName, match="did you mean 'standard'"):
        start_noise_fraction(0.5, "standrad")


def test_perceptual_reads_the_curve_and_refuses_to_guess() -> None:
    for share, fraction in CURVE.knots:
        assert start_noise_fraction(share, "perceptual", curve=CURVE) == pytest.approx(fraction)
    assert start_noise_fraction(0.0, "perceptual") == 0.0
    assert start_noise_fraction(1.0, "perceptual") == 1.0
    with pytest.raises(Uncalibrated, match=r"partway calibrate MODEL .* --dial standard"):
        start_noise_fraction(0.45, "perceptual")


@pytest.mark.parametrize("dial", sorted(DIALS))
def test_words_name_one_level_on_every_dial(dial: str) -> None:
    for word, (share, standard) in WORDS.items():
        level = start_noise_fraction(named_strength(word, dial, 1.3, CURVE), dial, 1.3, CURVE)
        assert level == pytest.approx(CURVE.noise_fraction(share), abs=1e-3)
        if dial != "perceptual":
            level = start_noise_fraction(named_strength(word, dial, 1.3), dial, 1.3)
            assert level == pytest.approx(start_noise_fraction(standard, "standard", 1.3), abs=1e-3)


def test_words_rise_and_have_few_digits() -> None:
    values = [named_strength(word, curve=CURVE) for word in WORDS]
    assert values == sorted(values)
    assert all(round(value, 4) == value for value in values)
    assert named_strength("balanced") == 0.5
    with pytest.raises(UnknownName, match="did you mean 'balanced'"):
        named_strength("balnced")


@pytest.mark.parametrize("gain", [0.0, -1.0, math.nan, math.inf])
def test_bad_gain(gain: float) -> None:
    with pytest.raises(InvalidRequest, match="gain"):
        start_noise_fraction(0.5, "standard", gain)


def test_bands_name_both_ends() -> None:
    assert "unchanged" in band(0.0)
    assert "text-to-image" in band(1.0)
    words = [band(s / 100) for s in range(101)]
    assert len(dict.fromkeys(words)) == 6
    assert "retouch" in band(0.2)
    assert "composition and pose" in band(0.45)
    assert "loose" in band(0.75)
