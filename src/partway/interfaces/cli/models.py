"""`partway models`: which checkpoints there are, and what one of them knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table

from partway.advice import vocabulary_of
from partway.families import DEFAULT_MODEL, EMBEDDED, WITHOUT_WEIGHTS, Profile, profile_of
from partway.interfaces.cli.inputs import configured_model
from partway.interfaces.cli.report import emit
from partway.settings import settings_file

if TYPE_CHECKING:
    from pathlib import Path

ARTWORK = "icons, stickers: one object on a plain background"
COLOURS = "colours named in the prompt; exact, for tests"
MANNER = "any picture in the manner of a style picture: --style"
OPEN = "what its prompts name"


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
    rows = [summary(profile_of(each)) | {"default": each == default} for each in names]
    if as_json:
        for row in rows:
            emit(row)
        return
    _print_table(rows)
    click.echo(f"* runs where no -m is given. Settings: {settings_file()}")


def summary(profile: Profile) -> dict[str, Any]:
    """One line of the list."""
    return {
        "name": profile.name,
        "family": profile.family,
        "native_size": profile.native_size,
        "default_steps": profile.default_steps,
        "draws": _draws(profile),
        "bytes": _bytes(profile.folder),
    }


def details(profile: Profile) -> dict[str, Any]:
    """Everything that can be said of a checkpoint without loading it."""
    vocabulary = vocabulary_of(profile.folder)
    facts = summary(profile)
    facts["gain"] = profile.gain
    facts["default_guidance"] = profile.default_guidance
    facts["styles"] = list(profile.styles)
    facts["words"] = None if vocabulary is None else len(vocabulary.words)
    facts["subjects"] = _subjects(profile.folder)
    facts["folder"] = None if profile.folder is None else str(profile.folder)
    facts["licences"] = _licences(profile.folder)
    return facts


def _draws(profile: Profile) -> str:
    """What it draws, in a few words; a checkpoint's config may say so itself."""
    if "draws" in profile.config:
        return str(profile.config["draws"])
    if profile.conditioning == "references":
        return MANNER
    if profile.family in WITHOUT_WEIGHTS:
        return COLOURS
    return ARTWORK if profile.artwork_only else OPEN


def _bytes(folder: Path | None) -> int:
    """Size of a checkpoint's files."""
    if folder is None:
        return 0
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _subjects(folder: Path | None) -> list[str]:
    """Names of subjects it was trained on, where the folder lists them."""
    file = None if folder is None else folder / "subjects.txt"
    if file is None or not file.is_file():
        return []
    return [line.strip() for line in file.read_text("utf-8").splitlines() if line.strip()]


def _licences(folder: Path | None) -> list[str]:
    """Files of the folder that name licences and sources."""
    if folder is None:
        return []
    kinds = ("LICENSE", "LICENCE", "NOTICE", "README")
    return sorted(file.name for file in folder.iterdir() if file.name.upper().startswith(kinds))


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
    notice = ", ".join(facts["licences"]) or "see NOTICE of Partway"
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
        "licences": notice if facts["folder"] else "",
    }
    click.echo(facts["name"])
    for name, text in lines.items():
        if text:
            click.echo(f"  {name:<12} {text}")
