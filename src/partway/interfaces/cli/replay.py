"""`partway replay`: the same picture again, from the record in its file."""

from __future__ import annotations

from pathlib import Path

import click

from partway.api import OTHER_PIXELS
from partway.errors import InvalidRequest
from partway.geometry import Extent
from partway.interfaces.cli import options
from partway.interfaces.cli.inputs import (
    called,
    names_of,
    read_file,
    read_styles,
    wants_metadata,
)
from partway.interfaces.cli.outputs import STDOUT, Naming, check_qualities, settle
from partway.interfaces.cli.report import Reporter, emit, record
from partway.interfaces.cli.running import Item, raise_errors, run_items
from partway.metadata import read_metadata
from partway.metadata.replay import is_same, record_of, replay_of
from partway.result import Names
from partway.settings import load_settings


@click.command("replay")
@click.argument("file", metavar="FILE")
@click.option(
    "--source",
    metavar="FILE",
    help="Where the source is now. [default: beside FILE, by name or content]",
)
@click.option(
    "--style", "styles", multiple=True, metavar="NAME|FILE", help="Where style pictures are now."
)
@click.option("--mask", metavar="FILE", help="Where the mask is now.")
@click.option("--map", "strength_map", metavar="FILE", help="Where the strength map is now.")
@click.option("-m", "--model", metavar="MODEL", help="Where the checkpoint is now.")
@click.option("--lora", "loras", multiple=True, metavar="FILE", help="Where LoRA files are now.")
@click.option(
    "--anyway", is_flag=True, help="Go on although source, style picture or model differ."
)
@click.option(
    "-o",
    "--output",
    metavar="FILE|FOLDER|TEMPLATE",
    help="Template fields: {stem} {strength} {seed} {model} {n}; - is stdout. "
    "[default: {stem}-replay.png beside FILE]",
)
@options.output_options
def command(
    *,
    file: str,
    source: str | None,
    styles: tuple[str, ...],
    mask: str | None,
    strength_map: str | None,
    model: str | None,
    loras: tuple[str, ...],
    anyway: bool,
    output: str | None,
    quality: int | None,
    keep_gps: bool,
    no_metadata: bool,
    force: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Make the picture of FILE again, bit for bit, from what the file says of its making.

    Its source must be what it was: where it differs nothing is made, unless --anyway is given.
    """
    if output == STDOUT and as_json:
        raise InvalidRequest("-o - writes the picture to stdout: not together with --json")
    report = Reporter(quiet=quiet, as_json=as_json)
    document = record_of(read_metadata(read_file(file), called(file)))
    path = Path(called(file))
    found = replay_of(
        document,
        path.parent,
        source=None if source is None else read_file(source),
        references=read_styles(styles),
        mask=None if mask is None else read_file(mask),
        strength_map=None if strength_map is None else read_file(strength_map),
        loras=loras,
        model=model,
        configured=load_settings().model,
        anyway=anyway,
    )
    request = found.request
    naming = Naming(
        path.parent, path.stem, request.effective_strength, request.seed, document.model or "none"
    )
    target = settle(output, [naming], pattern="{stem}-replay.png", force=force)[0]
    check_qualities(quality, [target])
    report.hints(found.notes)
    recorded = Names.recorded(document, path.parent)
    source = source or recorded.source
    item = Item(
        request,
        called(source or file),
        target,
        Extent(*(document.made.size or (1, 1))),
        quality,
        keep_gps,
        names_of(
            source,
            (*styles, *recorded.references[len(styles) :]),
            recorded.parent,
            mask or recorded.mask,
            strength_map or recorded.strength_map,
        ),
        metadata=wants_metadata(no_metadata=no_metadata),
    )
    lines = Reporter(quiet=quiet)
    finished = run_items([item], report, lambda i, p, r: lines.picture(i.name, p, r))
    raise_errors(
        [(called(file), error) for error in finished.errors.values()], finished.made, 1, report
    )
    same = is_same(finished.results[0], document)
    if same is False:
        report.hints([f"{OTHER_PIXELS}: another processor, version or input made them"])
    elif same:
        report.say(f"the same picture as {called(file)}, bit for bit")
    if as_json:
        line = record(item.name, finished.paths.get(0), finished.results[0])
        emit(line | {"replay_of": file, "same_pixels": same, "notes": found.notes})
