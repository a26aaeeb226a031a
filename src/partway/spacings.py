"""Spacings: how the steps of a walk share the way from a start level down to no noise.

    spacing(schedule, start, steps) -> steps + 1 noise fractions, start … 0, strictly falling

Most are even in the model's own *time*: the training timestep of a discrete model; the noise
fraction of a model without a table, such as a flow. The others are even in a function of the
noise-to-signal ratio. Names are those of k-diffusion and ComfyUI, and so are the levels of a whole
run of a 1000-step model, except that nothing is rounded to whole timesteps (but by `simple`, whose
point that is), and that the run may start anywhere.

In the formulas i counts from 0 to steps - 1, "low" is the model's lowest level, and 0 follows.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import TypeAlias

from partway.errors import UnknownName
from partway.schedule import Schedule
from partway.strength import noise_fraction_of, nsr_of

KARRAS_RHO = 7.0
NSR_MAX = 80.0  # EDM's sigma_max: stands in for infinity where a path ends in pure noise
NSR_MIN = 0.03  # about the lowest level of Stable Diffusion 1.x: for models without a table
BETA_SHAPE = 0.6  # both parameters of the beta distribution
TIMESTEPS = 1000  # that `simple` rounds to where a model has no table


def _through_times(schedule: Schedule, start: float, times: list[float]) -> list[float]:
    """Noise fractions: start, those at model times, 0."""
    return [start, *(schedule.noise_fraction_at(time) for time in times), 0.0]


def _times(schedule: Schedule, start: float) -> tuple[float, float]:
    """Model times of a start and of the lowest level; the latter well below the former."""
    high = schedule.time_of(start)
    return high, min(schedule.time_of(schedule.lowest), high / 10.0)


def _nsrs(schedule: Schedule, start: float) -> tuple[float, float]:
    """Noise-to-signal ratios of a start and of the lowest level, both finite and above 0."""
    high = min(nsr_of(start), NSR_MAX)
    low = nsr_of(schedule.lowest)
    return high, min(low if schedule.table else max(low, NSR_MIN), high / 10.0)


def uniform(schedule: Schedule, start: float, steps: int) -> list[float]:
    """Even in time down to 0: time = start * (1 - i / steps).

    "Trailing" spacing (Lin et al. 2024, table 2), before rounding.
    """
    high = schedule.time_of(start)
    return _through_times(schedule, start, [high * (1.0 - i / steps) for i in range(1, steps)])


def normal(schedule: Schedule, start: float, steps: int) -> list[float]:
    """Even in time down to low, then one step to 0: time = start + (low - start) * i / (steps - 1).

    k-diffusion's own and A1111's "Uniform". Equals `uniform` where low is no noise.
    """
    high, low = _times(schedule, start)
    if low == 0.0:
        return uniform(schedule, start, steps)
    times = [high + (low - high) * i / (steps - 1) for i in range(1, steps)]
    return _through_times(schedule, start, times)


def sgm_uniform(schedule: Schedule, start: float, steps: int) -> list[float]:
    """Even in time towards low, which 0 replaces: time = start + (low - start) * i / steps.

    That of Stability's generative-models.
    """
    high, low = _times(schedule, start)
    times = [high + (low - high) * i / steps for i in range(1, steps)]
    return _through_times(schedule, start, times)


def simple(schedule: Schedule, start: float, steps: int) -> list[float]:
    """Even in time, in whole training timesteps: time = start - floor(i * start / steps).

    Of a model without a table there are taken to be 1000. Where steps are shorter than a timestep
    they are not rounded.
    """
    count = len(schedule.table) or TIMESTEPS
    high = schedule.time_of(start)
    step = high * count / steps
    if step < 1.0:
        return uniform(schedule, start, steps)
    # the millionth: a whole number of timesteps must not fall short of itself by rounding
    times = [high - math.floor(i * step + 1e-6) / count for i in range(1, steps)]
    return _through_times(schedule, start, times)


def beta(schedule: Schedule, start: float, steps: int) -> list[float]:
    """Denser at both ends (Lee et al. 2024, "Beta sampling is all you need").

    time = low + (start - low) * Q(1 - i / steps), Q the quantile function of Beta(0.6, 0.6).
    """
    high, low = _times(schedule, start)
    shares = [_beta_quantile(1.0 - i / steps) for i in range(1, steps)]
    return _through_times(schedule, start, [low + (high - low) * share for share in shares])


def karras(schedule: Schedule, start: float, steps: int) -> list[float]:
    """Even in nsr^(1/7) down to low, then one step to 0 (Karras et al. 2022, eq. 5, rho = 7)."""
    high, low = (nsr ** (1.0 / KARRAS_RHO) for nsr in _nsrs(schedule, start))
    ramp = [i / max(steps - 1, 1) for i in range(1, steps)]
    inner = [noise_fraction_of((high + r * (low - high)) ** KARRAS_RHO) for r in ramp]
    return [start, *inner, 0.0]


def exponential(schedule: Schedule, start: float, steps: int) -> list[float]:
    """Even in log nsr down to low, then one step to 0 (Lu et al. 2022: uniform in lambda)."""
    high, low = (math.log(nsr) for nsr in _nsrs(schedule, start))
    ramp = [i / max(steps - 1, 1) for i in range(1, steps)]
    inner = [noise_fraction_of(math.exp(high + r * (low - high))) for r in ramp]
    return [start, *inner, 0.0]


@cache
def _beta_quantile(share: float, shape: float = BETA_SHAPE) -> float:
    """The x below which `share` of the symmetric Beta(shape, shape) lies; 0 < share < 1.

    With both parameters a, the part of the distribution below x is x^a * S(x) / (a * B(a, a)),
    where S(x) = sum_n a (1 - a)_n / (n! (a + n)) x^n (DLMF 8.17.7) needs 50 terms up to x = 1/2;
    beyond, by symmetry. x = (share * a * B / S(x))^(1 / a) is iterated, S being nearly constant:
    each round gains a digit or more.
    """
    if share > 0.5:
        return 1.0 - _beta_quantile(1.0 - share, shape)
    target = share * shape * math.gamma(shape) ** 2 / math.gamma(2.0 * shape)
    x = 0.0
    for _ in range(16):
        total, term = 0.0, 1.0
        for n in range(50):
            total += term * shape / (shape + n)
            term *= x * (n + 1.0 - shape) / (n + 1.0)
        x = (target / total) ** (1.0 / shape)
    return x


Spacing: TypeAlias = Callable[[Schedule, float, int], list[float]]

SPACINGS: dict[str, Spacing] = {
    "uniform": uniform,
    "normal": normal,
    "sgm_uniform": sgm_uniform,
    "simple": simple,
    "beta": beta,
    "karras": karras,
    "exponential": exponential,
}


def get_spacing(name: str) -> Spacing:
    """Look a spacing up: (schedule, start, steps) → steps + 1 noise fractions, start … 0."""
    if name not in SPACINGS:
        raise UnknownName("spacing", name, SPACINGS)
    return SPACINGS[name]
