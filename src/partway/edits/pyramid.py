"""Restyling in the manner of reference pictures: one sampler's walk per scale, coarse to fine.

    coarsest   from the source noised to the level of the plan; at strength 1 from noise alone
    finer      from strong noise over the enlarged result; the clean estimate's low band is held to
               that result, so that only detail is invented anew (Qiu, Kutulakos & Lindell 2026)

Everything passes through the same batcher and samplers as any other edit: a scale is a solver, and
the whole is one coroutine of network rows whose shapes grow on the way.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from partway import images
from partway.color import matched, with_hues
from partway.denoiser import Array, Rows, Solver, guide
from partway.edits.img2img import check_finite
from partway.errors import InvalidRequest
from partway.full_size import carry, enlarged
from partway.geometry import Canvas, Extent
from partway.guidance import Guidance
from partway.noise import Noise
from partway.samplers import get_sampler
from partway.schedule import Level, Schedule
from partway.spacings import get_spacing
from partway.strength import nsr_of
from partway.strength_map import keep_source

if TYPE_CHECKING:
    from PIL.Image import Image

    from partway.edits.region import Part
    from partway.families import Family
    from partway.families.exemplar import Manner
    from partway.images import Picture
    from partway.plan import Plan
    from partway.request import EditRequest

LEAST, MOST = 192, 512  # long side worked on, pixels; smaller pictures are enlarged
COARSEST = 96  # long side of the first scale: fixed, so that a level means the same at any size
SHORTEST = 8  # short side of a very long picture, pixels
SCALES = 3

# For the finer scales: noise fraction they start at, and their steps as a share of a full run.
STARTS = (0.8, 0.9)
STEPS = (0.5, 0.67)
# How far a patch may differ from the source's own, per scale, times the noise-to-signal ratio.
TOLERANCES = (0.18, 0.46, 0.74)
LEAST_TOLERANCE = 1e-4  # of a map's darkest shades, where a ratio must stay finite
# Palette taken from the reference: most of it from this noise fraction on.
PALETTE, PALETTE_FULL_AT = 0.85, 0.45
RECOLORED_AT = 0.05  # the same with recolor: nearly at once, and still nothing at 0
HUES = 0.30  # with keep_colors: how far the colours of a patch may move
HUES_LET_GO = 0.8  # noise fraction from which keep_colors fades, to nothing at 1


@dataclass(frozen=True, slots=True)
class Scale:
    """One scale: its size and the levels walked there."""

    extent: Extent
    levels: tuple[Level, ...]


def canvas(request: EditRequest, native: int, picture: Picture | None) -> Canvas:
    """Where the edit takes place: the long side within LEAST … MOST, never enlarged beyond that."""
    extent = Extent(*(request.size or (native, native))) if picture is None else picture.extent
    side = min(max(*extent, LEAST), MOST * request.working_multiple)
    return at_side(extent, side)


def at_side(extent: Extent, side: int) -> Canvas:
    """The canvas of a picture scaled to this long side."""
    fitted = _scaled(extent, side)
    return Canvas(extent, fitted, fitted)


def _scaled(extent: Extent, side: int) -> Extent:
    """An extent with this long side."""
    scale = side / max(extent)
    return Extent(*(max(round(length * scale), SHORTEST) for length in extent))


def scales(request: EditRequest, plan: Plan, schedule: Schedule, place: Canvas) -> list[Scale]:
    """Sizes and levels, coarse to fine; the first walks the plan's own levels."""
    side = max(place.fitted)
    first = min(COARSEST, side)
    full = plan.intervals if plan.full_steps is None else plan.full_steps
    spacing = get_spacing(request.spacing)
    found = [Scale(_scaled(place.fitted, first), plan.levels)]
    for number, (start, share) in enumerate(zip(STARTS, STEPS, strict=True), 1):
        size = round(first * (side / first) ** (number / (SCALES - 1)))
        extent = place.fitted if number == SCALES - 1 else _scaled(place.fitted, size)
        fractions = spacing(schedule, start, max(math.ceil(full * share), 1))
        found.append(Scale(extent, tuple(schedule.level(f) for f in fractions)))
    return found


