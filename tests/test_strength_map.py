"""Positions of a map follow their own noise level, also where steps are few and wide."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from partway.denoiser import Array
from partway.families.analytic import posterior_mean
from partway.noise import Noise
from partway.plan import plan_edit
from partway.samplers.euler import euler
from partway.schedule import Level, Schedule
from partway.strength_map import asks_again, keep_source

FLOW, VP = Schedule(path="flow"), Schedule(path="vp")

MEANS = np.array([[-0.8, 0.5, 0.1], [0.6, 0.6, -0.4], [0.2, -0.7, 0.9]], np.float64)


def with_map(
    strength_map: Array,
    steps: int,
    start: float = 0.9,
    *,
    again: bool = True,
    path: Schedule = FLOW,
    full: bool = False,
    spread: float = 0.2,
) -> tuple[Array, Array]:
    """A walk of `steps`, or of the density of a full run of so many; the result and the source."""
    own, density = (None, steps) if full else (steps, None)
    levels = plan_edit(start, path, dial="noise", steps=own, full_steps=density).levels
    rng = np.random.RandomState(3)
    # rows are independent draws, columns the shades of the map
    source = rng.uniform(-1, 1, (3, 400, 1)) * np.ones((3, 400, strength_map.shape[-1]))
    eps = rng.standard_normal((3, 400, 1)) * np.ones_like(source)
    x = levels[0].alpha * source + levels[0].sigma * eps
    lowest = float(strength_map[strength_map > 0.0].min())
    solver = euler(x, levels, Noise(1, x.shape))
    solver = keep_source(solver, source, strength_map, again=again and asks_again(levels, lowest))
    try:
        query = next(solver)
        while True:
            query = solver.send(posterior_mean(query.x, query.level, MEANS, spread))
    except StopIteration as done:
        return done.value, source


def test_keep_source_ends() -> None:
    ends = np.array([[[0.0, 1.0]]])
    result, source = with_map(ends, steps=8)
    assert result[..., 0] == pytest.approx(source[..., 0], abs=1e-12)
    free, _ = with_map(np.ones((1, 1, 2)), steps=8)
    assert result[..., 1] == pytest.approx(free[..., 1])
    assert np.abs(free - source).max() > 0.1


def test_keep_source_gives_every_shade_its_own_result() -> None:
    """91 shades at 4 steps: all distinct, change rising with the shade."""
    shades = np.linspace(0.0, 0.9, 91)[None, None]
    result, source = with_map(shades, steps=4)
    assert (np.diff(result, axis=-1) != 0.0).all()
    change = np.sqrt(np.square(result - source).mean(axis=(0, 1)))
    assert (np.diff(change) > 0).all()


def test_keep_source_matches_a_whole_run_at_the_same_strength() -> None:
    shade = 0.6
    masked, source = with_map(np.full((1, 1, 1), shade), steps=60)
    whole, _ = with_map(np.ones((1, 1, 1)), steps=60, start=shade)
    changes = [float(np.sqrt(np.square(r - source).mean())) for r in (masked, whole)]
    assert changes[0] == pytest.approx(changes[1], rel=0.1)


def changes(strength_map: Array, result: Array, source: Array) -> list[float]:
    """Root mean square change of each shade."""
    assert result.shape[-1] == strength_map.shape[-1]
    return np.sqrt(np.square(result - source).mean(axis=(0, 1))).tolist()


def whole_runs(shades: Array, steps: int, **more: Any) -> list[float]:
    """Changes of runs of each strength, of the same density."""
    one = np.ones((1, 1, 1))
    return [
        changes(one, *with_map(one, steps, float(s), full=True, **more))[0] for s in shades.flat
    ]


@pytest.mark.parametrize("steps", [4, 30])
def test_a_gradient_map_is_followed(steps: int) -> None:
    """Correlation of map and local change, as Differential Diffusion measures it."""
    shades = np.linspace(0.0, 0.9, 46)[None, None]
    result, source = with_map(shades, steps)
    change = np.abs(result - source).mean(axis=(0, 1))
    assert np.corrcoef(shades.flat, change)[0, 1] >= 0.97
    assert change[0] == pytest.approx(0.0, abs=1e-12)
    some = shades[..., 4::8]
    change = changes(shades, result, source)
    assert np.corrcoef(whole_runs(some, steps), change[4::8])[0, 1] >= 0.998


def mean_change(shades: Array, steps: int) -> Array:
    """Of each shade."""
    result, source = with_map(shades, steps)
    return np.abs(result - source).mean(axis=(0, 1))


def gradient(x: Array, _: Array) -> Array:
    return (x + 1.0) / 2.0


def triangle(x: Array, _: Array) -> Array:
    return 1.0 - np.abs(x)


def star(x: Array, y: Array) -> Array:
    """A complex shape: a soft star of five points."""
    angle, radius = np.arctan2(y, x), np.hypot(x, y)
    return np.clip(1.2 - radius / (0.6 + 0.2 * np.cos(5 * angle)), 0.0, 1.0)


@pytest.mark.parametrize("steps", [4, 30])
@pytest.mark.parametrize(("shape", "least"), [(gradient, 0.97), (triangle, 0.93), (star, 0.81)])
def test_maps_are_followed_as_in_differential_diffusion(
    shape: Callable[[Array, Array], Array], least: float, steps: int
) -> None:
    """Their three maps and their figures, on a dial whose whole strengths change evenly."""
    y, x = np.mgrid[-1.0:1.0:16j, -1.0:1.0:16j]
    shares, of_pixel = np.unique(shape(x, y).round(2), return_inverse=True)
    noise = np.linspace(0.0, 0.9, 19)
    whole = mean_change(noise[None, None], 60)
    shades = np.asarray(np.interp(shares * whole[-1], whole, noise), np.float64)
    change = mean_change(shades[None, None], steps)
    assert np.corrcoef(shares[of_pixel].flat, change[of_pixel].flat)[0, 1] >= least


@pytest.mark.parametrize("spread", [0.08, 0.2])
@pytest.mark.parametrize("path", [FLOW, VP])
@pytest.mark.parametrize("steps", [3, 4, 6, 8, 30])
def test_a_shade_changes_as_a_run_of_its_strength(
    path: Schedule, steps: int, spread: float
) -> None:
    """Within 10 % from 3 steps up; at 4 one answer would be a third off."""
    shades = np.arange(0.1, 0.95, 0.1)[None, None]
    whole = whole_runs(shades, steps, path=path, spread=spread)
    mapped = changes(shades, *with_map(shades, steps, 1.0, path=path, spread=spread))
    assert mapped == pytest.approx(whole, rel=0.1)
    if steps == 4 and spread == 0.08:
        once = with_map(shades, steps, 1.0, again=False, path=path, spread=spread)
        assert changes(shades, *once) != pytest.approx(whole, rel=0.3)


def test_free_positions_are_not_touched_by_the_second_answer() -> None:
    ends = np.array([[[0.0, 0.1, 1.0]]])
    again, source = with_map(ends, steps=4)
    once, _ = with_map(ends, steps=4, again=False)
    assert np.array_equal(again[..., 0], source[..., 0])
    assert np.array_equal(again[..., 2], once[..., 2])
    assert not np.allclose(again[..., 1], once[..., 1])


def test_what_asks_again() -> None:
    def levels(*fractions: float) -> list[Level]:
        return [FLOW.level(fraction) for fraction in fractions]

    assert asks_again(levels(1.0, 0.25, 0.0), 0.1)
    assert not asks_again(levels(1.0, 0.25, 0.0), 0.25)
    assert not asks_again(levels(1.0, 0.25, 0.0), 1.0)
    assert not asks_again(levels(1.0, 0.05, 0.0), 0.01)
    assert not asks_again(levels(1.0, 0.0), 0.5)
    assert not asks_again([], 0.5)
