"""First-order samplers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

from partway.denoiser import Array, Query, Solver
from partway.schedule import Level


def step_ddim(x: Array, x0: Array, here: Level, there: Level) -> Array:
    """Move `x` from `here` to `there` along its own noise direction.

    x_there = alpha_there * x0 + sigma_there * eps,  eps = (x - alpha_here * x0) / sigma_here
    (Song et al. 2021, eq. 12 with eta = 0). It is the Euler step of the probability-flow ODE in
    nsr coordinates, hence also of rectified flow.
    """
    eps = (x - here.alpha * x0) / here.sigma
    return there.alpha * x0 + there.sigma * eps


def euler(x: Array, levels: Sequence[Level], noise: Callable[[], Array]) -> Solver:
    """Euler's method (Karras et al. 2022, algorithm 1 without churn) = DDIM with eta 0."""
    del noise
    for here, there in pairwise(levels):
        x0 = yield Query(x, here, there)
        x = step_ddim(x, x0, here, there)
    return x


def euler_ancestral(x: Array, levels: Sequence[Level], noise: Callable[[], Array]) -> Solver:
    """Ancestral sampling = DDIM with eta 1 (Song et al. 2021, eq. 16).

    With r = nsr_there / nsr_here the step keeps r of the old noise and draws the rest anew:
    x_there = alpha_there * x0 + sigma_there * (r * eps + sqrt(1 - r²) * fresh). In k-diffusion's
    words sigma_down = r * sigma_there and sigma_up = sqrt(1 - r²) * sigma_there.
    """
    for here, there in pairwise(levels):
        x0 = yield Query(x, here, there)
        if there.sigma == 0.0:
            x = there.alpha * x0
            continue
        eps = (x - here.alpha * x0) / here.sigma
        kept = (there.sigma * here.alpha) / (there.alpha * here.sigma)
        fresh = math.sqrt(max(1.0 - kept * kept, 0.0))
        x = there.alpha * x0 + there.sigma * (kept * eps + fresh * noise())
    return x
