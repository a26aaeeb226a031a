"""Kinds of model: the levels a tool's rule picks from.

Discrete models have a table of 1000 timesteps; all of Stable Diffusion 1, 2 and XL share one. Flow
models have a *shift*, which bends their noise level u in [0, 1] to shift u / (1 + (shift - 1) u).
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass, replace

from partway.errors import UnknownName
from partway.schedule import Schedule
from partway.shift import Shift
from partway.strength import noise_fraction_of, nsr_of, sd1_log_nsr


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of model.

    name          for messages
    table         ascending log noise-to-signal ratios by timestep; empty for flows
    shift         of a flow
    leading       its scheduler's file asks for "leading" spacing, whatever the sampler
    own_ends      diffusers takes the scheduler's own (already shifted) ends (SD3)
    terminal      last level to which diffusers draws its grid out; 0 leaves it alone
    """

    name: str
    table: tuple[float, ...] = ()
    shift: float = 1.0
    leading: bool = False
    own_ends: bool = False
    terminal: float = 0.0

    @property
    def is_flow(self) -> bool:
        """Whether it has no table."""
        return not self.table

    @property
    def top_time(self) -> float:
        """The noisiest timestep, 999."""
        return len(self.table) - 1.0

    def shifted(self, u: float) -> float:
        """Noise fraction of a flow's unshifted level u in [0, 1]."""
        return self.shift * u / (1.0 + (self.shift - 1.0) * u)

    def at_time(self, time: float) -> float:
        """Noise fraction at a training timestep, interpolated in log nsr; clamped to the table."""
        time = min(max(time, 0.0), self.top_time)
        index = min(int(time), len(self.table) - 2)
        step = self.table[index + 1] - self.table[index]
        return noise_fraction_of(math.exp(self.table[index] + (time - index) * step))

    def time_of(self, noise_fraction: float) -> float:
        """Training timestep of a noise fraction: the inverse of at_time, clamped likewise."""
        if noise_fraction <= 0.0:
            return 0.0
        log_nsr = math.log(min(nsr_of(noise_fraction), 1e30))
        index = min(max(bisect_left(self.table, log_nsr), 1), len(self.table) - 1)
        below, above = self.table[index - 1], self.table[index]
        return min(max(index - 1 + (log_nsr - below) / (above - below), 0.0), self.top_time)


# Of those whose shift grows with the picture (diffusers 0.42.1, calculate_shift of their pipelines,
# and their schedulers' files).
GROWING = {"flux": Shift(), "qwen-image": Shift(most=(8192.0, 0.9))}
TOKEN = 16  # pixels along its side


def at_size(kind: Kind, width: int, height: int) -> Kind:
    """The kind for a picture of so many pixels: most have one shift for all sizes."""
    if kind.name not in GROWING:
        return kind
    tokens = (width // TOKEN) * (height // TOKEN)
    return replace(kind, shift=GROWING[kind.name].at(tokens))


KINDS: dict[str, Kind] = {
    "sd1": Kind("sd1", table=sd1_log_nsr()),
    "sd2": Kind("sd2", table=sd1_log_nsr()),
    "sdxl": Kind("sdxl", table=sd1_log_nsr(), leading=True),
    "sd3": Kind("sd3", shift=3.0, own_ends=True),
    "flux": at_size(Kind("flux"), 1024, 1024),
    "flux-schnell": Kind("flux-schnell"),
    "z-image": Kind("z-image", shift=3.0),
    "qwen-image": at_size(Kind("qwen-image", terminal=0.02), 1328, 1328),
}
ALIASES = {
    "sd15": "sd1",
    "sd1.5": "sd1",
    "sd21": "sd2",
    "sd2.1": "sd2",
    "xl": "sdxl",
    "sd35": "sd3",
    "sd3.5": "sd3",
    "flux-dev": "flux",
    "schnell": "flux-schnell",
    "zimage": "z-image",
    "qwen": "qwen-image",
}
DEFAULT_KIND = "sd1"


def get_kind(name: str) -> Kind:
    """Look a kind up; UnknownName lists them."""
    key = name.strip().lower().replace("_", "-").replace(" ", "-")
    key = ALIASES.get(key, key)
    if key not in KINDS:
        raise UnknownName("model kind", name, KINDS)
    return KINDS[key]


def kind_of(schedule: Schedule, family: str = "") -> Kind:
    """The kind of one of our models: a table like SD's, or a flow with its own shift."""
    if schedule.table:
        return Kind("sd1", table=schedule.table)
    known = KINDS.get(family.replace("_", "-"), KINDS["flux-schnell"])
    if known.name == "flux" and schedule.shift == 1.0:
        known = KINDS["flux-schnell"]
    return replace(known, shift=schedule.shift)
