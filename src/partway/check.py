"""Whether the dial keeps its promises on a checkpoint with its real weights.

    ends         strength 0 gives the source back; at 1 it makes no difference which source there is
    neighbours   strengths 0.01 apart give different pictures, none of them a jump
    bands        the more strength, the less is kept; near 0 nearly everything
    diffusers    with --as diffusers, the picture that the installed diffusers makes

Each question is asked of one picture and answered by renders, so that whoever has the weights can
see it; Partway's own tests ask the same of tiny checkpoints whose weights are random.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np
from PIL import Image, ImageOps

from partway import images
from partway.checkpoints.reference import reference, version
from partway.errors import PartwayError, UserError
from partway.sheet import Cell, Row, contact_sheet, kept_label, value_label

if TYPE_CHECKING:
    from partway.engine import Engine
    from partway.families import Profile
    from partway.request import EditRequest
    from partway.result import EditResult

Render: TypeAlias = "Callable[[EditRequest], EditResult]"

STRENGTHS = (0.05, 0.2, 0.35, 0.5, 0.65, 0.8, 0.95)
NEIGHBOURS = (0.15, 0.45, 0.75)
APART = 0.01
SLACK = 0.05  # share of structure by which a stronger edit may keep more: one picture is no mean
NEARLY_ALL = 0.85  # share of structure kept at the least strength
ONE_LEVEL = 1.0  # grey level of 255: what rounding alone can make of equal pictures
DECIBELS = 35.0  # of agreement with diffusers in a precision below fp32
WALKS = (("ddim", 1.0), ("euler", 1.0), ("dpmpp_2m", 1.5))  # samplers; guidance × the default
FLOW_WALKS = (("euler", 1.0), ("euler", 1.5))


@dataclass(frozen=True)
class Finding:
    """One question and its answer; passed is None where it cannot be asked of this model."""

    name: str
    passed: bool | None
    detail: str


def check(
    engine: Engine,
    render: Render,
    profile: Profile,
    request: EditRequest,
    say: Callable[[Finding], None],
) -> Image.Image:
    """Ask all questions of a request's source, model and prompt; the contact sheet.

    render  an engine's run, with whatever listener and cancel belong to it
    say     is told each answer as it is found
    """
    for found in ends(render, request):
        say(found)
    say(neighbours(render, request))
    results = [render(request.with_(strength=strength)) for strength in STRENGTHS]
    say(bands(results))
    for found in parity(engine, render, profile, request):
        say(found)
    return sheet(profile, request, results)


def ends(render: Render, request: EditRequest) -> Iterator[Finding]:
    """Both ends of the dial."""
    source = images.load(request.source or b"")
    kept = np.asarray(render(request.with_(strength=0.0)).image)
    same = np.array_equal(kept, np.asarray(source.image))
    yield Finding("strength 0", same, "the source, pixel for pixel" if same else "pixels differ")
    other = ImageOps.invert(Image.fromarray(source.rgb))
    one, two = (
        _pixels(render(request.with_(strength=1.0, source=images.read_bytes(each))))
        for each in (Image.fromarray(source.rgb), other)
    )
    free = np.array_equal(one, two)
    detail = "the same picture from two sources" if free else f"they differ by {_apart(one, two):g}"
    yield Finding("strength 1", free, detail)


def neighbours(render: Render, request: EditRequest) -> Finding:
    """Pairs 0.01 apart at three places, against pairs ten times as far apart."""
    steps: list[float] = []
    for strength in NEIGHBOURS:
        near, here, far = (
            _pixels(render(request.with_(strength=strength + offset)))
            for offset in (APART, 0.0, 10 * APART)
        )
        step, stride = _mean(here, near), _mean(here, far)
        if step == 0.0:
            return Finding("neighbours", passed=False, detail=f"{strength:g} is also {APART} later")
        steps.append(step / max(stride, 1e-9))
    worst = max(steps)
    detail = f"0.01 changes pictures, at most {worst:.0%} as much as 0.1 does"
    return Finding("neighbours", worst < 1.0, detail)


def bands(results: list[EditResult]) -> Finding:
    """What is kept over the dial."""
    kept = [result.kept.structure if result.kept is not None else 0.0 for result in results]
    falls = all(later <= earlier + SLACK for earlier, later in pairwise(kept))
    shown = ", ".join(
        f"{value_label(s)}: {share:.0%}" for s, share in zip(STRENGTHS, kept, strict=True)
    )
    passed = falls and kept[0] >= NEARLY_ALL
    return Finding("bands", passed, f"structure kept at {shown}")


def parity(
    engine: Engine, render: Render, profile: Profile, request: EditRequest
) -> Iterator[Finding]:
    """The same pictures as the installed diffusers makes.

    profile  of the checkpoint on torch, where diffusers runs it; in fp32 for another runtime
    """
    if profile.checkpoint is None:
        yield Finding("diffusers", None, f"does not run {profile.name}")
        return
    precision = request.precision if request.runtime == "auto" else "fp32"
    family: Any = engine.family(profile, precision)
    picture = _cut(Image.fromarray(images.load(request.source or b"").rgb), profile.stride)
    if not all(picture.size):
        yield Finding("diffusers", None, f"the picture has no {profile.stride} pixels a side")
        return
    request = request.with_(source=images.read_bytes(picture), full_steps=None)
    for sampler, factor in FLOW_WALKS if profile.schedule.path == "flow" else WALKS:
        guidance = factor * profile.default_guidance
        name = f"diffusers {version()} {sampler}"
        asked = request.with_(
            dialect="diffusers", sampler=sampler, strength=0.6, steps=5, guidance_scale=guidance
        )
        try:
            made = render(asked)
            theirs = reference(
                family.pipe, profile.checkpoint, profile.family, asked, picture, guidance
            )
        except UserError as error:
            yield Finding(name, None, str(error))
        except PartwayError as error:
            yield Finding(name, passed=False, detail=str(error))
        else:
            yield _agreement(name, _pixels(made), theirs, made.precision)


def _agreement(name: str, made: Any, wanted: Any, precision: str) -> Finding:
    """How near two pictures are, by what a precision allows."""
    ours, theirs = made.astype(float), wanted.astype(float)
    apart = _apart(ours, theirs)
    if precision == "fp32":
        return Finding(name, apart <= ONE_LEVEL, f"at most {apart:.0f} of 255 apart")
    decibels = 10.0 * np.log10(255.0**2 / max(float(np.square(ours - theirs).mean()), 1e-9))
    return Finding(name, bool(decibels >= DECIBELS), f"agree to {decibels:.0f} dB in {precision}")


def _cut(picture: Image.Image, stride: int) -> Image.Image:
    """A picture with sides that are multiples of a stride, which neither program then scales."""
    width, height = (length - length % stride for length in picture.size)
    return picture.crop((0, 0, width, height))


def sheet(profile: Profile, request: EditRequest, results: list[EditResult]) -> Image.Image:
    """The source and its edits over the dial."""
    source = Cell(images.load(request.source or b"").image, "source")
    edits = [
        Cell(result.image, value_label(strength), kept_label(result.kept))
        for strength, result in zip(STRENGTHS, results, strict=True)
    ]
    aside = f"{profile.name} · {request.dial} · seed {request.seed}"
    return contact_sheet([Row(request.prompt, [source, *edits], aside)])


def _pixels(result: EditResult) -> np.ndarray[Any, Any]:
    return np.asarray(result.image.convert("RGB"))


def _apart(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> float:
    """The largest difference, in grey levels."""
    return float(np.abs(one.astype(float) - other).max())


def _mean(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> float:
    """The mean difference, in grey levels."""
    return float(np.abs(cast("Any", one).astype(float) - other).mean())
