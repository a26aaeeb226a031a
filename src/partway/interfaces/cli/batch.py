"""`partway batch`: a folder in, a folder of the same names out; the same command goes on."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from partway.choosing import choose_model
from partway.edits.sweep import parse_strengths
from partway.errors import Cancelled, InvalidRequest, PartwayError
from partway.images import SUFFIXES
from partway.interfaces.cli import options
from partway.interfaces.cli.inputs import (
    configured_model,
    read_prompt,
    read_styles,
    wants_metadata,
)
from partway.interfaces.cli.report import Reporter, emit, record
from partway.interfaces.cli.running import SomeFailed, interruptible
from partway.jobs import journal
from partway.jobs.folder import FolderRun, Standing, standing
from partway.jobs.inputs import find
from partway.jobs.items import SEEDS, Item, Writing, items_of
from partway.request import EditRequest

if TYPE_CHECKING:
    from partway.result import EditResult

EXIT_SOME_FAILED = 3
FORMATS = [suffix.removeprefix(".") for suffix in SUFFIXES]


@click.command("batch")
@click.argument("source", metavar="IN")
@click.argument("output", metavar="OUT", type=click.Path(path_type=Path))
@click.argument("prompt", required=False, default="")
@options.strength_option
@click.option("--strengths", metavar="FROM:TO:STEP|LIST", help="Several results per picture.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of the noise.")
@click.option(
    "--seeds",
    type=options.Registered("seed policy", SEEDS),
    default="same",
    show_default=True,
    help="The same for all pictures, one from each picture's name, or counted up from --seed.",
)
@click.option(
    "--table",
    type=click.Path(path_type=Path),
    help="CSV or JSON Lines with a column `file` and settings for single pictures.",
)
@click.option(
    "--format",
    "format_name",
    type=options.Registered("format", FORMATS),
    help="Of all results. [default: each source's own]",
)
@click.option("--plan", "only_plan", is_flag=True, help="Say what would be done; write nothing.")
@click.option("--retry-failed", is_flag=True, help="Try again what failed before.")
@options.edit_options
@options.output_options
def command(
    *,
    source: str,
    output: Path,
    prompt: str,
    strength: float | str | None,
    strengths: str | None,
    seed: int,
    seeds: str,
    table: Path | None,
    format_name: str | None,
    only_plan: bool,
    retry_failed: bool,
    quality: int | None,
    keep_gps: bool,
    no_metadata: bool,
    force: bool,
    as_json: bool,
    quiet: bool,
    model: str | None,
    styles: tuple[str, ...],
    **fields: Any,
) -> None:
    """Edit the pictures of IN towards PROMPT, into OUT under the same names.

    IN is a folder, a glob in quotes or a .txt list of paths. NAME.txt (a prompt) and NAME.json
    (settings) beside a picture and a row of --table are about that picture alone. Run again, the
    same command makes what is missing.
    """
    report = Reporter(quiet=quiet, as_json=as_json)
    if strength is not None and strengths is not None:
        raise InvalidRequest("give --strength or --strengths, not both")
    word = strength if isinstance(strength, str) else None
    request = EditRequest(
        prompt=read_prompt(prompt),
        strength=None if isinstance(strength, str) else strength,
        seed=seed,
        model=configured_model(model, styled=bool(styles)),
        references=read_styles(styles),
        **fields,
    )
    if request.model is not None:  # a wrong name is said once, not for every picture
        choose_model(request.model, None, with_references=bool(styles))
    writing = Writing(
        None if format_name is None else f".{format_name}",
        quality,
        keep_gps,
        wants_metadata(no_metadata=no_metadata),
    )
    items = items_of(
        find(source, output, table),
        request,
        writing,
        strengths=() if strengths is None else parse_strengths(strengths),
        word=word,
        seeds=seeds,
    )
    if only_plan:
        rows, pace = journal.read(output)
        _say_plan(standing(items, rows, output, retry_failed=retry_failed), pace, as_json=as_json)
        return
    with journal.opened(output) as book:
        before = standing(items, book.rows(), output, retry_failed=retry_failed)
        _run(before, output, book, writing, report, force=force)


def _run(
    before: Standing,
    output: Path,
    book: journal.Journal,
    writing: Writing,
    report: Reporter,
    *,
    force: bool,
) -> None:
    """Make what is to be made; say what became of everything."""
    tally: Counter[str] = Counter(there=len(before.there), failed=len(before.failed))
    for item, row in before.failed:
        report.error(str(item.source), _Before(f"{row.message} (in an earlier run)"))
    began = time.perf_counter()
    with interruptible() as cancel, report.counting("editing", len(before.make)) as advance:

        def told(item: Item, outcome: EditResult | PartwayError | None) -> None:
            advance()
            if isinstance(outcome, PartwayError):
                tally["failed"] += 1
                report.error(str(item.source), outcome)
                if report.as_json:
                    emit({"source": str(item.source), "path": None, "error": outcome.code})
            elif outcome is None:
                tally["there"] += 1
            else:
                tally["made"] += 1
                report.hints(outcome.warnings)
                if report.as_json:
                    emit(record(str(item.source), output / item.name, outcome))

        whole = FolderRun(output, book, writing, told, force=force).run(before.make, cancel)
    seconds = time.perf_counter() - began
    total = len(before.make) + len(before.there) + len(before.failed)
    counts = f"{tally['made']} made, {tally['there']} there already, {tally['failed']} failed"
    rate = f", {tally['made'] / seconds:.2f} a second" if tally["made"] else ""
    if not whole:
        finished = f"{sum(tally.values())} of {total} finished, nothing half-written"
        raise Cancelled(f"interrupted: {finished}; the same command goes on from here")
    report.say(f"{output} · {counts} · {seconds:.1f} s{rate}")
    if tally["failed"]:
        raise SomeFailed(
            f"{tally['failed']} of {total} pictures not made: correct them, or add --retry-failed",
            EXIT_SOME_FAILED,
        )


class _Before(PartwayError):
    """What an earlier run wrote down."""


def _say_plan(before: Standing, pace: float | None, *, as_json: bool) -> None:
    """What a run would do, on stdout."""
    seconds = None if pace is None else round(pace * len(before.make), 1)
    if as_json:
        emit(
            {
                "make": [item.name for item in before.make],
                "there": len(before.there),
                "failed": [item.name for item, _ in before.failed],
                "seconds": seconds,
            }
        )
        return
    took = "time unknown before a first run" if seconds is None else f"about {seconds:g} s"
    click.echo(
        f"{len(before.make)} to make ({took}), {len(before.there)} there already, "
        f"{len(before.failed)} failed before"
    )
    for item in before.make:
        wrong = "" if item.error is None else f" · will fail: {item.error}"
        click.echo(f"{item.source} → {item.name}{wrong}")
