"""The inverse of a rule: which values start at a level.

Rules are stairs, slopes or both, and not all of them rise everywhere. So the whole range is tried,
then the best place is narrowed down, and its stair walked to both ends.
"""

from __future__ import annotations

from dataclasses import dataclass

from partway.dialects.rules import Dialect, Setting, Start
from partway.errors import InvalidRequest, UnknownName

SCAN = 1000  # values tried over a control's range
SAME = 1e-9  # noise fractions closer than this are one level
EDGE = 1e-7  # of a control's range: how finely an interval's ends are found
DIGITS = 4  # to which they are then rounded, inwards
FINEST = 1e-12  # to which a value on a slope is found


@dataclass(frozen=True, slots=True)
class Match:
    """Values of a control that start where was asked, or as near as it can.

    low, high  all between them start there; equal where one value does
    start      where they start
    away       its noise fraction less the one asked
    """

    low: float
    high: float
    start: Start
    away: float

    @property
    def value(self) -> float:
        """A round number between low and high: their middle, to as few digits as fit."""
        middle = (self.low + self.high) / 2
        tries = (round(middle, digits) for digits in range(DIGITS + 1))
        return next((each for each in tries if self.low <= each <= self.high), middle)


def invert(dialect: Dialect, setting: Setting, noise_fraction: float) -> Match:
    """The values of a dialect that start at a noise fraction, or as near as any does.

    InvalidRequest where it fails at every value; UnknownName for a spacing it has not.
    """
    levels = _Levels(dialect, setting)
    width = dialect.high - dialect.low
    values = [dialect.low + width * i / SCAN for i in range(SCAN + 1)]
    misses = {
        i: abs(level - noise_fraction)
        for i, value in enumerate(values)
        if (level := levels.at(value)) is not None
    }
    if not misses:
        dialect.start(dialect.high, setting)  # says why
    best = min(misses, key=lambda i: (misses[i], -i))
    value = values[best]
    if misses[best] > SAME:
        neighbours = values[max(best - 1, 0) : best + 2]
        value = levels.narrowed(value, neighbours, noise_fraction)
    start = dialect.start(value, setting)
    low = levels.edge(value, [v for v in reversed(values) if v < value], EDGE * width)
    high = levels.edge(value, [v for v in values if v > value], EDGE * width)
    return Match(low, high, start, start.noise_fraction - noise_fraction)


class _Levels:
    """Start levels of a dialect over its values."""

    def __init__(self, dialect: Dialect, setting: Setting) -> None:
        self._dialect, self._setting = dialect, setting

    def at(self, value: float) -> float | None:
        """The noise fraction a value starts at; None where the program fails."""
        try:
            return self._dialect.start(value, self._setting).noise_fraction
        except UnknownName:
            raise
        except InvalidRequest:
            return None

    def same(self, value: float, other: float) -> bool:
        """Whether two values start alike."""
        here, there = self.at(value), self.at(other)
        return here is not None and there is not None and abs(here - there) <= SAME

    def narrowed(self, value: float, neighbours: list[float], wanted: float) -> float:
        """The value between neighbours of `value` whose level is nearest to the wanted one.

        By bisection towards each neighbour on the other side of it.
        """
        tried = [value]
        for neighbour in neighbours:
            here, there = self.at(value), self.at(neighbour)
            if here is None or there is None or (here - wanted) * (there - wanted) >= 0.0:
                continue
            inside, outside = value, neighbour
            while abs(outside - inside) > FINEST:
                middle = (inside + outside) / 2
                found = self.at(middle)
                if found is not None and (found > wanted) == (here > wanted):
                    inside = middle
                else:
                    outside = middle
            tried += [inside, outside]
        misses = {
            each: abs(level - wanted) for each in tried if (level := self.at(each)) is not None
        }
        return min(misses, key=lambda each: misses[each])

    def edge(self, value: float, onwards: list[float], precision: float) -> float:
        """How far values like `value` go on, among those further and further away from it."""
        inside, outside = value, None
        for each in onwards:
            if not self.same(each, value):
                outside = each
                break
            inside = each
        while outside is not None and abs(outside - inside) > precision:
            middle = (inside + outside) / 2
            inside, outside = (middle, outside) if self.same(middle, value) else (inside, middle)
        inwards = 0.5 * 10**-DIGITS * (-1.0 if inside > value else 1.0)
        tries = (round(inside, DIGITS), round(inside + inwards, DIGITS))
        return next((each for each in tries if self.same(each, value)), inside)
