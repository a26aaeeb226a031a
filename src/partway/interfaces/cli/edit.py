"""`partway edit`: pictures in, edited pictures out. The command that runs where none is named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from partway import images
from partway.advice import advise, vocabulary_of
from partway.choosing import choose_model
from partway.edits.region import selected
from partway.edits.target import check_keep, find
from partway.errors import InvalidRequest, PartwayError
from partway.fidelity import percent
from partway.interfaces.cli import options
from partway.interfaces.cli.dialect import Said
from partway.interfaces.cli.drafts import Draft, Extending, drafts_of, settled
from partway.interfaces.cli.inputs import (
    configured_model,
    names_of,
    read_masks,
    read_styles,
    split_arguments,
    wants_metadata,
)
from partway.interfaces.cli.larger import Larger
from partway.interfaces.cli.masks import OF_MASKS, mask_options
from partway.interfaces.cli.outputs import STDOUT, check_qualities
from partway.interfaces.cli.report import Reporter, emit, what_happened
from partway.interfaces.cli.running import Item, Written, raise_errors, run_items, run_searches
from partway.interfaces.cli.values import Keep, Size
from partway.outline import outline
from partway.request import EditRequest
from partway.settings import calibration_for

if TYPE_CHECKING:
    from partway.result import EditResult


@click.command("edit")
@click.argument("words", nargs=-1, metavar="SOURCE… PROMPT")
@click.option(
    "-p", "--prompt", metavar="TEXT", help="The prompt, where several or no sources are given."
)
@options.strength_option
@options.as_option
@click.option(
    "--keep",
    type=Keep(),
    help="Instead of a strength: find the one that keeps so much of the structure, as 70%.",
)
@mask_options
@options.edit_options
@options.seed_options
@click.option("--size", type=Size(), help="Of a picture made from the prompt alone, in pixels.")
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
    drafts, errors = drafts_of(first, word, names, every_seed, size, said, part, extend, larger)
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
        for item in settled(drafts, output, every_seed, keep, force=force)
    ]
    check_qualities(quality, [item.target for item in items])
    written = len(items)
    if drafts:
        report.hints(_advice(drafts[0], None if keep is not None else drafts[0].request.strength))
    report.hints(() if said is None else said.told)
    if dry_run:
        unmade = _dry_run(drafts, items, report)
        errors, written = errors + unmade, written - len(unmade)
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
    found = find(run, item.request, keep, gain=gain, curve=curve)
    runs = f"{found.renders} runs" if found.renders > 1 else "1 run"
    report.say(f"{item.name}: strength {found.strength:g} keeps {percent(found.kept)} % ({runs})")
    if found.missed(keep):
        report.hints([f"{item.name}: no strength was found within 2 points of {100 * keep:g} %"])
    return found.result


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


def _dry_run(
    drafts: list[Draft], items: list[Item], report: Reporter
) -> list[tuple[str, PartwayError]]:
    """Say what would be made of each; the errors of those that could not be."""
    errors: list[tuple[str, PartwayError]] = []
    for draft, item in zip(drafts, items, strict=True):
        try:
            _say_what_would_be(draft, item, report)
        except PartwayError as error:
            errors.append((draft.name, error))
    return errors


def _say_what_would_be(draft: Draft, item: Item, report: Reporter) -> None:
    """One picture of a dry run, on stdout; the errors are those of the run, as far as it says."""
    request = draft.request
    picture = None if request.source is None else images.load(request.source, draft.name)
    whole = outline(request, picture)
    if picture is not None:
        selected(request, picture)
    for data in request.references:
        images.load(data, "the style picture")
    plan, evaluations, profile = whole.plan, whole.evaluations, whole.profile
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
