"""Samplers against truth: a Gaussian and a Gaussian mixture, whose results are known."""

from __future__ import annotations

import math
from contextlib import suppress
from itertools import pairwise

import numpy as np
import pytest
from walks import FLOW, MEANS, SPREAD, TO_PURE_NOISE, VP, levels_of, mixture, solve, start_of

from partway.denoiser import Array, Query
from partway.errors import UnknownName
from partway.families.analytic import posterior_mean
from partway.noise import Noise
from partway.plan import plan_edit
from partway.samplers import SAMPLERS, get_sampler
from partway.schedule import Level, Schedule
from partway.strength_map import keep_source

DETERMINISTIC = sorted(name for name, s in SAMPLERS.items() if not s.stochastic)
STOCHASTIC = sorted(name for name, s in SAMPLERS.items() if s.stochastic)
SAMPLING = sorted(name for name, s in SAMPLERS.items() if s.order > 0)  # for any network


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
@pytest.mark.parametrize("schedule", [FLOW, VP, TO_PURE_NOISE], ids=["flow", "vp", "vp to 1"])
@pytest.mark.parametrize("start", [1e-4, 0.37, 1.0 - 1e-9, 1.0])
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
    assert np.abs(got).max() < 3.0  # data lie within ±1, spread 0.35


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


# -- noise on the way ---------------------------------------------------------------------------


def moments(name: str, levels: tuple[Level, ...], s: float) -> tuple[float, float]:
    """Mean and variance of a sampler's result on N(1, s²), computed and not drawn.

    The denoiser is linear, and so is the sampler in its start, its draws and the mean: x is
    carried as coefficients of them. Entry 0 is the mean, entry 1 the start, the others the draws.
    """
    unit = np.eye(2 * len(levels) + 2)
    draws = iter(unit[2:])
    variance = levels[0].alpha ** 2 * s**2 + levels[0].sigma ** 2
    x = levels[0].alpha * unit[0] + math.sqrt(variance) * unit[1]

    def denoise(x: Array, level: Level) -> Array:
        shrink = level.alpha * s**2 / (level.alpha**2 * s**2 + level.sigma**2)
        return unit[0] + shrink * (x - level.alpha * unit[0])

    result, _ = solve(get_sampler(name).solve(x, levels, lambda: next(draws)), denoise)
    return float(result[0]), float(np.square(result[1:]).sum())


@pytest.mark.parametrize("name", SAMPLING)
@pytest.mark.parametrize("schedule", [FLOW, VP], ids=["flow", "vp"])
def test_order_of_convergence_of_mean_and_variance(name: str, schedule: Schedule) -> None:
    """Marginals stay those of the noised Gaussian, to the sampler's order."""
    s, low = 0.5, schedule.level(0.1)

    def error(steps: int) -> float:
        levels = tuple(schedule.level(f) for f in np.linspace(0.8, 0.1, steps + 1))
        mean, variance = moments(name, levels, s)
        assert mean == pytest.approx(low.alpha, abs=1e-9)  # the mean is met at once
        return abs(variance - (low.alpha**2 * s**2 + low.sigma**2))

    order = math.log2(error(64) / error(128))
    assert order == pytest.approx(get_sampler(name).order, abs=0.15)


def moment(values: Array, power: int) -> float:
    return float(np.mean(np.power(values, power)))


@pytest.mark.parametrize("name", [name for name in STOCHASTIC if name in SAMPLING])
@pytest.mark.parametrize("schedule", [FLOW, VP], ids=["flow", "vp"])
def test_convergence_in_distribution_on_a_mixture(name: str, schedule: Schedule) -> None:
    """From noised draws of a mixture come draws of that mixture: shares, means, spreads."""
    levels = levels_of(schedule, 0.8, 120)
    random = np.random.RandomState(1)
    component = random.randint(3, size=(200, 200))
    data = MEANS[component].transpose(2, 0, 1) + SPREAD * random.standard_normal((3, 200, 200))
    x = levels[0].alpha * data + levels[0].sigma * random.standard_normal(data.shape)
    got, _ = solve(get_sampler(name).solve(x, levels, Noise(2, x.shape)), mixture)
    assert not np.allclose(got, data, atol=0.1), "drawn anew"
    limit = 0.08 if get_sampler(name).order == 1 else 0.04  # 40 000 draws themselves: 0.02
    for power in (1, 2, 3, 4):
        for channel in range(3):
            have, want = moment(got[channel], power), moment(data[channel], power)
            assert have == pytest.approx(want, abs=limit), (power, channel)
    # correlations between channels exist only because whole components were drawn
    assert np.corrcoef(got.reshape(3, -1)) == pytest.approx(
        np.corrcoef(data.reshape(3, -1)), abs=limit
    )


@pytest.mark.parametrize("steps", [1, 2, 8])
def test_lcm_is_exact_with_a_consistency_function(steps: int) -> None:
    """A network that jumps along the ODE to its end gives the true distribution at any steps."""
    mu, s = 0.3, 0.4
    levels = levels_of(FLOW, 0.9, steps)
    x = levels[0].alpha * mu + math.hypot(levels[0].alpha * s, levels[0].sigma) * np.asarray(
        Noise(3, (1, 300, 300))(), np.float64
    )

    def jump(x: Array, level: Level) -> Array:
        return mu + s / math.hypot(level.alpha * s, level.sigma) * (x - level.alpha * mu)

    got, asked = solve(get_sampler("lcm").solve(x, levels, Noise(4, x.shape)), jump)
    assert asked == steps
    assert float(got.mean()) == pytest.approx(mu, abs=0.005)
    assert float(got.std()) == pytest.approx(s, abs=0.005)


