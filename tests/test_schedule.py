from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partway.errors import InvalidRequest, UnknownName
from partway.schedule import SPACINGS, Level, Schedule, discrete_vp, get_spacing
from partway.strength import sd1_log_nsr

SD1 = discrete_vp(sd1_log_nsr())
FLOW = Schedule(path="flow", lowest=0.02)
schedules = st.sampled_from([SD1, FLOW, Schedule()])
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


def test_discrete_times_are_training_timesteps() -> None:
    # the level at time (t + 1) / 1000 is the table's entry t
    for t in (0, 1, 499, 998, 999):
        fraction = SD1.noise_fraction_at((t + 1) / 1000)
        assert math.log(fraction / (1 - fraction)) == pytest.approx(sd1_log_nsr()[t], abs=1e-9)
    assert pytest.approx(0.936, abs=1e-3) == SD1.top


@given(schedules, st.sampled_from(sorted(SPACINGS)), st.floats(1e-5, 1), st.integers(1, 60))
def test_spacings_fall_from_start_to_nothing(
    schedule: Schedule, name: str, start: float, steps: int
) -> None:
    start = min(start, schedule.top)
    levels = get_spacing(name)(schedule, start, steps)
    assert len(levels) == steps + 1
    assert levels[0] == start
    assert levels[-1] == 0.0
    assert all(a > b for a, b in pairwise(levels))


def test_karras_is_the_published_ramp() -> None:
    # Karras et al. 2022, eq. 5, between sigma_max = nsr of the start and sigma_min = 0.03
    steps, high, low = 8, 10.0, 0.03
    expected = [
        (high ** (1 / 7) + i / (steps - 1) * (low ** (1 / 7) - high ** (1 / 7))) ** 7
        for i in range(steps)
    ]
    got = SPACINGS["karras"](Schedule(), high / (1 + high), steps)
    assert [f / (1 - f) for f in got[:-1]] == pytest.approx(expected)


def test_uniform_flow_is_linear_in_the_noise_fraction() -> None:
    assert SPACINGS["uniform"](FLOW, 1.0, 4) == pytest.approx([1, 0.75, 0.5, 0.25, 0])


def test_errors() -> None:
    with pytest.raises(UnknownName, match="karras"):
        get_spacing("karas")
    with pytest.raises(InvalidRequest):
        Schedule(lowest=0.5, top=0.4)
    with pytest.raises(UnknownName):
        Schedule(path="ve")  # pyright: ignore[reportArgumentType]
