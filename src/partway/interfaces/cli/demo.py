"""`partway demo`: the shipped example pictures over the whole dial, and what to try next."""

from __future__ import annotations

import hashlib
import json
import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click
from PIL.Image import Resampling

from partway import images
from partway.api import DEFAULT_SWEEP
from partway.edits.sweep import sweep_requests
from partway.errors import InvalidRequest, OutputExists
from partway.examples import EXAMPLES, PHOTOGRAPH, PHOTOGRAPH_STYLE
from partway.families import DEFAULT_MODEL
from partway.interfaces.cli.outputs import Target, check
from partway.interfaces.cli.report import Reporter
from partway.interfaces.cli.running import Item, raise_errors, run_items
from partway.interfaces.cli.sweep import Series, sheet_of
from partway.request import EditRequest
from partway.result import Names
from partway.styles import style_file

if TYPE_CHECKING:
    from partway.result import EditResult

SHEET = "sheet.png"
SIDE = 256  # long side of the photograph, pixels
MANIFEST = ".partway-demo.json"  # names and SHA-256 of the files the demo wrote


@click.command("demo")
@click.option(
    "--output", "-o", default="./partway-demo", show_default=True, help="Folder for the pictures."
)
@click.option("-m", "--model", default=DEFAULT_MODEL, show_default=True, help="Checkpoint to run.")
@click.option("-q", "--quiet", is_flag=True, help="Only errors on stderr.")
def command(*, output: str, model: str, quiet: bool) -> None:
    """Edit shipped drawings and a photograph at seven strengths; write them and contact sheets.

    Run again, it replaces the files it wrote and no others.
    """
    began = time.perf_counter()
    report = Reporter(quiet=quiet)
    folder = Path(output)
    shown = [*_drawings(model), _photograph()]
    sources = {each.name: each.request.source or b"" for each in shown}
    items: list[Item] = []
    for name, _, request in shown:
        extent = images.load(sources[name]).extent
        for each in sweep_requests(request, DEFAULT_SWEEP):
            path = folder / f"{name}-s{each.effective_strength:g}.png"
            target, origin = Target(path, overwrite=True), Names(str(folder / f"{name}.png"))
            items.append(Item(each, f"{name}.png", target, extent, names=origin))
    names = [item.target.path.name for item in items if item.target and item.target.path]
    names += [*(f"{name}.png" for name in sources), *map(strip_name, sources), SHEET]
    own = Own(folder)
    own.check(names)

    report.say(
        f"{len(EXAMPLES)} drawings on {model} and a photograph, "
        f"at {len(DEFAULT_SWEEP)} strengths each …"
    )

    def written(item: Item, path: Path | None, result: EditResult) -> None:
        report.picture(item.name, path, result)
        if path is not None:
            own.add(path)

    for name, data in sources.items():
        own.write(folder / f"{name}.png", data)
    finished = run_items(items, report, written)
    errors = [(items[index].name, error) for index, error in finished.errors.items()]
    raise_errors(errors, finished.made, len(items), report)
    width = len(DEFAULT_SWEEP)
    series = [
        Series(
            each.label,
            each.request.seed,
            [finished.results[row * width + i] for i in range(width)],
        )
        for row, each in enumerate(shown)
    ]
    sheets = {SHEET: sheet_of(series)}
    sheets |= {strip_name(name): sheet_of([row]) for name, row in zip(sources, series, strict=True)}
    for name, sheet in sheets.items():
        images.save(sheet, folder / name, overwrite=True)
        own.add(folder / name)
    _tell(folder, time.perf_counter() - began)


class Shown(NamedTuple):
    """A picture of the demo; `label` goes on the sheet."""

    name: str
    label: str
    request: EditRequest


def _drawings(model: str) -> list[Shown]:
    """The shipped drawings, each towards its prompt."""
    return [
        Shown(
            each.name,
            each.prompt,
            EditRequest(prompt=each.prompt, source=each.file.read_bytes(), model=model),
        )
        for each in EXAMPLES
    ]


def _photograph() -> Shown:
    """The shipped photograph, reduced to the drawings' size, in the manner of a style picture."""
    photograph = images.load(PHOTOGRAPH.read_bytes()).image
    photograph.thumbnail((SIDE, SIDE), Resampling.LANCZOS)
    request = EditRequest(
        source=images.read_bytes(photograph),
        references=(style_file(PHOTOGRAPH_STYLE).read_bytes(),),
    )
    return Shown(PHOTOGRAPH.stem, f"a photograph, --style {PHOTOGRAPH_STYLE}", request)


def strip_name(name: str) -> str:
    """File name of the contact sheet of one example alone."""
    return f"{name}-strip.png"


def next_commands() -> list[str]:
    """Three commands that work in the demo's folder."""
    first, second, _ = EXAMPLES
    return [
        f'partway {second.name}.png "{second.prompt}" --strength 0.6',
        f'partway sweep {first.name}.png "{first.prompt}" --strengths 0.6:0.9:0.1',
        f"partway {PHOTOGRAPH.stem}.png --style oil --strength 0.5",
    ]


def _tell(folder: Path, seconds: float) -> None:
    """Where everything is, and what to try next; on stdout, it is what was asked for."""
    click.echo(f"\nContact sheet  {folder / SHEET}")
    click.echo(f"Pictures       {folder}/  ({seconds:.1f} s in all)")
    click.echo(f"\nNext, try:     cd {shlex.quote(str(folder))}")
    for line in next_commands():
        click.echo(f"  {line}")


class Own:
    """The files of a folder that the demo wrote itself, remembered across runs by content."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / MANIFEST
        self._folder = folder
        try:
            known = json.loads(self._file.read_text("utf-8"))
            self._digests = {str(name): str(digest) for name, digest in known.items()}
        except (OSError, ValueError, AttributeError):
            self._digests = {}

    def check(self, names: list[str]) -> None:
        """OutputExists for a file that the demo did not write, or that was changed since."""
        for name in names:
            file = self._folder / name
            if file.is_file() and self._digests.get(name) != _digest(file):
                raise OutputExists(
                    f"{file} was not written by the demo, or was changed since: "
                    "choose another folder with --output"
                )
            check(Target(file, overwrite=True))

    def write(self, file: Path, data: bytes) -> None:
        """Write a file of the demo."""
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
        except OSError as error:
            raise InvalidRequest(f"{file} cannot be written: {error.strerror}") from error
        self.add(file)

    def add(self, file: Path) -> None:
        """Remember a file that was just written."""
        self._digests[file.name] = _digest(file)
        self._file.write_text(json.dumps(self._digests, indent=1), "utf-8")


def _digest(file: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(file.read_bytes()).hexdigest()
