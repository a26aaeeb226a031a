"""`partway batch`: a folder in, a folder of the same names out; the same command goes on."""

from __future__ import annotations

import dataclasses
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from partway.choosing import FOR_REFERENCES, choose_model
from partway.edits.sweep import parse_strengths
from partway.engine import Engine
from partway.errors import Cancelled, InvalidRequest, PartwayError, UnknownName
from partway.executors.pool import SHARE, Pool
from partway.images import SUFFIXES
from partway.interfaces.cli import options
from partway.interfaces.cli.inputs import (
    ALPHA,
    configured_model,
    read_prompt,
    read_styles,
    wants_metadata,
)
from partway.interfaces.cli.masks import OF_MASKS, folder_mask_options
from partway.interfaces.cli.report import Reporter, emit, record
from partway.interfaces.cli.running import SomeFailed, fetch, interruptible
from partway.interfaces.cli.values import Registered
from partway.interfaces.cli.workers import (
    MIB,
    OF_RAY,
    in_bytes,
    places,
    started,
    worker_options,
)
from partway.jobs import claim
from partway.jobs.embedded import FIELDS
from partway.jobs.files import path_of
from partway.jobs.folder import MEMORY, REMEMBERED, FolderRun
from partway.jobs.inputs import find
from partway.jobs.items import SEEDS, Common, Item, Items, Writing
from partway.jobs.remote import RemotePath
from partway.jobs.standing import Standing, standing
from partway.request import EditRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from partway.jobs.files import AnyPath
    from partway.result import EditResult

EXIT_SOME_FAILED = 3
DEFAULTS = {each.name: each.default for each in dataclasses.fields(EditRequest)}
FORMATS = [suffix.removeprefix(".") for suffix in SUFFIXES]