def evaluations(request: EditRequest, plan: Plan) -> int:
    """Network calls of the whole pyramid."""
    full = plan.intervals if plan.full_steps is None else plan.full_steps
    intervals = [plan.intervals, *(max(math.ceil(full * share), 1) for share in STEPS)]
    return sum(get_sampler(request.sampler).evaluations(n) for n in intervals)


def check(request: EditRequest) -> None:
    """InvalidRequest for what a reference-driven edit cannot follow."""
    if not request.references:
        raise InvalidRequest(
            "exemplar needs a picture to take its manner from: "
            "--style watercolour (see `partway styles`) or --style FILE"
        )
    if request.prompt.strip() or request.negative_prompt.strip():
        raise InvalidRequest(
            "a prompt cannot be followed together with a style picture: the offline restyler "
            "(exemplar) reads pictures, no words. Leave the prompt out, or leave --style out"
        )
    if request.guidance_scale not in {None, 1.0}:
        raise InvalidRequest("exemplar has no prompt to weigh: leave --guidance out")
    if request.true_cfg_scale != 1.0:
        raise InvalidRequest("exemplar has no prompt to weigh: leave --true-cfg-scale out")


def begin(
    request: EditRequest,
    plan: Plan,
    ladder: Sequence[Scale],
    source: Array | None,
    manner_at: Callable[[int], Manner],
    part: Part | None = None,
) -> Rows:
    """The walks as one coroutine of network rows; returns the finest result (3, h, w) opponent.

    source     (3, h, w) opponent at the working size; where the plan is pure noise only a part
               looks at it
    part       what of the source is edited: the coarsest scale keeps the rest, of which all is
               the source's own at the end. With shades each position has its own noise fraction
               in all that depends on the plan's
    manner_at  the references' condition for a long side in pixels
    """
    result: Array | None = None
    shades = part is not None and part.region.shades
    keeps = source is not None and (shades or plan.kappa * plan.levels[0].alpha > 0.0)
    sampler = get_sampler(request.sampler)
    if shades and sampler.shaded is not None:
        sampler = get_sampler(sampler.shaded)
    for number, scale in enumerate(ladder):
        width, height = scale.extent
        manner = manner_at(max(scale.extent))
        fractions = _fractions(plan, part, scale.extent)
        own: Array | None = None
        if keeps and source is not None:
            own = _own(resized(source, width, height), result, manner, fractions, request)
        base = own if own is not None else result
        if own is None and result is not None:
            base = resized(result, width, height)
        start = scale.levels[0]
        noise = Noise(_seed(request.seed, number), (3, height, width))
        x = start.sigma * noise()
        if base is not None:
            x = (plan.kappa if number == 0 else 1.0) * start.alpha * base + x
        tolerance = _tolerance(number, fractions) if keeps else 0.0
        hues = HUES * float(hues_kept(request, plan.noise_fraction))
        condition = manner.beside(own, tolerance, (0.0, hues))
        solver = sampler.solve(x.astype(np.float32), scale.levels, noise)
        if result is not None:
            solver = keep_layout(solver, result)
        elif part is not None and source is not None:
            let_go = _on_scale(part, scale.extent)
            solver = keep_source(solver, resized(source, width, height), let_go)
        result = yield from guide(solver, condition, condition, Guidance())
    if result is None:
        raise AssertionError("a pyramid has at least one scale")
    return result


def _on_scale(part: Part, extent: Extent) -> Array:
    """(1, h, w) noise fractions of a part's positions on a scale."""
    return np.clip(enlarged(part.noise_fractions[0], *extent), 0.0, 1.0)[None]


def _fractions(plan: Plan, part: Part | None, extent: Extent) -> float | Array:
    """The noise fraction that an edit starts at: the plan's, with shades each position's own."""
    if part is None or not part.region.shades:
        return plan.noise_fraction
    return _on_scale(part, extent)


def _tolerance(number: int, fractions: float | Array) -> float | Array:
    """How far a patch of a scale may differ from the source's own."""
    if not isinstance(fractions, np.ndarray):
        return TOLERANCES[number] * nsr_of(fractions)
    with np.errstate(divide="ignore"):  # at pure noise any patch may be taken
        return np.maximum(TOLERANCES[number] * fractions / (1.0 - fractions), LEAST_TOLERANCE)


