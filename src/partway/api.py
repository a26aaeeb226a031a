"""The calls most programs need. One engine per process serves them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from partway.choosing import choose_model
from partway.edits.sweep import sweep_requests
from partway.edits.target import check_keep, find
from partway.engine import Engine
from partway.errors import InvalidRequest, PartwayError, UnknownName
from partway.fields import number
from partway.images import ImageLike, load, read_bytes
from partway.margins import Margins, margins_of
from partway.metadata import read_metadata
from partway.metadata.replay import is_same, record_of, replay_of
from partway.outline import calibration_of
from partway.request import EditRequest
from partway.result import EditResult, Names
from partway.samplers.names import resolve_sampler
from partway.settings import load_settings
from partway.strength import named_strength

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from partway.geometry import Extent

OTHER_PIXELS = "its pixels are not those the record was written for"
DEFAULT_SWEEP = (0.0, 0.2, 0.35, 0.5, 0.65, 0.8, 1.0)


@cache
def _engine() -> Engine:
    """The process's engine, made on first use."""
    return Engine()


def _known(options: dict[str, Any]) -> dict[str, Any]:
    """The options, if they are fields of EditRequest; UnknownName suggests the nearest.

    A sampler may go by any usual name; a spacing at its end counts unless one is given.
    """
    names = {field.name for field in fields(EditRequest)}
    for name in options:
        if name not in names:
            raise UnknownName("option", name, names)
    for name in ("mask", "strength_map"):
        if options.get(name) is not None:
            options[name] = read_bytes(options[name])
    if isinstance(options.get("sampler"), str):
        sampler, spacing = resolve_sampler(options["sampler"])
        options["sampler"] = sampler
        if spacing is not None:
            options.setdefault("spacing", spacing)
    return options


def edit(
    image: ImageLike | None,
    prompt: str = "",
    *,
    strength: float | str | None = None,
    keep: float | None = None,
    **options: Any,
) -> EditResult:
    """Edit one picture; None as the image makes one from the prompt alone.

    image     a path, the bytes of an image file, a PIL image, or a uint8 array (H, W), (H, W, 3)
              or (H, W, 4); sRGB
    strength  0 returns the source unchanged, 1 ignores it; default 0.5; or one of "subtle",
              "balanced", "strong" and "reimagine", as the model's calibration has them
    keep      instead of a strength: the share of structure to keep, 0 … 1. The strength is found
              in at most six runs, within two points where the picture allows it, and stands in
              the result's request
    options   any other field of EditRequest: seed, model, steps, guidance_scale …; mask and
              strength_map are pictures as `image` is; extend may also be a ratio or size, "16:9",
              or sides, {"left": 64, "top": "25%"}

    The result's .image is a PIL image of the source's size, or larger where it is extended. Raises
    PartwayError and nothing else on bad input. The same arguments give the same picture, bit for
    bit.
    """
    source = None if image is None else read_bytes(image)
    names = Names(
        _name(image),
        mask=_name(options.get("mask")),
        strength_map=_name(options.get("strength_map")),
    )
    if source is not None and isinstance(options.get("extend"), (str, Mapping)):
        options["extend"] = _margins(load(source).extent, options["extend"])
    plain = None if isinstance(strength, str) else strength
    request = EditRequest(prompt=prompt, source=source, strength=plain, **_known(options))
    if keep is None and not isinstance(strength, str):
        return replace(_engine().run(request), names=names)
    if keep is not None and strength is not None:
        raise InvalidRequest("give strength or keep, not both")
    share = None if keep is None else check_keep(number("keep", keep))
    picture = None if source is None else load(source)
    profile = choose_model(request.model, picture, with_references=bool(request.references))
    request = request.with_(model=request.model or profile.name)
    gain, curve = calibration_of(request, profile)
    if share is not None:
        found = find(_engine().run, request, share, gain=gain, curve=curve)
        return replace(found.result, names=names)
    word = named_strength(str(strength), request.dial, gain, curve)
    return replace(_engine().run(request.with_(strength=word)), names=names)


def _margins(source: Extent, asked: str | Mapping[str, str | int]) -> Margins:
    """Margins from a ratio or size, or from sides by name."""
    if isinstance(asked, str):
        return margins_of(source, {}, asked)
    for name in asked:
        if name not in Margins._fields:
            raise UnknownName("side", name, Margins._fields)
    return margins_of(source, asked)


def _name(image: ImageLike | None) -> str | None:
    """The file a picture comes from, if it has one."""
    return os.fspath(image) if isinstance(image, (str, os.PathLike)) else None


def replay(
    file: str | os.PathLike[str],
    *,
    source: ImageLike | None = None,
    references: Sequence[ImageLike] = (),
    mask: ImageLike | None = None,
    strength_map: ImageLike | None = None,
    loras: Sequence[str] = (),
    model: str | None = None,
    anyway: bool = False,
) -> EditResult:
    """Make the picture of a file again from the record in it, bit for bit.

    source …  where these files are now; else they are looked for beside the file, by name and by
              content
    model     the folder of the checkpoint, where it does not come with Partway
    anyway    go on although source, style picture or model is not what the record says

    The result's warnings say what differed, and where its pixels are not those of the record.
    NoMetadata for a file without a record, InputsDiffer for inputs that are gone or changed.
    """
    document = record_of(read_metadata(file))
    found = replay_of(
        document,
        Path(file).parent,
        source=None if source is None else read_bytes(source),
        references=[read_bytes(each) for each in references],
        mask=None if mask is None else read_bytes(mask),
        strength_map=None if strength_map is None else read_bytes(strength_map),
        loras=loras,
        model=model,
        configured=load_settings().model,
        anyway=anyway,
    )
    result = _engine().run(found.request)
    notes = [*result.warnings, *found.notes]
    if is_same(result, document) is False:
        notes.append(OTHER_PIXELS)
    names = Names.recorded(document, Path(file).parent)
    given = [_name(each) for each in references]
    names = replace(
        names,
        source=_name(source) or names.source,
        references=(*given, *names.references[len(given) :]),
        mask=_name(mask) or names.mask,
        strength_map=_name(strength_map) or names.strength_map,
    )
    return replace(result, warnings=tuple(notes), names=names)


def sweep(
    image: ImageLike,
    prompt: str = "",
    strengths: Iterable[float] = DEFAULT_SWEEP,
    **options: Any,
) -> list[EditResult]:
    """Edit one picture at several strengths in one batched run; same seed, same noise.

    Arguments as in `edit`; one result per strength, in their order. Raises the first error.
    """
    request = EditRequest(prompt=prompt, source=read_bytes(image), **_known(options))
    try:
        dial = [number("strengths", strength) for strength in strengths]
    except TypeError as error:
        raise InvalidRequest(f"strengths is {strengths!r}, want several numbers") from error
    if not dial:
        raise InvalidRequest("strengths is empty, want at least one number from 0 to 1")
    outcomes = _engine().run_many(sweep_requests(request, dial))
    results: list[EditResult] = []
    for outcome in outcomes:
        if isinstance(outcome, PartwayError):
            raise outcome
        results.append(replace(outcome, names=Names(_name(image))))
    return results