@pytest.mark.parametrize("name", STOCHASTIC)
def test_noise_comes_from_the_argument_alone(name: str) -> None:
    levels = levels_of(FLOW, 0.9, 6)
    x = start_of(levels)

    def run(seed: int) -> Array:
        return solve(get_sampler(name).solve(x, levels, Noise(seed, x.shape)), mixture)[0]

    assert np.array_equal(run(1), run(1))
    assert not np.array_equal(run(1), run(2))


@pytest.mark.parametrize("name", sorted(SAMPLERS))
def test_no_noise_is_drawn_that_is_not_used(name: str) -> None:
    """None by a deterministic sampler; none for the last step, which ends without noise."""
    sampler = get_sampler(name)
    drawn: list[int] = []

    def noise() -> Array:
        drawn.append(1)
        return np.zeros((3, 4, 4))

    levels = levels_of(FLOW, 0.9, 6)
    solve(sampler.solve(start_of(levels), levels, noise), mixture)
    assert len(drawn) == (5 * sampler.per_step if sampler.stochastic else 0)


# -- uneven and two-stage steps -----------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name, s in SAMPLERS.items() if s.memory])
@pytest.mark.parametrize("short", [1e-3, 1e-5, 2e-6])
def test_memory_is_clamped_after_a_short_interval(name: str, short: float) -> None:
    """A network's small errors must not be blown up by a first interval far shorter."""
    levels = [FLOW.level(f) for f in (0.8, 0.8 - short, 0.6, 0.4, 0.2, 0.0)]
    x = start_of(levels)
    solver = get_sampler(name).solve
    error = Noise(11, x.shape)
    got, _ = solve(
        solver(x, levels, Noise(1, x.shape)), lambda x, level: mixture(x, level) + 0.01 * error()
    )
    exact, _ = solve(solver(x, levels, Noise(1, x.shape)), mixture)
    assert float(np.abs(got - exact).max()) < 0.1


@pytest.mark.parametrize("name", SAMPLING)
def test_a_fractional_first_interval_moves_the_result_little(name: str) -> None:
    """Continuous in the start: a grid point just below it changes next to nothing."""
    grid = [0.6, 0.4, 0.2, 0.0]
    plain = tuple(FLOW.level(f) for f in (0.8, *grid))
    split = tuple(FLOW.level(f) for f in (0.8, 0.8 - 1e-5, *grid))

    def run(levels: tuple[Level, ...]) -> Array:
        return solve(
            get_sampler(name).solve(start_of(levels), levels, lambda: np.ones((3, 4, 4))), mixture
        )[0]

    limit = 0.06 if get_sampler(name).memory else 0.02
    assert float(np.abs(run(plain) - run(split)).max()) < limit


@pytest.mark.parametrize("name", sorted(SAMPLERS))
def test_questions_lie_within_their_step(name: str) -> None:
    levels = levels_of(FLOW, 1.0, 5)
    asked: list[Query] = []

    def answer(query: Query) -> Array:
        asked.append(query)
        return mixture(query.x, query.level)

    solver = get_sampler(name).solve(start_of(levels), levels, Noise(1, (3, 4, 4)))
    query = next(solver)
    with suppress(StopIteration):
        while True:
            query = solver.send(answer(query))
    steps = list(dict.fromkeys((query.here, query.there) for query in asked))
    assert steps == list(pairwise(levels))
    for query in asked:
        assert query.here.sigma >= query.level.sigma >= query.there.sigma
    sigmas = [query.level.sigma for query in asked]
    assert sigmas == sorted(sigmas, reverse=True)


@pytest.mark.parametrize("name", [n for n, s in SAMPLERS.items() if not (s.memory or s.stochastic)])
def test_shades_of_a_map_are_continuous_and_monotone(name: str) -> None:
    """A position that lets go of the source at m ends between the source and the free result."""
    levels = plan_edit(0.9, FLOW, dial="noise", steps=4).levels
    shades = np.linspace(0.0, 1.0, 41).reshape(1, 1, 41)
    source = np.broadcast_to(MEANS[0][:, None, None] + 0.2, (3, 1, 41)).astype(np.float64)
    eps = np.broadcast_to(np.random.RandomState(5).standard_normal((3, 1, 1)), source.shape)
    x = levels[0].alpha * source + levels[0].sigma * eps
    got, _ = solve(
        keep_source(get_sampler(name).solve(x, levels, Noise(1, x.shape)), source, shades), mixture
    )
    change = np.abs(got - source).sum(axis=(0, 1))
    assert change[0] == pytest.approx(0.0, abs=1e-12)
    inner = change[(shades[0, 0] > 0.02) & (shades[0, 0] < 0.88)]
    assert (np.diff(inner) > 0).all()
    assert np.diff(inner).max() < 0.2 * change.max()


def test_unknown_sampler() -> None:
    with pytest.raises(UnknownName, match="did you mean 'dpmpp_2m'"):
        get_sampler("dpm++2m")
