"""`partway edit`: pictures in, edited pictures out. The command that runs where none is named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from partway.advice import advise, vocabulary_of
from partway.choosing import choose_model
from partway.edits.outpaint import check_extent
from partway.edits.target import check_keep, find
from partway.edits.upscale import extent_of
from partway.errors import InvalidRequest, PartwayError
from partway.families import Profile
from partway.fidelity import percent
from partway.geometry import Extent
from partway.interfaces.cli import options
from partway.interfaces.cli.dialect import Said
from partway.interfaces.cli.inputs import (
    Source,
    configured_model,
    names_of,
    read_masks,
    read_source,
    read_styles,
    slug,
    split_arguments,
    strength_of,
    wants_metadata,
)
from partway.interfaces.cli.larger import Larger
from partway.interfaces.cli.masks import OF_MASKS, mask_options
from partway.interfaces.cli.outputs import STDOUT, Naming, check_qualities, settle
from partway.interfaces.cli.report import Reporter, emit, what_happened
from partway.interfaces.cli.running import Item, Written, raise_errors, run_items, run_searches
from partway.outline import evaluations_of, plan_request
from partway.plan import Plan
from partway.request import EditRequest
from partway.settings import calibrated, calibration_for

if TYPE_CHECKING:
    from partway.margins import Margins
    from partway.result import EditResult

Extending: TypeAlias = "Callable[[Extent], Margins]"


@dataclass(frozen=True, eq=False)
class Draft:
    """A request whose file is not settled yet; `profile` is None where no model is needed."""

    request: EditRequest
    name: str
    naming: Naming
    extent: Extent
    profile: Profile | None


@click.command("edit")
@click.argument("words", nargs=-1, metavar="SOURCE… PROMPT")
@click.option(
    "-p", "--prompt", metavar="TEXT", help="The prompt, where several or no sources are given."
)
@options.strength_option
@options.as_option
@click.option(
    "--keep",
    type=options.Keep(),
    help="Instead of a strength: find the one that keeps so much of the structure, as 70%.",
)
@mask_options
@options.edit_options
@options.seed_options
@click.option(
    "--size", type=options.Size(), help="Of a picture made from the prompt alone, in pixels."
)
@click.option(
    "-o",
    "--output",
    metavar="FILE|FOLDER|TEMPLATE",
    help="Template fields: {stem} {strength} {scale} {seed} {model} {n}; - is stdout. "
    "[default: {stem}-s{strength}.png beside the source]",
)
@click.option("--open", "show", is_flag=True, help="Open the results when they are written.")
@click.option("--dry-run", is_flag=True, help="Say what would be done; load no model.")
@options.output_options
def command(
    *,
    words: tuple[str, ...],
    prompt: str | None,
    strength: float | str | None,
    tool: str | None,
    keep: float | None,
    seeds: tuple[int, ...],
    batch_count: int,
    size: tuple[int, int] | None,
    output: str | None,
    show: bool,
    dry_run: bool,
    quality: int | None,
    keep_gps: bool,
    no_metadata: bool,
    force: bool,
    as_json: bool,
    quiet: bool,
    model: str | None,
    styles: tuple[str, ...],
    mask: str | None,
    strength_map: str | None,
    extend: Extending | None = None,
    larger: Larger | None = None,
    **fields: Any,
) -> None:
    """Edit SOURCE towards PROMPT; without a source, make a picture from the prompt alone.

    SOURCE is a picture file or - for stdin; PROMPT is text, @FILE or - for stdin. Strength says how
    much may change: 0 keeps the source, 1 ignores it.
    """
    report = Reporter(quiet=quiet, as_json=as_json)
    if output == STDOUT and (as_json or show):
        raise InvalidRequest(
            "-o - writes the picture to stdout: not together with --json or --open"
        )
    names, text = split_arguments(words, prompt)
    if keep is not None and tool is not None:
        raise InvalidRequest("give --as or --keep, not both")
    if keep is not None:
        _check_keep(keep, strength, output, sources=len(names), dry_run=dry_run)
    part = read_masks(mask, strength_map) | {name: fields.pop(name) for name in OF_MASKS}
    first = EditRequest(
        prompt=text,
        strength=None if tool is not None or isinstance(strength, str) else strength,
        model=configured_model(model, styled=bool(styles)),
        references=read_styles(styles),
        **fields,
    )
    said = None if tool is None else Said(tool, strength, has_source=bool(names))
    every_seed = options.consecutive(seeds, batch_count)
    word = strength if isinstance(strength, str) and said is None else None
    drafts, errors = _drafts(first, word, names, every_seed, size, said, part, extend, larger)
    items = [
        replace(
            item,
            quality=quality,
            keep_gps=keep_gps,
            names=names_of(
                item.name if item.request.source is not None else None,
                styles,
                mask=mask,
                strength_map=strength_map,
            ),
            metadata=wants_metadata(no_metadata=no_metadata),
        )
        for item in _settled(drafts, output, every_seed, keep, force=force)
    ]
    check_qualities(quality, [item.target for item in items])
    written = len(items)
    if drafts:
        report.hints(_advice(drafts[0], None if keep is not None else drafts[0].request.strength))
    report.hints(() if said is None else said.told)
    if dry_run:
        for draft, item in zip(drafts, items, strict=True):
            _say_what_would_be(draft, item, report)
    elif items:
        say: Written = lambda item, path, result: report.picture(item.name, path, result)  # noqa: E731
        if keep is None:
            finished = run_items(items, report, say, keep=False)
        else:
            search = partial(_find, keep, report)
            finished = run_searches(items, report, search, say)
        errors += [(items[index].name, error) for index, error in finished.errors.items()]
        written = finished.made
        for path in finished.paths.values() if show else ():
            click.launch(str(path))
    raise_errors(errors, written, max(len(names), 1) * len(every_seed), report)


def _check_keep(
    keep: float, strength: float | str | None, output: str | None, *, sources: int, dry_run: bool
) -> None:
    """InvalidRequest where --keep meets what it cannot go with."""
    check_keep(keep)
    if strength is not None:
        raise InvalidRequest("give --strength or --keep, not both")
    if not sources:
        raise InvalidRequest("--keep needs a source: there is nothing else to keep")
    if dry_run:
        raise InvalidRequest("--keep finds its strength by rendering: not together with --dry-run")
    if output is not None and "{strength}" in output:
        raise InvalidRequest(
            f"--keep finds the strength after the name is settled: try -o {{stem}}-keep"
            f"{percent(keep)}.png"
        )


def _find(
    keep: float, report: Reporter, item: Item, run: Callable[[EditRequest], EditResult]
) -> EditResult:
    """Search one item's strength; say what was found."""
    profile = choose_model(item.request.model, None, with_references=bool(item.request.references))
    gain, curve = calibration_for(profile)
    found = find(
        run, item.request, keep, gain=gain, curve=curve, default_steps=profile.default_steps
    )
    runs = f"{found.renders} runs" if found.renders > 1 else "1 run"
    report.say(f"{item.name}: strength {found.strength:g} keeps {percent(found.kept)} % ({runs})")
    if found.missed(keep):
        report.hints([f"{item.name}: no strength was found within 2 points of {100 * keep:g} %"])
    return found.result


