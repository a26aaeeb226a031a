"""Samplers against truth (a Gaussian, a Gaussian mixture) and against the published formulas."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, cast

import numpy as np
import pytest

from partway.denoiser import Array, Solver
from partway.errors import UnknownName
from partway.families.analytic import posterior_mean
from partway.noise import Noise
from partway.plan import plan_edit
from partway.samplers import SAMPLERS, get_sampler
from partway.schedule import Level, Schedule, discrete_vp
from partway.strength import sd1_log_nsr

FLOW, VP = Schedule(path="flow"), discrete_vp(sd1_log_nsr())
MEANS = np.array([[-0.8, 0.5, 0.1], [0.6, 0.6, -0.4], [0.2, -0.7, 0.9]], np.float64)
SPREAD = 0.35
DETERMINISTIC = sorted(name for name, s in SAMPLERS.items() if not s.stochastic)


def solve(solver: Solver, denoise: Callable[[Array, Level], Array]) -> tuple[Array, int]:
    """Run a sampler on a plain denoiser; the result and the number of its questions."""
    asked = 0
    try:
        query = next(solver)
        while True:
            asked += 1
            query = solver.send(denoise(query.x, query.here))
    except StopIteration as done:
        return cast("Array", done.value), asked


def mixture(x: Array, level: Level) -> Array:
    return posterior_mean(x, level, MEANS, SPREAD)


def levels_of(schedule: Schedule, start: float, steps: int) -> tuple[Level, ...]:
    return plan_edit(start, schedule, dial="noise", steps=steps).levels


def start_of(levels: Sequence[Level], dtype: type[np.floating[Any]] = np.float64) -> Array:
    eps = np.random.RandomState(7).standard_normal((3, 4, 4))
    return (levels[0].alpha * 0.3 + levels[0].sigma * eps).astype(dtype)


@pytest.mark.parametrize("name", DETERMINISTIC)
@pytest.mark.parametrize("schedule", [FLOW, VP], ids=["flow", "vp"])
def test_order_of_convergence_on_a_mixture(name: str, schedule: Schedule) -> None:
    """Halving the steps multiplies the error by 2^order (within the measurement's slack)."""
    sampler = get_sampler(name)

    def result(steps: int) -> Array:
        # stop above no noise, where the last, exact step would hide the order
        low = 0.2
        fractions = np.linspace(0.8, low, steps + 1)
        levels = [schedule.level(f) for f in fractions]
        return solve(sampler.solve(start_of(levels), levels, Noise(1, (3, 4, 4))), mixture)[0]

    truth = result(4096)
    errors = [float(np.sqrt(np.mean((result(n) - truth) ** 2))) for n in (16, 32, 64)]
    orders = [math.log2(a / b) for a, b in pairwise(errors)]
    assert orders[-1] == pytest.approx(sampler.order, abs=0.3), (errors, orders)


@pytest.mark.parametrize("name", DETERMINISTIC)
@pytest.mark.parametrize("schedule", [FLOW, VP], ids=["flow", "vp"])
@pytest.mark.parametrize("start", [0.4, 0.9])
def test_single_gaussian_has_a_closed_form(name: str, schedule: Schedule, start: float) -> None:
    """The probability-flow ODE of N(mu, s²) ends at mu + s / sqrt(v) * (x - alpha * mu)."""
    levels = levels_of(schedule, start, 800)
    x = start_of(levels)
    mu, s = np.array([[0.3, -0.2, 0.5]]), 0.4
    variance = levels[0].alpha ** 2 * s**2 + levels[0].sigma ** 2
    expected = mu[0][:, None, None] + s / math.sqrt(variance) * (
        x - levels[0].alpha * mu[0][:, None, None]
    )
    got, _ = solve(
        get_sampler(name).solve(x, levels, Noise(1, x.shape)),
        lambda x, level: posterior_mean(x, level, mu, s),
    )
    # vp: the last interval, from the lowest level 0.03 to no noise, dominates what is left
    assert np.abs(got - expected).max() < (1e-2 if get_sampler(name).order == 1 else 3e-3)


@pytest.mark.parametrize("name", sorted(SAMPLERS))
@pytest.mark.parametrize("schedule", [FLOW, VP], ids=["flow", "vp"])
@pytest.mark.parametrize("start", [1e-4, 0.37, 1.0])
@pytest.mark.parametrize("steps", [1, 2, 7])
def test_contract(name: str, schedule: Schedule, start: float, steps: int) -> None:
    """Finite from pure noise on, float32 stays float32, as many questions as promised."""
    levels = levels_of(schedule, start, steps)
    x = start_of(levels, np.float32)
    sampler = get_sampler(name)
    got, asked = solve(sampler.solve(x, levels, Noise(1, x.shape)), mixture)
    assert asked == sampler.evaluations(steps)
    assert got.dtype == np.float32
    assert np.isfinite(got).all()


@pytest.mark.parametrize("name", sorted(SAMPLERS))
def test_a_constant_estimate_is_reached(name: str) -> None:
    levels = levels_of(FLOW, 1.0, 9)
    x = start_of(levels)
    target = np.full_like(x, 0.25)
    got, _ = solve(get_sampler(name).solve(x, levels, Noise(3, x.shape)), lambda x, level: target)
    assert got == pytest.approx(target, abs=1e-12)


@pytest.mark.parametrize("name", sorted(SAMPLERS))
def test_tends_to_the_source_as_the_start_tends_to_nothing(name: str) -> None:
    distances: list[float] = []
    for start in (1e-2, 1e-3, 1e-4):
        levels = levels_of(FLOW, start, 4)
        source = np.full((3, 4, 4), 0.3)
        eps = np.random.RandomState(7).standard_normal((3, 4, 4))
        x = levels[0].alpha * source + levels[0].sigma * eps
        got, _ = solve(get_sampler(name).solve(x, levels, Noise(1, x.shape)), mixture)
        distances.append(float(np.abs(got - source).max()))
    assert distances[0] > distances[1] > distances[2]
    assert distances[2] < 1e-3


# -- published formulas, written out in their authors' own coordinates ------------------------


def ddim(x: Array, x0: Array, bar_here: float, bar_there: float, eta: float, z: Array) -> Array:
    """Song et al. 2021, eq. 12 and 16, in alphas_cumprod."""
    eps = (x - math.sqrt(bar_here) * x0) / math.sqrt(1 - bar_here)
    s = eta * math.sqrt((1 - bar_there) / (1 - bar_here) * (1 - bar_here / bar_there))
    return math.sqrt(bar_there) * x0 + math.sqrt(1 - bar_there - s * s) * eps + s * z


@pytest.mark.parametrize(("name", "eta"), [("euler", 0.0), ("euler_ancestral", 1.0)])
def test_first_order_samplers_are_ddim(name: str, eta: float) -> None:
    levels = levels_of(VP, 0.9, 6)
    x = start_of(levels)
    got, _ = solve(get_sampler(name).solve(x, levels, Noise(5, x.shape)), mixture)
    noise = Noise(5, x.shape)
    for here, there in pairwise(levels):
        z = noise() if eta and there.sigma > 0 else np.zeros_like(x)
        x = ddim(x, mixture(x, here), here.alpha**2, there.alpha**2, eta, z)
    assert got == pytest.approx(x, abs=1e-6)  # noise is drawn in float32


def test_euler_on_the_flow_path_is_the_velocity_step() -> None:
    """Rectified flow (Liu et al. 2023): x += (t_there - t_here) * (eps - x0)."""
    levels = levels_of(FLOW, 1.0, 5)
    x = start_of(levels)
    got, _ = solve(get_sampler("euler").solve(x, levels, Noise(1, x.shape)), mixture)
    for here, there in pairwise(levels):
        velocity = (x - mixture(x, here)) / here.sigma
        x = x + (there.sigma - here.sigma) * velocity
    assert got == pytest.approx(x, abs=1e-9)


def test_dpmpp_2m_in_k_diffusions_coordinates() -> None:
    """Lu et al. 2022, algorithm 2, written in y = x / alpha and nsr with t = -log(nsr)."""
    levels = levels_of(VP, 0.9, 12)
    x = start_of(levels)
    got, _ = solve(get_sampler("dpmpp_2m").solve(x, levels, Noise(1, x.shape)), mixture)
    y, previous, h_previous = x / levels[0].alpha, None, 0.0
    for here, there in pairwise(levels):
        x0 = mixture(here.alpha * y, here)
        if there.nsr == 0.0:
            y = x0
            break
        h = math.log(here.nsr) - math.log(there.nsr)
        d = x0
        if previous is not None:
            r = h_previous / h
            assert r >= 0.5, "the clamp must not act on this grid"
            d = (1 + 1 / (2 * r)) * x0 - 1 / (2 * r) * previous
        y = there.nsr / here.nsr * y - math.expm1(-h) * d
        previous, h_previous = x0, h
    assert got == pytest.approx(y, abs=1e-9)


def test_dpmpp_2m_clamps_the_step_ratio_after_a_short_interval() -> None:
    """A network's small errors must not be blown up by a first interval 1000 times shorter."""
    levels = [FLOW.level(f) for f in (0.8, 0.79999, 0.6, 0.4, 0.2, 0.0)]
    x = start_of(levels)
    solver = get_sampler("dpmpp_2m").solve
    error = Noise(11, x.shape)
    got, _ = solve(
        solver(x, levels, Noise(1, x.shape)), lambda x, level: mixture(x, level) + 0.01 * error()
    )
    exact, _ = solve(solver(x, levels, Noise(1, x.shape)), mixture)
    assert float(np.abs(got - exact).max()) < 0.1


def test_ancestral_noise_comes_from_its_argument_alone() -> None:
    levels = levels_of(FLOW, 0.9, 6)
    x = start_of(levels)

    def run(seed: int) -> Array:
        sampler = get_sampler("euler_ancestral")
        return solve(sampler.solve(x, levels, Noise(seed, x.shape)), mixture)[0]

    assert np.array_equal(run(1), run(1))
    assert not np.array_equal(run(1), run(2))


def test_unknown_sampler() -> None:
    with pytest.raises(UnknownName, match="did you mean 'dpmpp_2m'"):
        get_sampler("dpm++2m")
