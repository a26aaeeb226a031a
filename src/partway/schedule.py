"""Noise levels, a model's own range of them, and the spacings that walk it.

A family's forward process is x = alpha * x0 + sigma * eps. Two paths exist:

    vp     alpha² + sigma² = 1   (DDPM, Stable Diffusion)
    flow   alpha + sigma = 1     (rectified flow)

`Level` covers both and stays finite at pure noise, where alpha = 0. The family-independent
coordinate is the noise fraction sigma / (alpha + sigma); see partway.strength.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from partway.errors import InvalidRequest, UnknownName
from partway.strength import noise_fraction_of, nsr_of

PathName: TypeAlias = Literal["vp", "flow"]


@dataclass(frozen=True, slots=True)
class Level:
    """One noise level: signal scale `alpha` and noise scale `sigma`, both in [0, 1]."""

    alpha: float
    sigma: float

    @property
    def nsr(self) -> float:
        """Noise-to-signal ratio sigma / alpha; infinity at pure noise. k-diffusion's "sigma"."""
        return math.inf if self.alpha == 0.0 else self.sigma / self.alpha

    @property
    def noise_fraction(self) -> float:
        """sigma / (alpha + sigma), 0 … 1."""
        return self.sigma / (self.alpha + self.sigma)


@dataclass(frozen=True, slots=True)
class Schedule:
    """The levels a network was trained on.

    path    "vp" or "flow"
    lowest  noise fraction of its least noisy level (0 where it was trained down to no noise)
    top     noise fraction of its noisiest level (1 where it was trained on pure noise)
    table   for discrete models: ascending log noise-to-signal ratios, one per training timestep;
            empty where time *is* the noise fraction
    """

    path: PathName = "flow"
    lowest: float = 0.0
    top: float = 1.0
    table: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.path not in {"vp", "flow"}:
            raise UnknownName("path", self.path, ("vp", "flow"))
        if not 0.0 <= self.lowest < self.top <= 1.0:
            raise InvalidRequest(f"schedule runs from {self.lowest} to {self.top}, want 0 ≤ … ≤ 1")

    def level(self, noise_fraction: float) -> Level:
        """The level of this path at `noise_fraction`, inside or outside the trained range."""
        alpha, sigma = 1.0 - noise_fraction, noise_fraction
        if self.path == "vp":
            norm = math.hypot(alpha, sigma)
            alpha, sigma = alpha / norm, sigma / norm
        return Level(alpha, sigma)

    def time_of(self, noise_fraction: float) -> float:
        """Time in [0, 1] of a noise fraction: 0 clean, 1 the model's top (beyond it clamped)."""
        if not self.table:
            return min(noise_fraction / self.top, 1.0)
        if noise_fraction <= 0.0:
            return 0.0
        count, log_nsr = (
            len(self.table),
            math.log(max(nsr_of(min(noise_fraction, self.top)), 1e-30)),
        )
        if log_nsr <= self.table[0]:  # below the table time runs linearly to zero noise
            return noise_fraction / noise_fraction_of(math.exp(self.table[0])) / count
        index = min(bisect_left(self.table, log_nsr), count - 1)
        below, above = self.table[index - 1], self.table[index]
        return min((index + (log_nsr - below) / (above - below)) / count, 1.0)

    def noise_fraction_at(self, time: float) -> float:
        """Noise fraction at a time in [0, 1]; the inverse of time_of below the top."""
        if not self.table:
            return time * self.top
        count = len(self.table)
        position = time * count - 1.0  # training timestep as a real number
        if position <= 0.0:
            return time * count * noise_fraction_of(math.exp(self.table[0]))
        index = min(int(position), count - 2)
        step = self.table[index + 1] - self.table[index]
        return noise_fraction_of(math.exp(self.table[index] + (position - index) * step))


def discrete_vp(log_nsr: tuple[float, ...]) -> Schedule:
    """Schedule of a discrete variance-preserving model from its log noise-to-signal table."""
    return Schedule(
        path="vp",
        lowest=noise_fraction_of(math.exp(log_nsr[0])),
        top=noise_fraction_of(math.exp(log_nsr[-1])),
        table=log_nsr,
    )


def spacing_uniform(schedule: Schedule, start: float, steps: int) -> list[float]:
    """Evenly spaced in the model's own time, from `start` down to no noise."""
    time = schedule.time_of(start)
    inner = [schedule.noise_fraction_at(time * (1.0 - i / steps)) for i in range(1, steps)]
    return [start, *inner, 0.0]


KARRAS_RHO = 7.0
KARRAS_NSR_MAX = 80.0  # EDM's sigma_max: stands in for infinity where a path ends in pure noise
KARRAS_NSR_MIN = 0.03  # about the lowest level of Stable Diffusion 1.x


def spacing_karras(schedule: Schedule, start: float, steps: int) -> list[float]:
    """Evenly spaced in nsr^(1/7) (Karras et al. 2022, eq. 5, rho = 7), then a last step to 0."""
    high = min(nsr_of(start), KARRAS_NSR_MAX)
    low = min(max(nsr_of(schedule.lowest), KARRAS_NSR_MIN), high / 10)
    ramp = [i / max(steps - 1, 1) for i in range(1, steps)]
    root_high, root_low = high ** (1 / KARRAS_RHO), low ** (1 / KARRAS_RHO)
    inner = [
        noise_fraction_of((root_high + r * (root_low - root_high)) ** KARRAS_RHO) for r in ramp
    ]
    return [start, *inner, 0.0]


Spacing: TypeAlias = Callable[[Schedule, float, int], list[float]]

SPACINGS: dict[str, Spacing] = {"uniform": spacing_uniform, "karras": spacing_karras}


def get_spacing(name: str) -> Spacing:
    """Look a spacing up: (schedule, start, steps) → steps + 1 noise fractions, start … 0."""
    if name not in SPACINGS:
        raise UnknownName("spacing", name, SPACINGS)
    return SPACINGS[name]
