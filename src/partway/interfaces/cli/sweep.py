"""`partway sweep`: one picture and prompt over many strengths, with a labelled contact sheet."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from partway import __version__, images
from partway.advice import advise, vocabulary_of
from partway.api import DEFAULT_SWEEP
from partway.edits.sweep import parse_strengths, sweep_requests
from partway.errors import InvalidRequest
from partway.interfaces.cli import options
from partway.interfaces.cli.dialect import Said
from partway.interfaces.cli.inputs import (
    Source,
    configured_model,
    names_of,
    read_masks,
    read_source,
    read_styles,
    split_arguments,
    wants_metadata,
)
from partway.interfaces.cli.masks import OF_MASKS, mask_options
from partway.interfaces.cli.outputs import (
    STDOUT,
    Naming,
    Target,
    check,
    check_qualities,
    free,
    is_folder,
    settle,
)
from partway.interfaces.cli.report import Reporter, emit, record
from partway.interfaces.cli.running import Finished, Item, raise_errors, run_items
from partway.request import EditRequest
from partway.settings import calibrated
from partway.sheet import Cell, Row, contact_sheet, kept_label, value_label

if TYPE_CHECKING:
    from PIL.Image import Image

    from partway.result import EditResult

FOOTER = f"denoising strength: 0 keeps the source, 1 ignores it · partway {__version__}"


@dataclass(frozen=True, eq=False)
class Series:
    """The results of one source, prompt and seed over strengths."""

    prompt: str
    seed: int
    results: list[EditResult]


@click.command("sweep")
@click.argument("words", nargs=-1, metavar="SOURCE PROMPT")
@click.option("-p", "--prompt", metavar="TEXT", help="The prompt, instead of as a word.")
@click.option(
    "--strengths",
    metavar="FROM:TO:STEP|LIST",
    default=",".join(map(str, DEFAULT_SWEEP)),
    show_default=True,
)
@options.as_option
@mask_options
@options.edit_options
@options.seed_options
@click.option(
    "-o",
    "--output",
    metavar="FOLDER|TEMPLATE",
    help="Where the pictures go; with --sheet-only the sheet's own file, or - for stdout. "
    "[default: {stem}-s{strength}.png and {stem}-sweep.png beside the source]",
)
@click.option("--sheet-only", is_flag=True, help="Write the contact sheet and no single pictures.")
@options.output_options
def command(
    *,
    words: tuple[str, ...],
    prompt: str | None,
    strengths: str,
    tool: str | None,
    seeds: tuple[int, ...],
    batch_count: int,
    output: str | None,
    sheet_only: bool,
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
    **fields: Any,
) -> None:
    """Edit SOURCE towards PROMPT at many strengths in one batched run: only the dial changes.

    Several seeds make one row of the contact sheet each.
    """
    report = Reporter(quiet=quiet, as_json=as_json)
    values = parse_strengths(strengths)
    names, text = split_arguments(words, prompt, several=False)
    part = read_masks(mask, strength_map) | {name: fields.pop(name) for name in OF_MASKS}
    request = EditRequest(
        prompt=text,
        model=configured_model(model, styled=bool(styles)),
        references=read_styles(styles),
        **fields,
    )
    every_seed = options.consecutive(seeds, batch_count)
    strength = 0.0 if not any(values) and tool is None else None
    source = read_source(names[0], request.model, strength, styled=bool(styles))
    profile = source.profile
    if request.model is None and profile is not None:
        request = request.with_(model=profile.name)
    request = request.with_(source=source.data, **part)
    if profile is not None:
        request = calibrated(request, profile)
    report.hints(
        advise(
            text,
            strength=None,
            has_source=True,
            model="the model" if profile is None else profile.name,
            vocabulary=None if profile is None else vocabulary_of(profile.folder),
            styled=bool(styles),
        )
    )
    requests = [
        each for seed in every_seed for each in sweep_requests(request.with_(seed=seed), values)
    ]
    if tool is not None:
        said = [Said(tool, each.strength) for each in requests]
        requests = [
            s.on(each, profile, source.extent) for s, each in zip(said, requests, strict=True)
        ]
        report.hints(line for s in said for line in s.told)
    targets = _targets(requests, source, output, sheet_only=sheet_only, force=force)
    check_qualities(quality, targets)
    sheet_target = _sheet_target(source, targets, output, sheet_only=sheet_only, force=force)
    if sheet_target.path is None and as_json:
        raise InvalidRequest("-o - writes the sheet to stdout: not together with --json")
    items = [
        Item(
            each,
            source.name,
            target,
            source.extent,
            quality,
            keep_gps,
            names_of(source.name, styles, mask=mask, strength_map=strength_map),
            metadata=wants_metadata(no_metadata=no_metadata),
        )
        for each, target in zip(requests, targets, strict=True)
    ]
    quietly = Reporter(quiet=quiet or sheet_only)
    finished = run_items(
        items,
        report,
        lambda item, path, result: None if sheet_only else quietly.picture(item.name, path, result),
    )
    errors = [(items[index].name, error) for index, error in finished.errors.items()]
    raise_errors(errors, finished.made, len(items), report)
    series = [
        Series(
            text or ", ".join(styles),
            seed,
            [finished.results[row * len(values) + i] for i in range(len(values))],
        )
        for row, seed in enumerate(every_seed)
    ]
    sheet = sheet_of(series, images.load(source.data).image)
    path = sheet_target.write(lambda format_name, _: images.encode(sheet, format_name))
    _tell(items, finished, path, report)


def sheet_of(series: list[Series], source: Image | None = None) -> Image:
    """The contact sheet of one row per series; the source comes first where 0 is not among them."""
    rows: list[Row] = []
    for each in series:
        cells = [
            Cell(result.image, value_label(result.plan.strength), kept_label(result.kept))
            for result in each.results
        ]
        if source is not None and all(result.plan.levels for result in each.results):
            cells.insert(0, Cell(source, "source"))
        used = next((result for result in each.results if result.model), each.results[0])
        facts = (used.model or "no model", used.plan.dial, f"seed {each.seed}")
        rows.append(Row(each.prompt or "(no prompt)", cells, " · ".join(facts)))
    return contact_sheet(rows, footer=FOOTER)


def _targets(
    requests: list[EditRequest],
    source: Source,
    output: str | None,
    *,
    sheet_only: bool,
    force: bool,
) -> list[Target | None]:
    """Where the single pictures go."""
    if sheet_only:
        return [None] * len(requests)
    if output == STDOUT:
        raise InvalidRequest("-o - takes one picture: add --sheet-only to get the sheet on stdout")
    if output is not None and "{" not in output and not Path(output).suffix:
        output = f"{output}/"  # a sweep's plain name can only be a folder
    called = source.profile.name if source.profile is not None else "none"
    namings = [
        Naming(source.folder, source.stem, each.effective_strength, each.seed, called)
        for each in requests
    ]
    several = len({each.seed for each in requests}) > 1
    pattern = "{stem}-s{strength}-seed{seed}.png" if several else "{stem}-s{strength}.png"
    return [*settle(output, namings, pattern=pattern, force=force)]


def _sheet_target(
    source: Source,
    targets: list[Target | None],
    output: str | None,
    *,
    sheet_only: bool,
    force: bool,
) -> Target:
    """Where the sheet goes: its own -o with --sheet-only, else beside the pictures."""
    if sheet_only and output is not None and not is_folder(output):
        target = Target(None if output == STDOUT else Path(output), overwrite=force)
    else:
        folder = Path(output) if output is not None and sheet_only else source.folder
        first = targets[0].path if targets[0] is not None else None
        folder = folder if first is None else first.parent
        taken = [target.path for target in targets if target is not None and target.path]
        target = Target(free(folder / f"{source.stem}-sweep.png", taken), numbered=True)
    check(target)
    return target


def _tell(items: list[Item], finished: Finished, sheet: Path | None, report: Reporter) -> None:
    """The sheet's line, and the JSON objects where asked."""
    kind = "stdout" if sheet is None else str(sheet)
    report.say(f"{kind} · contact sheet of {len(items)} pictures")
    if report.as_json:
        for index, item in enumerate(items):
            line = record(item.name, finished.paths.get(index), finished.results[index])
            emit(line | {"sheet": None if sheet is None else str(sheet)})
