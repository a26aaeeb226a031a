"""`partway refine`: an almost-right result, nudged with its own settings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from partway import images
from partway.choosing import choose_model
from partway.engine import Engine
from partway.errors import InvalidRequest
from partway.interfaces.cli import options
from partway.interfaces.cli.inputs import (
    called,
    names_of,
    read_file,
    read_prompt,
    read_styles,
    strength_of,
    wants_metadata,
)
from partway.interfaces.cli.outputs import STDOUT, Naming, check_qualities, settle
from partway.interfaces.cli.report import Reporter
from partway.interfaces.cli.running import Finished, Item, raise_errors, run_items
from partway.interfaces.cli.values import Seed, Strength
from partway.metadata import read_metadata
from partway.metadata.refine import DEFAULT_STRENGTH, parent_of, refine_of
from partway.noise import MAX_SEED
from partway.result import Names
from partway.settings import calibrated, load_settings

if TYPE_CHECKING:
    from partway.interfaces.cli.outputs import Target
    from partway.request import EditRequest

MAX_PICTURES = 1000


@click.command("refine")
@click.argument("file", metavar="FILE")
@click.argument("words", nargs=-1, metavar="[PROMPT]")
@click.option("-p", "--prompt", metavar="TEXT", help="The prompt, instead of as a word.")
@click.option(
    "-s",
    "--strength",
    type=Strength(),
    default=DEFAULT_STRENGTH,
    show_default=True,
    help="0 keeps FILE, 1 ignores it.",
)
@click.option(
    "--loops",
    type=click.IntRange(1, 100),
    default=1,
    show_default=True,
    help="So many times, each result the next source.",
)
@click.option(
    "--variations",
    type=click.IntRange(1, 100),
    default=1,
    show_default=True,
    help="So many pictures side by side, each of another seed.",
)
@click.option("--seed", type=Seed(), help="Of the noise. [default: the file's plus 1]")
@click.option("-n", "--negative-prompt", metavar="TEXT", help="In place of the file's.")
@click.option(
    "--style", "styles", multiple=True, metavar="NAME|FILE", help="In place of the file's."
)
@click.option(
    "--cfg-scale", "--guidance", "guidance_scale", type=float, help="In place of the file's."
)
@click.option("--steps", type=int, help="In place of the file's: exactly so many.")
@click.option("--full-steps", type=int, help="In place of the file's: density of a full run.")
@click.option("-m", "--model", metavar="MODEL", help="In place of the file's.")
@click.option(
    "--lora", "loras", multiple=True, metavar="FILE[:WEIGHT]", help="In place of the file's."
)
@click.option("--anyway", is_flag=True, help="Go on although style picture or model differ.")
@click.option(
    "-o",
    "--output",
    metavar="FILE|FOLDER|TEMPLATE",
    help="Template fields: {stem} {strength} {seed} {model} {n}; - is stdout. "
    "[default: {stem}-refined.png beside FILE]",
)
@options.output_options
def command(
    *,
    file: str,
    words: tuple[str, ...],
    prompt: str | None,
    strength: float | str,
    loops: int,
    variations: int,
    styles: tuple[str, ...],
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
    **given: Any,
) -> None:
    """Go on from FILE at a low strength, with the prompt, model and settings it was made with.

    What is given here comes before what the file says; a file that says nothing needs a PROMPT.
    """
    if output == STDOUT and as_json:
        raise InvalidRequest("-o - writes the picture to stdout: not together with --json")
    report = Reporter(quiet=quiet, as_json=as_json)
    data = read_file(file)
    path = Path(called(file))
    picture = images.load(data, called(file))
    metadata = read_metadata(data)
    request, notes = refine_of(
        data,
        metadata,
        path.parent,
        prompt=_prompt(words, prompt),
        model=model,
        configured=load_settings().model,
        references=read_styles(styles),
        anyway=anyway,
        strength=None if isinstance(strength, str) else strength,
        loras=loras or None,
        **given,
    )
    model_name = "none"
    if request.effective_strength != 0.0:
        styled = bool(request.references)
        profile = choose_model(request.model, picture, called(file), with_references=styled)
        model_name = profile.name
        request = request.with_(model=request.model or profile.name)
        if request.gain is None and request.curve is None:
            request = calibrated(request, profile)
        if isinstance(strength, str):
            request = request.with_(strength=strength_of(strength, request.dial, profile))
    rows = _seeds(request, loops, variations)
    targets = _targets(output, path, request, model_name, rows, force=force)
    check_qualities(quality, [target for row in targets for target in row])
    report.hints(notes)
    names: tuple[str | None, ...] = styles
    if not styles and request.references and metadata.document is not None:
        names = Names.recorded(metadata.document, path.parent).references
    first = Item(
        request,
        called(file),
        None,
        picture.extent,
        quality,
        keep_gps,
        names_of(file, names, parent_of(data)),
        wants_metadata(no_metadata=no_metadata),
    )
    _run([first] * variations, rows, targets, report)


def _prompt(words: tuple[str, ...], prompt: str | None) -> str | None:
    """The prompt in place of the file's own, if any."""
    if len(words) > 1:
        raise InvalidRequest(
            f'refine takes one FILE and a PROMPT; several words need quotes: "{" ".join(words)}"'
        )
    if words and prompt is not None:
        raise InvalidRequest("give the prompt once: as a word or with -p")
    text = prompt if prompt is not None else next(iter(words), None)
    return None if text is None else read_prompt(text)


