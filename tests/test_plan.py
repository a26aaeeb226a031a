from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partway.calibration import Curve
from partway.errors import InvalidRequest
from partway.plan import Plan, describe, plan_edit
from partway.schedule import Schedule, discrete_vp
from partway.spacings import SPACINGS
from partway.strength import DIALS, nsr_of, sd1_log_nsr

SD1 = discrete_vp(sd1_log_nsr())
FLOW = Schedule(path="flow", lowest=0.02)
schedules = st.sampled_from([SD1, FLOW])
dials = st.sampled_from(sorted(DIALS))
CURVE = Curve(((0.0, 0.0), (0.3, 0.6), (1.0, 1.0)))
spacings = st.sampled_from(sorted(SPACINGS))
positive = st.floats(1e-4, 1)


@given(schedules, positive, dials, spacings, st.integers(1, 50))
def test_exact_steps_at_any_strength(
    schedule: Schedule, strength: float, dial: str, spacing: str, steps: int
) -> None:
    plan = plan_edit(strength, schedule, dial=dial, curve=CURVE, steps=steps, spacing=spacing)
    assert plan.intervals == steps


@given(schedules, st.floats(1e-12, 1), dials, spacings, st.integers(1, 50))
def test_never_zero_evaluations_and_levels_fall_to_none(
    schedule: Schedule, strength: float, dial: str, spacing: str, full_steps: int
) -> None:
    plan = plan_edit(
        strength, schedule, dial=dial, curve=CURVE, full_steps=full_steps, spacing=spacing
    )
    assert 1 <= plan.intervals <= full_steps
    fractions = [level.noise_fraction for level in plan.levels]
    assert all(a > b for a, b in pairwise(fractions))
    assert fractions[-1] == 0.0


@given(schedules, positive, dials, st.floats(0.2, 5), st.integers(1, 50))
def test_the_asked_level_is_met_exactly(
    schedule: Schedule, strength: float, dial: str, gain: float, full_steps: int
) -> None:
    plan = plan_edit(strength, schedule, dial=dial, gain=gain, curve=CURVE, full_steps=full_steps)
    start = plan.levels[0]
    signal = plan.kappa * start.alpha
    asked = nsr_of(plan.noise_fraction)
    if math.isinf(asked):
        assert signal == 0.0
    else:
        assert start.sigma / signal == pytest.approx(asked, rel=1e-9)


@given(schedules, st.floats(0, 1), st.floats(0, 1), st.integers(1, 50))
def test_evaluations_rise_with_strength(
    schedule: Schedule, a: float, b: float, full_steps: int
) -> None:
    low, high = (plan_edit(s, schedule, full_steps=full_steps) for s in sorted((a, b)))
    assert low.intervals <= high.intervals
    assert low.noise_fraction <= high.noise_fraction


@given(schedules, st.floats(0.01, 0.99), spacings)
def test_full_steps_walk_the_full_runs_own_grid(
    schedule: Schedule, strength: float, spacing: str
) -> None:
    full = plan_edit(1.0, schedule, full_steps=20, spacing=spacing)
    part = plan_edit(strength, schedule, full_steps=20, spacing=spacing)
    assert part.levels[1:] == full.levels[len(full.levels) - len(part.levels) + 1 :]


def test_ends() -> None:
    nothing = plan_edit(0.0, SD1, full_steps=20)
    assert (nothing.levels, nothing.intervals, nothing.noise_fraction) == ((), 0, 0.0)
    everything = plan_edit(1.0, SD1, full_steps=20)
    assert everything.kappa == 0.0
    assert everything.intervals == 20
    assert everything.levels[0].noise_fraction == pytest.approx(SD1.top)


def test_kappa_acts_only_beyond_the_top() -> None:
    assert plan_edit(0.9, SD1).kappa == 1.0
    beyond = plan_edit(0.98, SD1, dial="noise")
    assert beyond.kappa == pytest.approx(nsr_of(SD1.top) / nsr_of(0.98))
    assert plan_edit(1.0, FLOW).kappa == 1.0  # alpha itself is 0 there


def test_the_seed_form_of_the_summary() -> None:
    plan = plan_edit(0.45, FLOW, dial="noise", full_steps=20)
    assert describe(plan, plan.intervals) == (
        "9 of 20 steps, the first 11 replaced by your picture (45 % noise)"
    )
    assert describe(plan_edit(0.5, FLOW, dial="noise", steps=8), 16) == (
        "8 steps from your picture (50 % noise), 16 evaluations"
    )
    assert describe(plan_edit(0.95, FLOW, dial="noise", full_steps=20), 19) == (
        "19 of 20 steps, the first replaced by your picture (95 % noise)"
    )
    assert "unchanged" in describe(plan_edit(0, FLOW), 0)
    assert "ignored" in describe(plan_edit(1, FLOW), 20)
    assert "starting from your picture" in describe(plan_edit(0.99, FLOW, dial="noise"), 20)


@pytest.mark.parametrize("steps", [0, -1, 1001])
def test_step_counts_out_of_range(steps: int) -> None:
    with pytest.raises(InvalidRequest, match=r"allowed is 1 … 1000"):
        plan_edit(0.5, FLOW, steps=steps)
    with pytest.raises(InvalidRequest, match="full-steps"):
        plan_edit(0.5, FLOW, full_steps=steps)


def test_both_step_options_exclude_each_other() -> None:
    with pytest.raises(InvalidRequest, match="not both"):
        plan_edit(0.5, FLOW, steps=5, full_steps=5)


def test_a_plan_is_a_value() -> None:
    assert plan_edit(0.5, FLOW) == plan_edit(0.5, FLOW)
    assert isinstance(hash(plan_edit(0.5, FLOW)), int)
    assert isinstance(plan_edit(0.5, FLOW), Plan)
