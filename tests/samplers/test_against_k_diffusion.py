"""Solvers and spacings against k-diffusion's own, on a denoiser that looks at what it is shown."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from tests.k_diffusion import part

from partway.denoiser import Array
from partway.samplers import get_sampler
from partway.schedule import Level, Schedule, discrete_vp
from partway.spacings import get_spacing
from partway.strength import noise_fraction_of, sd1_log_nsr

sampling, external = part("sampling"), part("external")
torch: Any = pytest.importorskip("torch")

SHAPE = (1, 4, 6, 6)
NSRS = (14.6, 3.0)  # of a whole run and of one that starts part of the way
SAMPLERS = {
    "euler": "sample_euler",
    "euler_ancestral": "sample_euler_ancestral",
    "heun": "sample_heun",
    "dpmpp_2m": "sample_dpmpp_2m",
    "dpmpp_2m_sde": "sample_dpmpp_2m_sde",
    "dpmpp_sde": "sample_dpmpp_sde",
}
STOCHASTIC = {"euler_ancestral", "dpmpp_2m_sde", "dpmpp_sde"}


def estimate(x: Array, nsr: float) -> Array:
    """A clean estimate of x = x0 + nsr * eps: the mean for x0 around ± 1."""
    return np.tanh(x / (nsr**2 + 0.3)) + 0.1 * np.sin(3.0 * x / (1.0 + nsr))


class Draws:
    """The same draws for both, in order."""

    def __init__(self) -> None:
        self._rng = np.random.RandomState(4)

    def __call__(self, *_: Any) -> Array:
        return self._rng.standard_normal(SHAPE)


class Path:
    """The same draws as noise over an interval of one Brownian path, as k-diffusion asks for it.

    A second question from the same level is for a longer interval, which begins with the first.
    """

    def __init__(self) -> None:
        self._draws, self._from, self._to = Draws(), 0.0, 0.0
        self._noise: Array = np.zeros(SHAPE)

    def __call__(self, here: Any, there: Any) -> Any:
        here, there = float(here), float(there)
        drawn = self._draws()
        if here == self._from:
            kept, whole = there / self._to, there / here
            begun = kept * math.sqrt(1.0 - (self._to / here) ** 2)
            drawn = begun * self._noise + math.sqrt(1.0 - kept**2) * drawn
            drawn = drawn / math.sqrt(1.0 - whole**2)
        self._from, self._to, self._noise = here, there, drawn
        return torch.tensor(drawn)


def ours(sampler: str, nsrs: list[float]) -> Array:
    """x0 at the end."""
    levels = [Level(1.0 / math.hypot(1.0, nsr), nsr / math.hypot(1.0, nsr)) for nsr in nsrs]
    solver = get_sampler(sampler).solve(start(nsrs[0]) * levels[0].alpha, levels, Draws())
    try:
        query = next(solver)
        while True:
            here = query.level
            query = solver.send(estimate(query.x / here.alpha, here.sigma / here.alpha))
    except StopIteration as done:
        return done.value


def theirs(sampler: str, nsrs: list[float]) -> Array:
    def model(x: Any, sigma: Any) -> Any:
        return torch.tensor(estimate(x.numpy(), float(sigma[0])))

    noise = {"noise_sampler": Path()} if sampler in STOCHASTIC else {}
    found = getattr(sampling, SAMPLERS[sampler])(
        model, torch.tensor(start(nsrs[0])), torch.tensor(nsrs), disable=True, **noise
    )
    return found.numpy()


def start(nsr: float) -> Array:
    rng = np.random.RandomState(2)
    return np.sign(rng.standard_normal(SHAPE)) + nsr * rng.standard_normal(SHAPE)


@pytest.mark.parametrize("steps", [1, 4, 12])
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_same_end(sampler: str, steps: int) -> None:
    if (sampler, steps) == ("dpmpp_2m_sde", 1):
        pytest.skip("k-diffusion fails there: its h is not set")
    for high in NSRS:
        nsrs = [float(each) for each in sampling.get_sigmas_karras(steps, 0.1, high)]
        mine, reference = ours(sampler, nsrs), theirs(sampler, nsrs)
        assert np.abs(mine - reference).max() < 1e-4 * np.abs(reference).max(), high


@pytest.fixture(scope="module")
def schedule() -> Schedule:
    return discrete_vp(sd1_log_nsr())


@pytest.mark.parametrize("steps", [1, 4, 8, 20, 50])
@pytest.mark.parametrize("spacing", ["normal", "karras", "exponential"])
def test_same_levels_of_a_whole_run(schedule: Schedule, spacing: str, steps: int) -> None:
    table = [math.exp(each) for each in schedule.table]
    made = {
        "normal": lambda: external.DiscreteSchedule(torch.tensor(table), quantize=True).get_sigmas(
            steps
        ),
        "karras": lambda: sampling.get_sigmas_karras(steps, table[0], table[-1]),
        "exponential": lambda: sampling.get_sigmas_exponential(steps, table[0], table[-1]),
    }[spacing]()
    found = get_spacing(spacing)(schedule, noise_fraction_of(table[-1]), steps)
    expected = [noise_fraction_of(float(each)) for each in made]
    assert found == pytest.approx(expected, abs=1e-4)
