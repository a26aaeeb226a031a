"""Noise levels and a model's own range of them.

A family's forward process is x = alpha * x0 + sigma * eps. Two paths exist:

    vp     alpha² + sigma² = 1   (DDPM, Stable Diffusion)
    flow   alpha + sigma = 1     (rectified flow)

`Level` covers both and stays finite at pure noise, where alpha = 0. The family-independent
coordinate is the noise fraction sigma / (alpha + sigma); see partway.strength.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass, field
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
    def log_snr(self) -> float:
        """log(alpha / sigma), the lambda of the DPM-Solver papers; ±infinity at the ends."""
        if self.sigma == 0.0:
            return math.inf
        return -math.inf if self.alpha == 0.0 else math.log(self.alpha / self.sigma)

    @property
    def noise_fraction(self) -> float:
        """sigma / (alpha + sigma), 0 … 1."""
        return self.sigma / (self.alpha + self.sigma)


def is_flow(level: Level) -> bool:
    """Whether a level between the ends is one of the flow path; the ends lie on both."""
    return math.isclose(level.alpha + level.sigma, 1.0)


def halfway(here: Level, there: Level) -> Level:
    """The level of the same path between two whose log_snr is their mean.

    From pure noise, where that is infinite, halfway in the noise fraction. `there` has noise.
    """
    if here.alpha == 0.0:
        fraction = (here.noise_fraction + there.noise_fraction) / 2.0
    else:
        fraction = noise_fraction_of(math.sqrt(here.nsr * there.nsr))
    return at_fraction(fraction, there)


def at_fraction(fraction: float, like: Level) -> Level:
    """The level of a noise fraction on the path of another one, which lies between the ends."""
    alpha, sigma = 1.0 - fraction, fraction
    norm = 1.0 if is_flow(like) else math.hypot(alpha, sigma)
    return Level(alpha / norm, sigma / norm)


@dataclass(frozen=True, slots=True)
class Schedule:
    """The levels a network was trained on.

    path    "vp" or "flow"
    lowest  noise fraction of its least noisy level (0 where it was trained down to no noise)
    top     noise fraction of its noisiest level (1 where it was trained on pure noise)
    table   for discrete models: ascending log noise-to-signal ratios, one per training timestep;
            empty where time *is* the noise fraction, but for the shift
    shift   of a flow: factor on the noise-to-signal ratio of a grid even in time (partway.shift)
    """

    path: PathName = "flow"
    lowest: float = 0.0
    top: float = 1.0
    table: tuple[float, ...] = field(default=(), repr=False)
    shift: float = 1.0

    def __post_init__(self) -> None:
        if self.path not in {"vp", "flow"}:
            raise UnknownName("path", self.path, ("vp", "flow"))
        if not 0.0 <= self.lowest < self.top <= 1.0:
            raise InvalidRequest(f"schedule runs from {self.lowest} to {self.top}, want 0 ≤ … ≤ 1")
        if not 0.0 < self.shift < math.inf or (self.table and self.shift != 1.0):
            raise InvalidRequest(f"shift is {self.shift}, want a positive number, and no table")

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
            return _bent(min(noise_fraction / self.top, 1.0), 1.0 / self.shift)
        if noise_fraction <= 0.0:
            return 0.0
        count, log_nsr = (
            len(self.table),
            math.log(max(nsr_of(min(noise_fraction, self.top)), 1e-30)),
        )
        if log_nsr <= self.table[0]:  # below the table time runs linearly to zero noise
            return noise_fraction / noise_fraction_of(math.exp(self.table[0])) / count
        if log_nsr >= self.table[-1]:  # where the last levels are equal too
            return 1.0
        index = bisect_left(self.table, log_nsr)
        below, above = self.table[index - 1], self.table[index]
        return min((index + (log_nsr - below) / (above - below)) / count, 1.0)

    def noise_fraction_at(self, time: float) -> float:
        """Noise fraction at a time in [0, 1]; the inverse of time_of below the top."""
        if not self.table:
            return _bent(time, self.shift) * self.top
        count = len(self.table)
        position = time * count - 1.0  # training timestep as a real number
        if position <= 0.0:
            return time * count * noise_fraction_of(math.exp(self.table[0]))
        index = min(int(position), count - 2)
        step = self.table[index + 1] - self.table[index]
        return noise_fraction_of(math.exp(self.table[index] + (position - index) * step))


def _bent(share: float, shift: float) -> float:
    """A share in [0, 1] with its ratio share / (1 - share) multiplied; the ends stay."""
    return share if shift == 1.0 else shift * share / (1.0 + (shift - 1.0) * share)


def discrete_vp(log_nsr: tuple[float, ...]) -> Schedule:
    """Schedule of a discrete variance-preserving model from its log noise-to-signal table."""
    return Schedule(
        path="vp",
        lowest=noise_fraction_of(math.exp(log_nsr[0])),
        top=noise_fraction_of(math.exp(log_nsr[-1])),
        table=log_nsr,
    )
