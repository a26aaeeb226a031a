"""Finished pictures as results: measured, with how they came about and notes for who asked."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from partway import images
from partway.edits.upscale import extent_of
from partway.fidelity import Kept, kept
from partway.result import EditResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL.Image import Image

    from partway.batcher import Job
    from partway.families import Family, Profile
    from partway.geometry import Canvas
    from partway.images import Picture
    from partway.plan import Plan
    from partway.request import EditRequest
    from partway.run import Mode

WHOLE = Kept(structure=1.0, color=1.0)  # what identical pictures score
ENLARGED = 4  # times a result is scaled up before that is worth a note


def enlarged(profile: Profile, place: Canvas) -> tuple[str, ...]:
    """A note where the result is much larger than what the model draws."""
    factor = max(place.source) / max(place.fitted)
    if factor < ENLARGED:
        return ()
    side = profile.native_size
    return (f"{profile.name} draws at {side} pixels: this result is enlarged {factor:.0f} times",)


def unread(family: Family, request: EditRequest) -> tuple[str, ...]:
    """Notes on words that are not read: beyond a family's length, or negative where none act."""
    notes: Callable[[str], tuple[str, ...]] = getattr(family, "notes", _nothing)
    built_in = family.profile.built_in_guidance and request.true_cfg_scale == 1.0
    if request.negative_prompt and built_in:
        note = f"{family.profile.name} has guidance built in: a negative prompt acts only "
        return (*notes(request.prompt), note + "with --true-cfg-scale, at two evaluations a step")
    return (*notes(request.prompt), *notes(request.negative_prompt))


def _nothing(prompt: str) -> tuple[str, ...]:
    """Of a family that reads whole prompts."""
    del prompt
    return ()


def unpasted(request: EditRequest) -> tuple[str, ...]:
    """A note where a mask's outside does not stay as it is."""
    if request.dialect is None or request.mask is None:
        return ()
    note = "pastes nothing back: outside the mask are the autoencoder's pixels, not the source's"
    return (f"{request.dialect} {note}; leave --as out to keep those",)


def finished(
    image: Image,
    drawn: Image,
    request: EditRequest,
    plan: Plan,
    job: Job,
    picture: Picture | None,
    family: Family,
    mode: Mode,
    began: float,
) -> EditResult:
    """A finished picture with how it came about; what was kept is read off `drawn`."""
    return EditResult(
        image=image,
        request=request,
        plan=plan,
        evaluations=job.evaluations,
        kept=_kept(request, picture, drawn),
        seconds=time.perf_counter() - began,
        model=family.profile.name,
        precision=family.precision,
        mode=mode,
        warnings=(*_warnings(request, picture), *_shallower(picture)),
        carried=images.NOTHING if picture is None else picture.carried,
    )


def _kept(request: EditRequest, picture: Picture | None, drawn: Image) -> Kept | None:
    """How much of a source is left; nothing is said of one that was extended, since it all is."""
    if picture is None or request.extend is not None:
        return None
    return kept(picture.rgb, images.rgb_of(drawn))


def _shallower(picture: Picture | None) -> tuple[str, ...]:
    """A note where the source has finer shades than its results."""
    if picture is None or not picture.deep:
        return ()
    return ("the source has more than 8 bits per channel: results above strength 0 have 8",)


def untouched(
    request: EditRequest, picture: Picture | None, plan: Plan, mode: Mode, began: float
) -> EditResult:
    """The source, extended or enlarged where that is asked for, as the result of strength 0."""
    if picture is None:
        raise AssertionError("without a source strength is 1")
    if request.scale is None:
        image = picture.image.copy()  # the cached source is never handed out
    else:
        image = images.enlarge(picture, extent_of(picture.extent, request.scale)).image()
    return EditResult(
        image=image,
        request=request,
        plan=plan,
        evaluations=0,
        kept=WHOLE if request.extend is None else None,
        seconds=time.perf_counter() - began,
        model=None,
        precision="none",
        mode=mode,
        warnings=_warnings(request, picture),
        carried=picture.carried,
    )


def _warnings(request: EditRequest, picture: Picture | None) -> tuple[str, ...]:
    """Notes that belong to the result itself, whatever the interface."""
    if picture is None:
        if request.strength is None:
            return ()
        return ("no source: strength has no effect, this is text-to-image",)
    return picture.notes