@click.command("batch")
@click.argument("source", metavar="IN")
@click.argument("output", metavar="OUT")
@click.argument("prompt", required=False, default="")
@options.strength_option
@click.option("--strengths", metavar="FROM:TO:STEP|LIST", help="Several results per picture.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of the noise.")
@click.option(
    "--seeds",
    type=Registered("seed policy", SEEDS),
    default="same",
    show_default=True,
    help="The same for all pictures, one from each picture's name, or counted up from --seed.",
)
@click.option(
    "--table",
    metavar="FILE",
    help="CSV or JSON Lines with a column `file` and settings for single pictures.",
)
@click.option(
    "--format",
    "format_name",
    type=Registered("format", FORMATS),
    help="Of all results. [default: each source's own]",
)
@click.option(
    "--embedded",
    metavar="all|FIELD,…",
    help="Take what each picture's own file says it was made with, from Partway or A1111: "
    f"{', '.join(FIELDS)}.",
)
@click.option(
    "--exact",
    is_flag=True,
    help="Each picture has the bits it would have alone, whatever else is made: slower.",
)
@click.option(
    "--memory",
    type=click.IntRange(16, 1_000_000),
    callback=in_bytes,
    default=MEMORY // MIB,
    show_default=True,
    metavar="MIB",
    help="Of pictures in flight; each worker remembers a quarter of it.",
)
@click.option(
    "--journal",
    "journal_folder",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Where the journal of an OUT behind a URL is kept. [default: the user's data folder]",
)
@click.option("--plan", "only_plan", is_flag=True, help="Say what would be done; write nothing.")
@click.option("--retry-failed", is_flag=True, help="Try again what failed before.")
@worker_options
@folder_mask_options
@options.edit_options
@options.output_options
def command(
    *,
    source: str,
    output: str,
    prompt: str,
    strength: float | str | None,
    strengths: str | None,
    seed: int,
    seeds: str,
    table: str | None,
    format_name: str | None,
    embedded: str | None,
    devices: str | None,
    executor: str,
    exact: bool,
    memory: int,
    batch_size: int,
    model_memory: int | None,
    journal_folder: Path | None,
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
    mask: str | None,
    strength_map: str | None,
    **fields: Any,
) -> None:
    """Edit the pictures of IN towards PROMPT, into OUT under the same names.

    IN is a folder, a glob in quotes or a .txt list of paths. IN and OUT may be addresses of any
    store that fsspec knows: s3://bucket/in, gs://bucket/out. NAME.txt (a prompt) and NAME.json
    (settings) beside a picture and a row of --table are about that picture alone. --mask and --map
    name a file for all pictures, or a folder with one of each picture's name. Run again, the same
    command makes what is missing.
    """
    report = Reporter(quiet=quiet, as_json=as_json)
    if strength is not None and strengths is not None:
        raise InvalidRequest("give --strength or --strengths, not both")
    taken = _embedded(embedded)
    if strengths is not None and "strength" in taken:
        raise InvalidRequest(
            "--strengths are the same for all pictures: leave strength out of --embedded"
        )
    where = places(devices, executor, {name: fields.pop(name) for name in OF_RAY})
    part = _part(mask, strength_map, {name: fields.pop(name) for name in OF_MASKS})
    request = EditRequest(
        prompt=read_prompt(prompt),
        strength=None if isinstance(strength, str) else strength,
        seed=seed,
        model=configured_model(model, styled=bool(styles)),
        references=read_styles(styles),
        **fields,
    )
    profile = None
    if request.model is not None:  # a wrong name is said once, not for every picture
        profile = choose_model(request.model, None, with_references=bool(styles))
    writing = Writing(
        None if format_name is None else f".{format_name}",
        quality,
        keep_gps,
        wants_metadata(no_metadata=no_metadata),
    )
    common = Common(
        request,
        writing,
        strengths=() if strengths is None else parse_strengths(strengths),
        word=strength if isinstance(strength, str) else None,
        seeds=seeds,
        part=part,
        embedded=taken,
        mode="exact" if exact else "shared",
    )
    out = path_of(output)
    items = Items(find(source, out, None if table is None else path_of(table)), common)
    if only_plan:
        with claim.looked_at(out, journal_folder) as (out, book):
            before = standing(items, book, out, retry_failed=retry_failed)
            _say_plan(items, before, book.seconds, as_json=as_json)
        return
    limits: dict[str, Any] = {
        "max_rows": batch_size,
        "cache_bytes": memory // REMEMBERED,
        "model_bytes": model_memory,
    }
    share = max(batch_size, SHARE)
    with claim.opened(out, journal_folder) as (out, book):
        before = standing(items, book, out, retry_failed=retry_failed)
        first = FOR_REFERENCES if styles else request.model
        used = where if before.make else ()
        if before.make and profile is not None:
            fetch(profile, report)
        with started(used, first, **limits) as (start, engines, least):
            folder = partial(
                FolderRun,
                out,
                book,
                writing,
                force=force,
                mode=common.mode,
                engine=Engine(**limits),
                live=partial(Pool, engines, start, share=share, least=least) if engines else None,
                width=max(len(engines), 1),
                share=share,
                memory=memory,
            )
            _run(items, before, out, folder, report)


def _embedded(words: str | None) -> tuple[str, ...]:
    """The fields that --embedded names."""
    if words is None:
        return ()
    if words == "all":
        return FIELDS
    names = tuple(word.strip() for word in words.split(",") if word.strip())
    for name in names:
        if name not in FIELDS:
            raise UnknownName("field of --embedded", name, FIELDS)
    return names


def _part(mask: str | None, strength_map: str | None, of_masks: dict[str, Any]) -> dict[str, Any]:
    """What --mask, --map and what belongs to them say, as a job has it."""
    part: dict[str, Any] = {
        name: value for name, value in of_masks.items() if value != DEFAULTS[name]
    }
    if mask == ALPHA:
        part["alpha_mask"] = True
    for name, given in (("mask", mask), ("strength_map", strength_map)):
        if given is not None and not (name == "mask" and given == ALPHA):
            part[name] = found = path_of(given)
            if isinstance(found, RemotePath) and found.is_dir():
                part[name] = found.listed()
            elif not found.exists():
                raise InvalidRequest(f"{given} does not exist: want a picture, or a folder of them")
    if mask is not None and strength_map is not None:
        raise InvalidRequest("give --mask or --map, not both")
    return part


def _run(
    items: Items,
    before: Standing,
    output: AnyPath,
    folder: Callable[..., FolderRun],
    report: Reporter,
) -> None:
    """Make what is to be made; say what became of everything."""
    tally: Counter[str] = Counter(there=before.there, failed=len(before.failed))
    for path, row in before.failed:
        report.error(str(path), _Before(f"{row.message} (in an earlier run)"))
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

        whole = folder(told=told).run((items[position] for position in before.make), cancel)
    seconds = time.perf_counter() - began
    total = len(before.make) + before.there + len(before.failed)
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


def _say_plan(items: Items, before: Standing, pace: float | None, *, as_json: bool) -> None:
    """What a run would do, on stdout."""
    seconds = None if pace is None else round(pace * len(before.make), 1)
    if as_json:
        emit(
            {
                "make": [items[position].name for position in before.make],
                "there": before.there,
                "failed": [row.name for _, row in before.failed],
                "seconds": seconds,
            }
        )
        return
    took = "time unknown before a first run" if seconds is None else f"about {seconds:g} s"
    click.echo(
        f"{len(before.make)} to make ({took}), {before.there} there already, "
        f"{len(before.failed)} failed before"
    )
    for position in before.make:
        item = items[position]
        wrong = "" if item.error is None else f" · will fail: {item.error}"
        click.echo(f"{item.source} → {item.name}{wrong}")
