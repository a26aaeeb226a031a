"""UniPC: each evaluation also corrects the step that led to it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from partway.denoiser import Array, Query, Solver
from partway.samplers.dpmpp import step_ratio
from partway.samplers.euler import step
from partway.schedule import Level


@dataclass(frozen=True, slots=True)
class _Step:
    """A step that was predicted and waits to be corrected.

    x, x0   where it began, and the estimate there
    here    level of x
    h       its length in log_snr
    slope   change of the estimate over a step of this length, from the one before; None if unknown
    ratio   length of the step before over h
    """

    x: Array
    x0: Array
    here: Level
    h: float
    slope: Array | None
    ratio: float

    def predicted(self, there: Level) -> Array:
        """UniP-2: the estimate is that of the middle of the step."""
        estimate = self.x0 if self.slope is None else self.x0 + 0.5 * self.slope
        return step(self.x, estimate, self.here, there)

    def corrected(self, there: Level, reached: Array) -> Array:
        """UniC-2 with the estimate `reached` at the end of the step; UniC-1 without a slope."""
        change = reached - self.x0
        if self.slope is None:
            return step(self.x, self.x0 + 0.5 * change, self.here, there)
        # Zhao et al. 2023, eq. 9: rho solves [[1, 1], [-ratio, 1]] rho = (b1, b2)
        full = math.expm1(-self.h)
        phi = full / -self.h - 1.0
        b1, b2 = phi / full, 2.0 * (phi / -self.h - 0.5) / full
        past = (b1 - b2) / (1.0 + self.ratio)
        estimate = self.x0 + past * self.slope + (b1 - past) * change
        return step(self.x, estimate, self.here, there)


def unipc(x: Array, levels: Sequence[Level], noise: Callable[[], Array]) -> Solver:
    """UniPC-2, bh2, on the clean estimate (Zhao et al. 2023, algorithms 5 to 8).

    The predictor is that of DPM-Solver++(2M); the corrector costs no evaluation, as it uses the
    estimate that the next prediction needs anyway. Together of third order. The first step and
    one after pure noise are an order lower; the last one, to no noise, is first order.
    """
    del noise
    last: _Step | None = None
    for here, there in pairwise(levels):
        x0 = yield Query(x, here, there)
        h = there.log_snr - here.log_snr
        slope, ratio = None, math.inf
        if last is not None:
            x = last.corrected(here, x0)
            ratio = step_ratio(last.h, h)
            slope = (x0 - last.x0) / ratio if math.isfinite(ratio) else None
        last = _Step(x, x0, here, h, slope, ratio)
        x = last.predicted(there)
    return x
