"""`partway models`: which checkpoints there are, and what one of them knows."""

from __future__ import annotations

from typing import Any

import click
from rich.console import Console
from rich.table import Table

from partway.families import DEFAULT_MODEL, EMBEDDED, WITHOUT_WEIGHTS, fetched, profile_of
from partway.interfaces.cli.inputs import configured_model
from partway.interfaces.cli.report import emit
from partway.interfaces.facts import details, summary
from partway.settings import settings_file


@click.command("models")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout, one object per model.")
def command(*, name: str | None, as_json: bool) -> None:
    """List the models there are; with NAME (or a folder), say what that one knows."""
    default = configured_model(None) or DEFAULT_MODEL
    if name is not None:
        facts = details(profile_of(name))
        if as_json:
            emit(facts)
        else:
            _print_details(facts)
        return
    names = list(dict.fromkeys((*EMBEDDED, *WITHOUT_WEIGHTS, default)))
    profiles = [(each, profile_of(each)) for each in names]
    profiles += [(each.name, each) for each in fetched() if each.name not in names]
    rows = [summary(profile) | {"default": name == default} for name, profile in profiles]
    if as_json:
        for row in rows:
            emit(row)
        return
    _print_table(rows)
    click.echo(f"* runs where no -m is given. Settings: {settings_file()}")
    click.echo("-m also takes a folder, a .safetensors or OWNER/NAME on the hub: Stable Diffusion")
    click.echo("1.x, 2.x, XL and 3, FLUX.1, Z-Image, Qwen-Image, and what was trained from them.")


def _print_table(rows: list[dict[str, Any]]) -> None:
    """The list, for people."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    table.add_column("model")
    table.add_column("family")
    table.add_column("native", justify="right")
    table.add_column("steps", justify="right")
    table.add_column("size", justify="right")
    table.add_column("draws", overflow="fold")
    for row in rows:
        size = f"{row['bytes'] / 1e6:.0f} MB" if row["bytes"] else "none"
        native = f"{row['native_size']} px"
        mark = "*" if row["default"] else ""
        steps = str(row["default_steps"])
        table.add_row(mark, row["name"], row["family"], native, steps, size, row["draws"])
    Console(highlight=False).print(table)


def _print_details(facts: dict[str, Any]) -> None:
    """One model, for people."""
    subjects: list[str] = facts["subjects"]
    listed = f"{len(subjects)}: {', '.join(subjects[:40])}{' …' if len(subjects) > 40 else ''}"
    notice = ", ".join(facts["licences"])
    if not notice and facts["name"] in EMBEDDED:
        notice = "see NOTICE of Partway"
    lines = {
        "family": facts["family"],
        "draws": facts["draws"],
        "styles": ", ".join(facts["styles"]),
        "words": "" if facts["words"] is None else f"{facts['words']} known",
        "subjects": listed if subjects else "",
        "native size": f"{facts['native_size']} px",
        "steps": f"{facts['default_steps']} for a full run",
        "guidance": f"{facts['default_guidance']:g}",
        "gain": f"{facts['gain']:g} on the dial's noise-to-signal ratio",
        "size": f"{facts['bytes'] / 1e6:.0f} MB" if facts["bytes"] else "no weights",
        "folder": facts["folder"] or "",
        "revision": facts["revision"] or "",
        "licences": notice if facts["folder"] else "",
    }
    click.echo(facts["name"])
    for name, text in lines.items():
        if text:
            click.echo(f"  {name:<12} {text}")
