"""Running samplers on denoisers whose answers are known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np

from partway.denoiser import Array, Solver
from partway.families.analytic import posterior_mean
from partway.plan import plan_edit
from partway.schedule import Level, Schedule, discrete_vp
from partway.strength import sd1_log_nsr

FLOW, VP = Schedule(path="flow"), discrete_vp(sd1_log_nsr())
TO_PURE_NOISE = Schedule(path="vp")
MEANS = np.array([[-0.8, 0.5, 0.1], [0.6, 0.6, -0.4], [0.2, -0.7, 0.9]], np.float64)
SPREAD = 0.35


def solve(solver: Solver, denoise: Callable[[Array, Level], Array]) -> tuple[Array, int]:
    """Run a sampler on a plain denoiser; the result and the number of its questions."""
    asked = 0
    try:
        query = next(solver)
        while True:
            asked += 1
            query = solver.send(denoise(query.x, query.level))
    except StopIteration as done:
        return cast("Array", done.value), asked


def mixture(x: Array, level: Level) -> Array:
    return posterior_mean(x, level, MEANS, SPREAD)


def levels_of(schedule: Schedule, start: float, steps: int) -> tuple[Level, ...]:
    return plan_edit(start, schedule, dial="noise", steps=steps).levels


def start_of(levels: Sequence[Level], dtype: type[np.floating[Any]] = np.float64) -> Array:
    eps = np.random.RandomState(7).standard_normal((3, 4, 4))
    return (levels[0].alpha * 0.3 + levels[0].sigma * eps).astype(dtype)
