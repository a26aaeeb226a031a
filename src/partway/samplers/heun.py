"""Heun's method: a second look from the far end of each step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from partway.denoiser import Array, Query, Solver
from partway.samplers.euler import step
from partway.schedule import Level, is_flow

# On the vp path, the noise-to-signal ratio above which the step is averaged as on the flow path,
# which is finite up to pure noise. Above every level of Stable Diffusion (14.6).
NSR_LARGE = 100.0


def _correction(here: Level, there: Level) -> float:
    """Weight of the change of the estimate over a step, in Heun's correction of Euler's step.

    The trapezoid rule in the coordinate in which the path is straight. vp: x / alpha against nsr,

        x / alpha += (nsr_there - nsr_here) * (eps_here + eps_there) / 2

    flow: x / (alpha + sigma) against the noise fraction f, with velocity = eps - x0 for eps. The
    noise at `there` follows from Euler's result, so that the correction comes to
    alpha_there * (nsr_here / nsr_there - 1) / 2, or with f to (alpha + sigma)_there * (...).
    """
    if is_flow(here) or here.nsr > NSR_LARGE:
        scale, ratio = there.alpha + there.sigma, here.noise_fraction / there.noise_fraction
    else:
        scale, ratio = there.alpha, here.nsr / there.nsr
    return scale * (ratio - 1.0) / 2.0


def heun(x: Array, levels: Sequence[Level], noise: Callable[[], Array]) -> Solver:
    """Heun's 2nd-order method (Karras et al. 2022, algorithm 1), two evaluations per step.

    On the flow path it is that of rectified flow. The last step, to no noise, is Euler's.
    """
    del noise
    for here, there in pairwise(levels):
        x0 = yield Query(x, here, there)
        x = step(x, x0, here, there)
        if there.sigma > 0.0:
            again = yield Query(x, here, there, at=there)
            x = x + _correction(here, there) * (again - x0)
    return x
