"""First-order samplers: the estimate is taken to hold over the whole step."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

from partway.denoiser import Array, Query, Solver
from partway.schedule import Level

HALF_NOISE = 0.5  # eta of euler_sde: between the ODE (0) and ancestral sampling (1)


def step(x: Array, x0: Array, here: Level, there: Level, kept: float = 1.0) -> Array:
    """Move `x` from `here` to `there` along its own noise direction.

    x_there = alpha_there * x0 + sigma_there * kept * eps,  eps = (x - alpha_here * x0) / sigma_here
    (Song et al. 2021, eq. 12). With all noise kept it is DDIM with eta = 0: the Euler step of the
    probability-flow ODE in nsr coordinates, hence also of rectified flow.
    """
    eps = (x - here.alpha * x0) / here.sigma
    return there.alpha * x0 + (there.sigma * kept) * eps


def noise_kept(here: Level, there: Level, eta: float = 1.0) -> float:
    """Share of the old noise that the reverse SDE keeps from `here` to `there`, 0 … 1.

    (nsr_there / nsr_here)^eta: exact for a constant estimate; eta scales the square of the
    noise's rate. 1 where eta is 0, 0 from pure noise and to no noise otherwise.
    """
    return ((there.sigma * here.alpha) / (there.alpha * here.sigma)) ** eta


def fresh(kept: float) -> float:
    """Scale of the new noise beside `kept` of the old: together they have unit variance."""
    return math.sqrt(max(1.0 - kept * kept, 0.0))


def renewed(x: Array, there: Level, kept: float, noise: Callable[[], Array]) -> Array:
    """Add the new noise to a `step` that kept only a share; none is drawn for no noise."""
    return x + (there.sigma * fresh(kept)) * noise() if there.sigma > 0.0 else x


def euler(x: Array, levels: Sequence[Level], noise: Callable[[], Array]) -> Solver:
    """Euler's method (Karras et al. 2022, algorithm 1 without churn) = DDIM with eta 0."""
    del noise
    for here, there in pairwise(levels):
        x0 = yield Query(x, here, there)
        x = step(x, x0, here, there)
    return x


def euler_ancestral(x: Array, levels: Sequence[Level], noise: Callable[[], Array]) -> Solver:
    """Ancestral sampling = DDIM with eta 1 (Song et al. 2021, eq. 16) = SDE-DPM-Solver++(1).

    The step keeps r = nsr_there / nsr_here of the old noise and draws the rest anew. In
    k-diffusion's words sigma_down = r * sigma_there and sigma_up = sqrt(1 - r²) * sigma_there.
    """
    for here, there in pairwise(levels):
        x0 = yield Query(x, here, there)
        kept = noise_kept(here, there)
        x = renewed(step(x, x0, here, there, kept), there, kept, noise)
    return x


def euler_sde(x: Array, levels: Sequence[Level], noise: Callable[[], Array]) -> Solver:
    """The reverse SDE with half the noise of ancestral sampling: sqrt(r) of the old is kept.

    First-order step of the diffusion SDEs of every noise rate that share their marginals (Xue et
    al. 2023, SA-Solver, eq. 5 with tau² = 1/2; k-diffusion's eta_h with eta = 1/2).
    """
    for here, there in pairwise(levels):
        x0 = yield Query(x, here, there)
        kept = noise_kept(here, there, HALF_NOISE)
        x = renewed(step(x, x0, here, there, kept), there, kept, noise)
    return x


def lcm(x: Array, levels: Sequence[Level], noise: Callable[[], Array]) -> Solver:
    """Multistep consistency sampling (Song et al. 2023, algorithm 1; Luo et al. 2023, LCM).

    Every step goes to the estimate and noises it anew: right for networks distilled to jump to
    the end of the path (LCM, Turbo, Lightning), too smooth for all others.
    """
    for here, there in pairwise(levels):
        x0 = yield Query(x, here, there)
        x = renewed(there.alpha * x0, there, 0.0, noise)
    return x
