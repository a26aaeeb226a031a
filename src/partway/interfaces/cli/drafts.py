"""What a command is about to make: a request for each picture, then the file it goes to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from partway.choosing import choose_model
from partway.edits.outpaint import check_extent
from partway.edits.upscale import extent_of
from partway.errors import InvalidRequest, PartwayError
from partway.fidelity import percent
from partway.geometry import Extent
from partway.interfaces.cli.inputs import Source, read_source, slug, strength_of
from partway.interfaces.cli.outputs import Naming, settle
from partway.interfaces.cli.running import Item
from partway.settings import calibrated

if TYPE_CHECKING:
    from partway.families import Profile
    from partway.interfaces.cli.dialect import Said
    from partway.interfaces.cli.larger import Larger
    from partway.margins import Margins
    from partway.request import EditRequest

Extending: TypeAlias = "Callable[[Extent], Margins]"


@dataclass(frozen=True, eq=False)
class Draft:
    """A request whose file is not settled yet; `profile` is None where no model is needed."""

    request: EditRequest
    name: str
    naming: Naming
    extent: Extent
    profile: Profile | None


def drafts_of(
    request: EditRequest,
    word: str | None,
    names: list[str],
    seeds: list[int],
    size: tuple[int, int] | None,
    said: Said | None,
    part: dict[str, Any],
    extend: Extending | None,
    larger: Larger | None,
) -> tuple[list[Draft], list[tuple[str, PartwayError]]]:
    """What is to be made of all sources; a source that cannot be used stops no other.

    word    of WORDS, in place of the request's strength
    part    fields that say where an edit acts; they need a source
    extend  the margins of a source that is to be extended
    larger  how much larger the result of a source shall be
    """
    if not names and extend is not None:
        raise InvalidRequest("outpaint needs a SOURCE to extend")
    if not names and larger is not None:
        raise InvalidRequest("upscale needs a SOURCE to enlarge")
    if not names:
        return _from_prompt(request.with_(**part), seeds, size), []
    drafts: list[Draft] = []
    errors: list[tuple[str, PartwayError]] = []
    for name in names:
        try:
            source = read_source(
                name, request.model, request.strength, styled=bool(request.references)
            )
            edit = request.with_(size=size)
            where = part if extend is None else part | {"extend": extend(source.extent)}
            if said is not None:
                edit = said.on(
                    edit.with_(source=source.data, **where), source.profile, source.extent
                )
            times = None if larger is None else larger(source.extent)
            drafts += _from_source(edit, word, source, seeds, where | {"scale": times})
        except PartwayError as error:
            errors += [(name, error)]
    return drafts, errors


def _from_prompt(
    request: EditRequest, seeds: list[int], size: tuple[int, int] | None
) -> list[Draft]:
    """Text-to-image, one picture per seed."""
    profile = choose_model(request.model, None, with_references=bool(request.references))
    side = profile.native_size
    extent = Extent(*(size or (side, side)))
    stem = slug(request.prompt)
    return [
        Draft(
            request.with_(seed=seed, size=size),
            stem,
            Naming(Path(), stem, 1.0, seed, profile.name),
            extent,
            profile,
        )
        for seed in seeds
    ]


def _from_source(
    request: EditRequest,
    word: str | None,
    source: Source,
    seeds: list[int],
    part: dict[str, Any],
) -> list[Draft]:
    """One edit per seed of a source, on the model that was chosen for it."""
    model = request.model
    if model is None and source.profile is not None:
        model = source.profile.name
    edit = request.with_(source=source.data, model=model, **part)
    check_extent(edit, source.extent)
    if source.profile is not None:
        edit = calibrated(edit, source.profile)
    if word is not None:
        edit = edit.with_(strength=strength_of(word, edit.dial, source.profile))
    called = source.profile.name if source.profile is not None else "none"
    if edit.scale is not None:
        extent_of(source.extent, edit.scale)  # refuses what is too large, before anything runs
    return [
        Draft(
            edit.with_(seed=seed),
            source.name,
            Naming(
                source.folder, source.stem, edit.effective_strength, seed, called, edit.scale or 1.0
            ),
            source.extent if edit.extend is None else edit.extend.around(source.extent),
            source.profile,
        )
        for seed in seeds
    ]


def settled(
    drafts: list[Draft],
    output: str | None,
    seeds: list[int],
    keep: float | None,
    *,
    force: bool,
) -> list[Item]:
    """Drafts with their files."""
    if not drafts:
        return []
    edits = drafts[0].request.source is not None
    stem = "{stem}" if drafts[0].request.scale is None else "{stem}-x{scale}"
    pattern = f"{stem}-s{{strength}}" if edits else stem
    if keep is not None:
        pattern = f"{stem}-keep{percent(keep)}"
    if len(seeds) > 1:
        pattern += "-seed{seed}"
    targets = settle(output, [d.naming for d in drafts], pattern=f"{pattern}.png", force=force)
    return [
        Item(draft.request, draft.name, target, _extent(draft))
        for draft, target in zip(drafts, targets, strict=True)
    ]


def _extent(draft: Draft) -> Extent:
    """The size of its result."""
    scale = draft.request.scale
    return draft.extent if scale is None else extent_of(draft.extent, scale)
