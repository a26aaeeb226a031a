"""`partway calibrate`: measure how far a model changes your pictures at each noise level."""

from __future__ import annotations

from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

import click

from partway import images
from partway.edits.measure import calibrate
from partway.engine import Engine
from partway.errors import Cancelled, InvalidRequest
from partway.families import profile_of
from partway.interfaces.cli.inputs import read_prompt, read_styles
from partway.interfaces.cli.report import Reporter, emit
from partway.interfaces.cli.running import fetch, interruptible
from partway.request import EditRequest
from partway.settings import save_calibration
from partway.strength import WORDS, named_strength

if TYPE_CHECKING:
    from collections.abc import Sequence

    from partway.calibration import Calibration
    from partway.errors import PartwayError
    from partway.result import EditResult

DEFAULT_COUNT = 24


@click.command("calibrate")
@click.argument("model")
@click.option(
    "--images",
    "folder",
    metavar="FOLDER",
    required=True,
    help="Pictures of the kind you edit: at least 3, sixteen and more to rely on.",
)
@click.option(
    "-p",
    "--prompt",
    metavar="TEXT",
    help="Edit all of them towards this. [default: NAME.txt beside NAME.png, else the words of "
    "the file's name, with the model's styles in turn]",
)
@click.option("--style", "styles", multiple=True, metavar="NAME|FILE", help="Of `partway styles`.")
@click.option(
    "--count",
    type=click.IntRange(1, 10_000),
    default=DEFAULT_COUNT,
    show_default=True,
    help="Measure so many of the pictures, spread over the folder.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.option("-q", "--quiet", is_flag=True, help="Only errors on stderr.")
def command(
    *,
    model: str,
    folder: str,
    prompt: str | None,
    styles: tuple[str, ...],
    count: int,
    as_json: bool,
    quiet: bool,
) -> None:
    """Measure MODEL on your own pictures and keep the result in your settings.

    It is what `--dial perceptual`, `--dial standard` and the words of -s read from then on.
    """
    report = Reporter(quiet=quiet, as_json=as_json)
    profile = profile_of(model)
    references = read_styles(styles)
    text = None if prompt is None else read_prompt(prompt)
    files = _files(Path(folder), count)
    manners = cycle(profile.styles or ("",))
    requests = [
        EditRequest(
            source=images.read_bytes(file),
            prompt="" if references else _prompt(file, text, next(manners)),
            model=model,
            references=references,
        )
        for file in files
    ]
    engine = Engine()
    fetch(profile, report)
    with interruptible() as cancel, report.counting("measuring", len(requests)) as tick:

        def run_many(asked: Sequence[EditRequest]) -> list[EditResult | PartwayError]:
            if cancel.is_set():
                raise Cancelled("interrupted: nothing stored")
            outcomes = engine.run_many(asked, cancel=cancel)
            tick()
            return outcomes

        found = calibrate(run_many, requests)
    file = save_calibration(profile, found)
    if as_json:
        emit({"model": profile.name, "file": str(file), **found.stored()})
        return
    report.say(f"{profile.name} on {found.pictures} pictures: change by noise level")
    for level, change, spread in zip(found.levels, found.change, found.spread, strict=True):
        report.say(f"  {level:<6g} {change:6.1%} ± {spread:.1%}")
    report.say(f"  gain {found.gain:g} (dial standard); {_words(found)}")
    report.say(f"stored in {file}")


def _files(folder: Path, count: int) -> list[Path]:
    """Up to `count` pictures, evenly spread over the folder's in the order of their names."""
    try:
        found = sorted(f for f in folder.iterdir() if f.suffix.lower() in images.SUFFIXES)
    except OSError as error:
        raise InvalidRequest(f"--images {folder}: {error.strerror or error}") from error
    if not found:
        raise InvalidRequest(f"--images {folder}: no pictures in this folder")
    step = max(len(found) / count, 1.0)
    return [found[int(i * step)] for i in range(min(count, len(found)))]


def _prompt(file: Path, text: str | None, manner: str) -> str:
    """What a picture is edited towards."""
    beside = file.with_suffix(".txt")
    if text is not None:
        return text
    if beside.is_file():
        return read_prompt(f"@{beside}")
    subject = " ".join(file.name.split(".")[0].replace("-", " ").replace("_", " ").split())
    return ", ".join(part for part in (subject, manner) if part)


def _words(found: Calibration) -> str:
    """What the words for strengths come to, on dial `standard`."""
    return ", ".join(
        f"{word} {named_strength(word, gain=found.gain, curve=found.curve):g}" for word in WORDS
    )
