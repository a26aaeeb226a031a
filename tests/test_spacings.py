"""Spacings: their contract, and the levels that k-diffusion's and ComfyUI's formulas give."""

from __future__ import annotations

from importlib import import_module
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from partway.errors import UnknownName
from partway.schedule import Schedule, discrete_vp
from partway.spacings import SPACINGS, get_spacing
from partway.strength import sd1_log_nsr

SD1 = discrete_vp(sd1_log_nsr())
FLOW = Schedule(path="flow", lowest=0.02)
SHIFTED = Schedule(path="flow", shift=3.0)
schedules = st.sampled_from([SD1, FLOW, Schedule(), SHIFTED, Schedule(path="vp", top=0.999)])
SIGMAS = np.exp(np.array(sd1_log_nsr()))  # k-diffusion's table, ascending


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


@pytest.mark.parametrize(
    "schedule", [SD1, FLOW, Schedule(), SHIFTED], ids=["sd1", "flow", "clean", "shifted"]
)
@pytest.mark.parametrize("name", sorted(SPACINGS))
def test_many_steps_are_dense_everywhere(name: str, schedule: Schedule) -> None:
    """No spacing leaves a gap that more steps do not close, but for the last step to no noise."""
    levels = get_spacing(name)(schedule, 0.9, 400)
    assert max(a - b for a, b in pairwise(levels[:-1])) < 0.03
    assert levels[-2] < 0.06


def sigmas_of(name: str, schedule: Schedule, steps: int) -> NDArray[Any]:
    """The levels of a whole run in k-diffusion's coordinate, without the final 0."""
    fractions = np.array(get_spacing(name)(schedule, schedule.top, steps)[:-1])
    return fractions / (1.0 - fractions)


def at(timesteps: NDArray[Any]) -> NDArray[Any]:
    """sigma at fractional timesteps, interpolated in its logarithm as k-diffusion does."""
    return np.exp(np.interp(timesteps, np.arange(1000), sd1_log_nsr()))


@pytest.mark.parametrize("steps", [1, 7, 20])
def test_a_whole_run_of_sd1_visits_the_published_levels(steps: int) -> None:
    ramp = np.arange(steps)
    last = max(steps - 1, 1)
    roots = SIGMAS ** (1 / 7)
    expected = {
        "normal": at(999 - 999 * ramp / last),
        "sgm_uniform": at(np.linspace(999, 0, steps + 1)[:-1]),
        "simple": SIGMAS[[-(1 + int(x * 1000 / steps)) for x in ramp]],
        "exponential": np.exp(
            np.log(SIGMAS[-1]) + ramp / last * (np.log(SIGMAS[0]) - np.log(SIGMAS[-1]))
        ),
        "karras": (roots[-1] + ramp / last * (roots[0] - roots[-1])) ** 7,
    }
    for name, sigmas in expected.items():
        assert sigmas_of(name, SD1, steps) == pytest.approx(sigmas, rel=1e-6), name


@pytest.mark.parametrize("steps", [1, 7, 20, 50])
def test_beta_is_the_published_one_before_rounding(steps: int) -> None:
    beta: Any = import_module("scipy.stats").beta
    quantiles = beta.ppf(1 - np.linspace(0, 1, steps, endpoint=False), 0.6, 0.6)
    assert sigmas_of("beta", SD1, steps) == pytest.approx(at(999 * quantiles), rel=1e-6)
    # so that the published, rounded timestep is never further than half of one
    fractions = get_spacing("beta")(SD1, SD1.top, steps)[:-1]
    timesteps = [1000 * SD1.time_of(fraction) - 1 for fraction in fractions]
    assert np.abs(np.array(timesteps) - np.rint(999 * quantiles)).max() <= 0.5 + 1e-6


def test_karras_is_the_published_ramp() -> None:
    # Karras et al. 2022, eq. 5, between sigma_max = nsr of the start and sigma_min = 0.03
    steps, high, low = 8, 10.0, 0.03
    expected = [
        (high ** (1 / 7) + i / (steps - 1) * (low ** (1 / 7) - high ** (1 / 7))) ** 7
        for i in range(steps)
    ]
    got = SPACINGS["karras"](Schedule(), high / (1 + high), steps)
    assert [f / (1 - f) for f in got[:-1]] == pytest.approx(expected)


def test_on_the_flow_path_time_is_the_noise_fraction() -> None:
    def levels(name: str) -> list[float]:
        return SPACINGS[name](FLOW, 1.0, 4)

    assert levels("uniform") == pytest.approx([1, 0.75, 0.5, 0.25, 0])
    assert levels("simple") == pytest.approx([1, 0.75, 0.5, 0.25, 0])
    assert levels("sgm_uniform") == pytest.approx([1, 0.755, 0.51, 0.265, 0])
    assert levels("normal") == pytest.approx([1, 1 - 0.98 / 3, 1 - 2 * 0.98 / 3, 0.02, 0])
    assert SPACINGS["simple"](FLOW, 1.0, 3) == pytest.approx([1, 0.667, 0.334, 0])
    assert SPACINGS["normal"](Schedule(), 1.0, 4) == SPACINGS["uniform"](Schedule(), 1.0, 4)
    # beta is symmetric about the middle, and denser at both ends
    beta = np.array(SPACINGS["beta"](Schedule(), 1.0, 4))
    assert beta + beta[::-1] == pytest.approx(np.ones(5))
    assert beta[0] - beta[1] < beta[1] - beta[2]


def test_unknown_spacing() -> None:
    with pytest.raises(UnknownName, match="karras"):
        get_spacing("karas")
