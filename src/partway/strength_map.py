"""A strength map wraps the denoiser: every position keeps the source down to its own noise level.

    x0 = w * model + (1 - w) * source,    w = (m - t) / (h - t), 0 … 1

on a step from noise fraction h to t, for a position that lets go of the source at m: below the
step it keeps the source (x0 = source: it follows the source's own noised path), above it is free,
inside it is mixed, so that shades are continuous at any step count.

The network is asked at h for all positions. A run of that shade alone would ask at m, and what a
network answers far above m says little about m: where the last step is wide, as the last of four,
places of low shade would change by two fifths too little or a quarter too much. There it is asked
once more, on the way:

    h ──────── u = 1/8, 0.6 h ───── 0     free positions take what was said at h, as ever;
       w as above          w as above     others step to u and take what is said there

docs/results/maps.md has the measurements, docs/decisions/0005 what else was tried.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from partway.denoiser import Query
from partway.plan import SAME_LEVEL
from partway.samplers.euler import step
from partway.schedule import Level, at_fraction

if TYPE_CHECKING:
    from partway.denoiser import Array, Solver

WIDE = 1 / 16  # noise fraction from which down to 0 is too far for one answer
MIDDLE = 1 / 8  # noise fraction where it asks once more,
BELOW = 0.6  # or this share of the step's own where that is lower
SOON = 3  # power that hands a position over from the first answer to the second


def asks_again(levels: Sequence[Level], lowest: float) -> bool:
    """Whether a walk of these levels ends with a step in which shades need a second answer.

    lowest  noise fraction above 0 at which the last of all positions lets go of the source

    Not from pure noise, where nothing of the source is left to follow.
    """
    if len(levels) < 2 or levels[-2].alpha == 0.0:
        return False
    return max(WIDE, lowest) < levels[-2].noise_fraction - SAME_LEVEL


def keep_source(
    solver: Solver, source: Array, strength_map: Array, *, again: bool = False
) -> Solver:
    """Wrap a solver so that each position follows its own noise fraction.

    source        (C, h, w) clean latents
    strength_map  (1, h, w) noise fraction m at which each position lets go of the source
    again         whether the last step asks once more: `asks_again`

    Both questions of a two-stage step have its weight.
    """
    try:
        query = next(solver)
        while True:
            x0 = yield query
            if again and query.there.sigma == 0.0:
                x0 = yield from _in_two(query, x0, source, strength_map)
            else:
                x0 = _mixed(x0, source, _weight(strength_map, query.here, query.there))
            query = solver.send(x0)
    except StopIteration as done:
        return done.value
    finally:
        solver.close()


def _weight(strength_map: Array, here: Level, there: Level) -> Array:
    """(1, h, w) of the model's share on a step."""
    h, t = here.noise_fraction, there.noise_fraction
    return np.clip((strength_map - t) / (h - t), 0.0, 1.0)


def _mixed(x0: Array, other: Array, weight: Array) -> Array:
    return weight * x0 + (1.0 - weight) * other


def _in_two(
    query: Query, x0: Array, source: Array, strength_map: Array
) -> Generator[Query, Array, Array]:
    """The clean estimate of the last step, which is its result: two steps where shades are low.

    A position just below h has its first answer still, so that shades stay continuous.
    """
    middle = at_fraction(min(MIDDLE, BELOW * query.here.noise_fraction), query.here)
    first = _weight(strength_map, query.here, middle)
    x = step(query.x, _mixed(x0, source, first), query.here, middle)
    later = yield Query(x, query.here, query.there, at=middle)
    second = _mixed(later, source, _weight(strength_map, middle, query.there))
    return _mixed(x0, second, first**SOON)