def _seeds(request: EditRequest, loops: int, variations: int) -> list[list[int]]:
    """Seeds of each loop's variations, all different: the same noise twice prints through."""
    if loops * variations > MAX_PICTURES:
        raise InvalidRequest(f"{loops * variations} pictures, allowed are {MAX_PICTURES}")
    return [
        [(request.seed + loop * variations + i) % (MAX_SEED + 1) for i in range(variations)]
        for loop in range(loops)
    ]


def _targets(
    output: str | None,
    path: Path,
    request: EditRequest,
    model_name: str,
    rows: list[list[int]],
    *,
    force: bool,
) -> list[list[Target]]:
    """Where each picture goes, by loop and variation."""
    pattern = "{stem}-refined"
    if len(rows[0]) > 1:
        pattern += "-seed{seed}"
    if len(rows) > 1:
        pattern += "-{n}"
    namings = [
        Naming(path.parent, path.stem, request.effective_strength, seed, model_name)
        for row in rows
        for seed in row
    ]
    flat = settle(output, namings, pattern=f"{pattern}.png", force=force)
    width = len(rows[0])
    return [flat[i : i + width] for i in range(0, len(flat), width)]


def _run(
    sources: list[Item], rows: list[list[int]], targets: list[list[Target]], report: Reporter
) -> None:
    """All loops, one after the other; a variation that fails ends there, the others go on."""
    engine = Engine()
    total = len(rows) * len(rows[0])
    errors: list[tuple[str, Any]] = []
    made = 0
    for row, places in zip(rows, targets, strict=True):
        items = [
            replace(source, request=source.request.with_(seed=seed), target=target)
            for source, seed, target in zip(sources, row, places, strict=False)
        ]
        if not items:
            break
        finished = run_items(
            items, report, lambda i, p, r: report.picture(i.name, p, r), engine=engine
        )
        made += finished.made
        errors += [(items[index].name, error) for index, error in finished.errors.items()]
        sources = [_next(items[index], finished, index) for index in sorted(finished.results)]
    raise_errors(errors, made, total, report)


def _next(item: Item, finished: Finished, index: int) -> Item:
    """The source of the next loop: the very file that was written."""
    path = finished.paths.get(index)
    if path is None:  # on stdout there is one picture and no next
        return item
    data = images.read_bytes(path)
    return replace(
        item,
        request=item.request.with_(source=data),
        name=str(path),
        names=replace(item.names, source=str(path), parent=parent_of(data)),
    )
