"""`partway convert`: one program's strength in another program's number, without any model."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import click

from partway.dialects import (
    DEFAULT_KIND,
    DIALECTS,
    KINDS,
    Match,
    Setting,
    Start,
    convert,
    get_dialect,
    get_kind,
    parse_value,
    start_of,
)
from partway.dialects.kinds import at_size
from partway.errors import InvalidRequest, UnknownName, UserError
from partway.interfaces.cli.report import emit
from partway.interfaces.cli.values import Size
from partway.samplers.names import resolve_sampler, resolve_spacing

NOTABLE = 5e-4  # noise fraction: less is not said
PNDM = {"plms", "pndm"}  # a sampler that Partway has not


@click.command("convert")
@click.argument("value")
@click.option("--from", "source", metavar="TOOL", default="a1111", show_default=True)
@click.option("--to", "target", metavar="TOOL", help="[default: partway]")
@click.option("--all", "every", is_flag=True, help="To all programs: a table.")
@click.option("--steps", type=int, default=20, show_default=True, help="In both programs.")
@click.option("--to-steps", type=int, help="In the other program, where it differs.")
@click.option("--sampler", metavar="NAME", help='As "Euler a" or "DPM++ 2M Karras".')
@click.option("--spacing", metavar="NAME", help="Where the sampler's name does not say it.")
@click.option(
    "--model-kind",
    default=DEFAULT_KIND,
    show_default=True,
    metavar=f"[{'|'.join(KINDS)}]",
    help="Whose noise levels.",
)
@click.option("--size", type=Size(), help="Of the picture: it bends Flux's and Qwen-Image's steps.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per program on stdout.")
def command(
    *,
    value: str,
    source: str,
    target: str | None,
    every: bool,
    steps: int,
    to_steps: int | None,
    sampler: str | None,
    spacing: str | None,
    model_kind: str,
    size: tuple[int, int] | None,
    as_json: bool,
) -> None:
    """Say which number of another program starts where VALUE does in this one.

    VALUE is a number, a percentage, or a word of that program (Fooocus: subtle, strong). Where
    several values start alike, all of them are given, as an interval.
    """
    if every and target is not None:
        raise InvalidRequest("give --to or --all, not both")
    setting = _setting(steps, model_kind, size, sampler, spacing)
    wanted = parse_value(get_dialect(source), value)
    start = start_of(source, wanted, setting)
    names = list(DIALECTS) if every else [target or "partway"]
    other = replace(setting, steps=steps if to_steps is None else to_steps)
    rows = {each: _converted(start, each, other, every=every) for each in names}
    if as_json:
        for each, match in rows.items():
            emit(_facts(source, wanted, start, each, match))
        return
    click.echo(f"{wanted:g} in {source} ({steps} steps, {setting.kind.name}): {_words(start)}")
    if every:
        _print_table(rows)
        return
    for each, match in rows.items():
        if isinstance(match, Match):
            _print_match(each, match)


def _setting(
    steps: int,
    model_kind: str,
    size: tuple[int, int] | None,
    sampler: str | None,
    spacing: str | None,
) -> Setting:
    """What was asked beside the value."""
    kind = get_kind(model_kind)
    if size is not None:
        kind = at_size(kind, *size)
    name, own_spacing = sampler_of(sampler)
    return Setting(steps, kind, name, own_spacing if spacing is None else resolve_spacing(spacing))


def _converted(start: Start, name: str, setting: Setting, *, every: bool) -> Match | UserError:
    """The match, or in a table its error."""
    try:
        return convert(start.noise_fraction, name, setting)
    except UserError as error:
        if not every:
            raise
        return error


def sampler_of(name: str | None) -> tuple[str | None, str | None]:
    """A sampler's name as rules know it, and the spacing it names."""
    if name is None:
        return None, None
    squeezed = re.sub(r"[^a-z]+", "", name.lower()).removesuffix("scheduler")
    if squeezed in PNDM:
        return "pndm", None
    return resolve_sampler(name)


def span(match: Match) -> str:
    """The value, or the interval of values, to four digits."""
    low, high = f"{match.low:.4g}", f"{match.high:.4g}"
    return low if low == high else f"{low} … {high}"


def _words(start: Start) -> str:
    """A start for people."""
    calls = "1 evaluation" if start.evaluations == 1 else f"{start.evaluations} evaluations"
    return f"starts at {100 * start.noise_fraction:.1f} % noise, {calls}"


def _print_match(name: str, match: Match) -> None:
    """One program, for people."""
    dialect = get_dialect(name)
    click.echo(f"{span(match)} in {name} ({dialect.control}): {_words(match.start)}")
    if match.low != match.high:
        click.echo(f"  all of them start alike; {match.value:g} is a round one")
    if abs(match.away) >= NOTABLE:
        click.echo(f"  the nearest it has: {100 * match.away:+.1f} points of noise")
    if dialect.inverted:
        click.echo("  inverted: higher keeps more of the picture")
    if dialect.approximate:
        click.echo("  approximate: its formula is not public, only range and direction")


def _print_table(rows: dict[str, Match | UserError]) -> None:
    """All programs, for people."""
    line = "{:<18}{:<17}{:>7}{:>7}{:>6}  {}"
    click.echo(line.format("program", "value", "noise", "off", "evals", "").rstrip())
    for name, match in rows.items():
        dialect = get_dialect(name)
        if isinstance(match, UserError):
            why = (
                "not with this spacing"
                if isinstance(match, UnknownName)
                else str(match).split(";")[0]
            )
            click.echo(line.format(name, "-", "-", "", "-", why))
            continue
        notes = ["approximate"] * dialect.approximate + ["inverted"] * dialect.inverted
        start, off = match.start, f"{100 * match.away:+.1f}" if abs(match.away) >= NOTABLE else ""
        noise = f"{100 * start.noise_fraction:.1f} %"
        text = line.format(name, span(match), noise, off, start.evaluations, ", ".join(notes))
        click.echo(text.rstrip())


def _facts(
    source: str, value: float, start: Start, name: str, match: Match | UserError
) -> dict[str, Any]:
    """One program as a JSON object."""
    asked = {
        "from": source,
        "value": value,
        "noise_fraction": start.noise_fraction,
        "evaluations": start.evaluations,
    }
    if isinstance(match, UserError):
        return {**asked, "to": name, "error": str(match)}
    dialect = get_dialect(name)
    return {
        **asked,
        "to": name,
        "control": dialect.control,
        "low": match.low,
        "high": match.high,
        "start": {
            "noise_fraction": match.start.noise_fraction,
            "evaluations": match.start.evaluations,
            "step": match.start.step,
            "length": match.start.length,
        },
        "approximate": dialect.approximate,
        "inverted": dialect.inverted,
        "source": dialect.source,
    }