def _drafts(
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


def _settled(
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


def _advice(draft: Draft, strength: float | None) -> list[str]:
    """Hints for the run, on the model of its first picture."""
    if draft.request.scale is not None and strength == 0.0:
        strength = None  # there is a change to expect
    profile = draft.profile
    return advise(
        draft.request.prompt,
        strength=strength,
        has_source=draft.request.source is not None,
        model="the model" if profile is None else profile.name,
        vocabulary=None if profile is None else vocabulary_of(profile.folder),
        styled=bool(draft.request.references),
    )


def _say_what_would_be(draft: Draft, item: Item, report: Reporter) -> None:
    """One picture of a dry run, on stdout."""
    request, profile = draft.request, draft.profile
    plan = (
        Plan(0.0, request.dial, 0.0, (), 1.0, None)
        if profile is None
        else plan_request(request, profile, draft.extent)
    )
    evaluations = 0 if profile is None else evaluations_of(request, profile, plan, draft.extent)
    path = None if item.target is None or item.target.path is None else str(item.target.path)
    if report.as_json:
        emit(
            {
                "path": path,
                "source": None if request.source is None else draft.name,
                "seed": request.seed,
                "strength": plan.strength,
                "dial": plan.dial,
                "noise_fraction": plan.noise_fraction,
                "evaluations": evaluations,
                "model": None if profile is None else profile.name,
                "dry_run": True,
            }
        )
        return
    did = what_happened(
        plan,
        evaluations,
        text_only=request.source is None,
        enlarged=request.scale is not None,
    )
    place = "stdout" if path is None else path
    model = "no model" if profile is None else profile.name
    click.echo(f"would write {place} · {did} · {model}, seed {request.seed}")
