"""Multistep samplers of the DPM-Solver++ kind."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

from partway.denoiser import Array, Query, Solver
from partway.schedule import Level

# After a short fractional first interval the extrapolation would otherwise explode.
MIN_STEP_RATIO = 0.5


def _log_snr(level: Level) -> float:
    """Half the log signal-to-noise ratio, lambda = log(alpha / sigma); ±infinity at the ends."""
    if level.sigma == 0.0:
        return math.inf
    return -math.inf if level.alpha == 0.0 else math.log(level.alpha / level.sigma)


def dpmpp_2m(x: Array, levels: Sequence[Level], noise: Callable[[], Array]) -> Solver:
    """DPM-Solver++(2M) (Lu et al. 2022, algorithm 2).

    With h = lambda_there - lambda_here and r = h_previous / h:
        D        = (1 + 1/(2r)) * x0 - 1/(2r) * x0_previous
        x_there  = sigma_there / sigma_here * x - alpha_there * (exp(-h) - 1) * D
    The first step, a step after pure noise (r infinite) and the last step to no noise are first
    order, where D = x0.
    """
    del noise
    previous: Array | None = None
    h_previous = math.inf
    for here, there in pairwise(levels):
        x0 = yield Query(x, here, there)
        h = _log_snr(there) - _log_snr(here)
        estimate = x0
        if previous is not None and math.isfinite(h) and math.isfinite(h_previous):
            weight = 1.0 / (2.0 * max(h_previous / h, MIN_STEP_RATIO))
            estimate = (1.0 + weight) * x0 - weight * previous
        x = (there.sigma / here.sigma) * x - there.alpha * math.expm1(-h) * estimate
        previous, h_previous = x0, h
    return x
