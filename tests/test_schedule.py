from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partway.errors import InvalidRequest, UnknownName
from partway.schedule import Level, Schedule, discrete_vp, halfway, is_flow
from partway.strength import sd1_log_nsr

SD1 = discrete_vp(sd1_log_nsr())
FLOW = Schedule(path="flow", lowest=0.02)
SHIFTED = Schedule(path="flow", shift=3.0)
schedules = st.sampled_from([SD1, FLOW, Schedule(), SHIFTED])
fractions = st.floats(1e-6, 1.0)


@given(fractions)
def test_paths_keep_their_constraint(fraction: float) -> None:
    vp, flow = SD1.level(fraction), FLOW.level(fraction)
    assert vp.alpha**2 + vp.sigma**2 == pytest.approx(1)
    assert flow.alpha + flow.sigma == pytest.approx(1)
    for level in (vp, flow):
        assert level.noise_fraction == pytest.approx(fraction, abs=1e-12)


def test_pure_noise_is_finite() -> None:
    for schedule in (SD1, FLOW):
        level = schedule.level(1.0)
        assert (level.alpha, level.sigma, level.noise_fraction) == (0.0, 1.0, 1.0)
        assert math.isinf(level.nsr)
        assert schedule.level(0.0) == Level(1.0, 0.0)


@given(schedules, st.floats(0, 1))
def test_time_round_trip(schedule: Schedule, time: float) -> None:
    assert schedule.time_of(schedule.noise_fraction_at(time)) == pytest.approx(time, abs=1e-9)


@given(st.floats(0.01, 0.99), st.floats(0.1, 30.0))
def test_a_shift_multiplies_the_ratio_of_noise_to_signal(time: float, shift: float) -> None:
    plain, shifted = Schedule(), Schedule(shift=shift)
    even, bent = (schedule.level(schedule.noise_fraction_at(time)) for schedule in (plain, shifted))
    assert bent.nsr == pytest.approx(shift * even.nsr)
    assert shifted.level(0.3) == plain.level(0.3)


def test_discrete_times_are_training_timesteps() -> None:
    # the level at time (t + 1) / 1000 is the table's entry t
    for t in (0, 1, 499, 998, 999):
        fraction = SD1.noise_fraction_at((t + 1) / 1000)
        assert math.log(fraction / (1 - fraction)) == pytest.approx(sd1_log_nsr()[t], abs=1e-9)
    assert pytest.approx(0.936, abs=1e-3) == SD1.top


@given(schedules, st.floats(1e-6, 0.999999), st.floats(0.01, 0.99))
def test_halfway_stays_on_the_path(schedule: Schedule, high: float, share: float) -> None:
    here, there = schedule.level(high), schedule.level(high * share)
    middle = halfway(here, there)
    assert middle.log_snr == pytest.approx((here.log_snr + there.log_snr) / 2, abs=1e-9)
    expected = schedule.level(middle.noise_fraction)
    assert (middle.alpha, middle.sigma) == pytest.approx((expected.alpha, expected.sigma))


@pytest.mark.parametrize("schedule", [SD1, FLOW], ids=["vp", "flow"])
def test_halfway_from_pure_noise_is_finite(schedule: Schedule) -> None:
    middle = halfway(schedule.level(1.0), schedule.level(0.4))
    assert middle.noise_fraction == pytest.approx(0.7)
    assert is_flow(middle) == (schedule.path == "flow")


def test_log_snr() -> None:
    assert FLOW.level(0.5).log_snr == 0.0
    assert (FLOW.level(0.0).log_snr, FLOW.level(1.0).log_snr) == (math.inf, -math.inf)


def test_errors() -> None:
    with pytest.raises(InvalidRequest):
        Schedule(lowest=0.5, top=0.4)
    for shift in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(InvalidRequest, match="shift"):
            Schedule(shift=shift)
    with pytest.raises(UnknownName):
        Schedule(path="ve")  # pyright: ignore[reportArgumentType]
