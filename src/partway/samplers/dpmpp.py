"""Samplers of the DPM-Solver++ kind: exact for the linear part of the path, in log_snr."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

from partway.denoiser import Array, Query, Solver
from partway.samplers.euler import fresh, noise_kept, renewed, step
from partway.schedule import Level, halfway

# After a short fractional first interval the extrapolation would otherwise explode.
MIN_STEP_RATIO = 0.5


def step_ratio(h_previous: float, h: float) -> float:
    """Length of the step before over that of this one, in log_snr, at least MIN_STEP_RATIO.

    Infinity where one of them is: a step after pure noise, or to no noise, is first order.
    """
    if math.isfinite(h_previous) and math.isfinite(h):
        return max(h_previous / h, MIN_STEP_RATIO)
    return math.inf


class _History:
    """The estimate of the step before, for the two-step samplers."""

    def __init__(self) -> None:
        self._previous: Array | None = None
        self._h = math.inf

    def extrapolated(self, x0: Array, here: Level, there: Level) -> Array:
        """D = x0 + (x0 - x0_previous) / (2 r), the estimate at the middle of the coming step.

        With h = log_snr_there - log_snr_here and r = h_previous / h. The first step, a step after
        pure noise and the last step to no noise are first order, where D = x0.
        """
        h = there.log_snr - here.log_snr
        weight = 0.5 / step_ratio(self._h, h)
        estimate = x0
        if self._previous is not None and weight > 0.0:
            estimate = (1.0 + weight) * x0 - weight * self._previous
        self._previous, self._h = x0, h
        return estimate


def dpmpp_2m(x: Array, levels: Sequence[Level], noise: Callable[[], Array]) -> Solver:
    """DPM-Solver++(2M) (Lu et al. 2022, algorithm 2).

    x_there = sigma_there / sigma_here * x - alpha_there * (exp(-h) - 1) * D
    """
    del noise
    history = _History()
    for here, there in pairwise(levels):
        x0 = yield Query(x, here, there)
        x = step(x, history.extrapolated(x0, here, there), here, there)
    return x


def dpmpp_2m_sde(x: Array, levels: Sequence[Level], noise: Callable[[], Array]) -> Solver:
    """SDE-DPM-Solver++(2M) (Lu et al. 2022, appendix D.2; k-diffusion's "midpoint", eta 1).

    x_there = sigma_there / sigma_here * exp(-h) * x + alpha_there * (1 - exp(-2h)) * D
              + sigma_there * sqrt(1 - exp(-2h)) * fresh
    """
    history = _History()
    for here, there in pairwise(levels):
        x0 = yield Query(x, here, there)
        kept = noise_kept(here, there)
        x = step(x, history.extrapolated(x0, here, there), here, there, kept)
        x = renewed(x, there, kept, noise)
    return x


def dpmpp_sde(x: Array, levels: Sequence[Level], noise: Callable[[], Array]) -> Solver:
    """DPM-Solver++ (SDE) in one step of two stages (k-diffusion's sample_dpmpp_sde, r 1/2, eta 1).

    An ancestral step to the middle of log_snr, then one over the whole interval with the estimate
    found there. Both belong to one path of the SDE: the noise of the whole is that of the first
    half, carried on, plus that of the second. The last step, to no noise, is first order.
    """
    for here, there in pairwise(levels):
        x0 = yield Query(x, here, there)
        if there.sigma == 0.0:
            x = step(x, x0, here, there)
            continue
        middle = halfway(here, there)
        first, second = noise_kept(here, middle), noise_kept(middle, there)
        drawn = fresh(first) * noise()
        half = step(x, x0, here, middle, first) + middle.sigma * drawn
        again = yield Query(half, here, there, at=middle)
        drawn = second * drawn + fresh(second) * noise()
        x = step(x, again, here, there, first * second) + there.sigma * drawn
    return x
