"""What every dialect is made of: a setting, a rule, a start.

    rule(value, setting) -> Start

A rule is a tool's own formula, its rounding included. Where the tool fails, so does the rule, with
InvalidRequest.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from partway.dialects.grids import GRIDS, Grid
from partway.dialects.kinds import Kind
from partway.errors import InvalidRequest, UnknownName


@dataclass(frozen=True, slots=True)
class Setting:
    """What else decides where a value starts.

    steps    as typed into the tool, at least 1
    kind     of model
    sampler  a name in partway.samplers, or "pndm", which others have beside those; None is
             the tool's default
    spacing  a name in partway.spacings; None is what the tool takes for the sampler
    """

    steps: int
    kind: Kind
    sampler: str | None = None
    spacing: str | None = None


@dataclass(frozen=True, slots=True)
class Start:
    """Where an edit starts.

    noise_fraction  0 is the source unchanged, 1 is pure noise
    evaluations     network calls per picture (with guidance they count once), at one per step
    step, length    it enters before this step of a schedule of so many
    """

    noise_fraction: float
    evaluations: int
    step: int
    length: int


Rule: TypeAlias = Callable[[float, Setting], Start]


@dataclass(frozen=True, slots=True)
class Dialect:
    """A tool's control.

    control      what the tool calls it
    low, high    its range
    default      its value where the user sets none; None where that was not traced
    inverted     whether its high end keeps the source
    approximate  where the tool's code cannot be read: direction and range are documented, the
                 level is not
    words        presets that stand for values
    source       what was read, and in which version
    """

    rule: Rule
    control: str
    source: str
    low: float = 0.0
    high: float = 1.0
    default: float | None = None
    inverted: bool = False
    approximate: bool = False
    words: Mapping[str, float] = field(default_factory=dict[str, float])

    def start(self, value: float, setting: Setting) -> Start:
        """The rule, within the tool's range; InvalidRequest outside it."""
        if not self.low <= value <= self.high:  # also false for NaN
            percent = f"; try {value:g}%" if 2.0 <= value <= 100.0 else ""
            raise InvalidRequest(
                f"{self.control} is {value:g}, allowed is {self.low:g} … {self.high:g}{percent}"
            )
        return self.rule(value, setting)


def grid_of(setting: Setting, spacings: Mapping[str, str], default: str) -> Grid:
    """The tool's grid for the asked spacing; UnknownName lists those it has.

    spacings  our name of a spacing → a name in GRIDS
    default   where none is asked
    """
    if setting.spacing is None:
        return GRIDS[default]
    if setting.spacing not in spacings:
        raise UnknownName("spacing of this tool", setting.spacing, spacings)
    return GRIDS[spacings[setting.spacing]]


def entered(
    grid: Grid, kind: Kind, step: int, length: int, evaluations: int | None = None
) -> Start:
    """The start of one that enters a schedule of `length` steps before `step`; after all: 0."""
    left = length - step
    fraction = grid(kind, step, length) if left > 0 else 0.0
    return Start(fraction, left if evaluations is None else evaluations, step, length)


def below(grid: Grid, kind: Kind, level: float, length: int) -> int:
    """Index of the last grid point that is not below `level`; 0 where all are."""
    return max((i for i in range(length) if grid(kind, i, length) >= level), default=0)


def float32(value: float) -> float:
    """Rounded to single precision, as C++ tools compute."""
    return float(struct.unpack("f", struct.pack("f", value))[0])


def nothing_left(tool: str, value: float, setting: Setting) -> InvalidRequest:
    """Where a tool fails because no step remains: with few evaluations rounded down, or at 0."""
    steps = setting.steps
    least = "above 0" if setting.kind.is_flow else f"from about {math.ceil(100 / steps) / 100:g}"
    return InvalidRequest(
        f"{tool} fails at {value:g} with {steps} steps: none is left to run; it runs {least}"
    )