def _own(
    source: Array,
    coarse: Array | None,
    manner: Manner,
    fractions: float | Array,
    request: EditRequest,
) -> Array:
    """What a scale starts from: the source in the new palette, over the coarser result if any."""
    full_at = RECOLORED_AT if request.recolor else PALETTE_FULL_AT
    share = PALETTE * np.minimum(fractions / full_at, 1.0)
    reference = np.concatenate([_line(p) for p in manner.pictures], axis=2)
    palette = matched(source, reference, share)
    if request.keep_colors:
        light = np.concatenate([matched(source[:1], reference[:1], share), source[1:]])
        palette += hues_kept(request, fractions) * (light - palette)
    source = palette
    if coarse is None:
        return source
    detail = source - _low_band(source, coarse.shape)
    height, width = source.shape[1:]
    return resized(coarse, width, height) + (1.0 - fractions) * detail


def hues_kept(request: EditRequest, fractions: float | Array) -> float | Array:
    """Share of the source's own hues, 0 … 1: none unless asked, and none at strength 1."""
    if not request.keep_colors:
        return 0.0
    let_go = (fractions - HUES_LET_GO) / (1.0 - HUES_LET_GO)
    kept = 1.0 - np.clip(let_go, 0.0, 1.0)
    return kept if isinstance(fractions, np.ndarray) else float(kept)


def _line(picture: Array) -> Array:
    """A picture's pixels as (3, 1, h * w)."""
    return picture.reshape(3, 1, -1)


def _seed(seed: int, number: int) -> int:
    """A seed of its own for each scale; the first is the request's."""
    return (seed + 0x9E3779B9 * number) % 2**32


def keep_layout(solver: Solver, coarse: Array) -> Solver:
    """Hold the low band of every clean estimate to a coarser result (3, h', w')."""
    wide: Array | None = None
    try:
        query = next(solver)
        while True:
            x0 = yield query
            if wide is None:
                wide = resized(coarse, x0.shape[2], x0.shape[1])
            query = solver.send(x0 + wide - _low_band(x0, coarse.shape))
    except StopIteration as done:
        return done.value
    finally:
        solver.close()


def _low_band(picture: Array, coarse: tuple[int, ...]) -> Array:
    """What of a picture a coarser scale can hold."""
    small = resized(picture, coarse[2], coarse[1])
    return resized(small, picture.shape[2], picture.shape[1])


def resized(picture: Array, width: int, height: int) -> Array:
    """A picture (3, h, w) at another size; the same array where it fits."""
    if picture.shape[1:] == (height, width):
        return picture
    return np.stack([enlarged(plane, width, height) for plane in picture])


def finish(
    request: EditRequest,
    plan: Plan,
    family: Family,
    latents: Array,
    place: Canvas,
    picture: Picture | None,
    source: Array | None,
    part: Part | None = None,
) -> Image:
    """The final picture at the source's own size, with its alpha."""
    check_finite(latents, "sampling")
    if source is None or picture is None:
        return images.compose(images.from_canvas(family.decode(latents), place), picture)
    fractions = _fractions(plan, part, place.fitted)
    latents = with_hues(latents, source, hues_kept(request, fractions))
    working = Canvas(place.fitted, place.fitted, place.fitted)
    result = images.from_canvas(family.decode(latents), working)
    reduced = images.from_canvas(family.decode(source), working)
    share = 1.0 - plan.noise_fraction
    if part is not None:
        detail = 1.0 - fractions[0] if isinstance(fractions, np.ndarray) else share
        values = carry(result, reduced, part.seen.rgb, detail)
        return part.composed(values, picture, share)
    values = carry(result, reduced, picture.rgb, share)
    return images.compose(values, picture, share)


def preview(family: Family, estimate: Array, place: Canvas) -> Image:
    """A clean estimate of any scale as a picture of the final size."""
    size = Extent(estimate.shape[2], estimate.shape[1])
    values = images.from_canvas(family.decode(estimate), Canvas(place.source, size, size))
    return images.compose(values, None)
