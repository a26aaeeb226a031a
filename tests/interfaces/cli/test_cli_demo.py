"""`partway demo`: it runs anywhere, replaces only its own files, and its next steps work."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from partway.domain import domain_of
from partway.examples import EXAMPLES, PHOTOGRAPH_STYLE
from partway.styles import style_file

if TYPE_CHECKING:
    from .conftest import Run


def test_examples_are_opaque_artwork(run: Run) -> None:
    for example in EXAMPLES:
        pixels = run.pixels(example.file)
        assert pixels.shape == (256, 256, 3)
        assert not domain_of(pixels).photograph
        assert example.file.name in (example.file.parent / "README.md").read_text("utf-8")


def test_demo_writes_pictures_and_a_sheet(run: Run) -> None:
    result = run("demo", "-m", "analytic")
    assert result.exit_code == 0, result.stderr
    folder = Path("partway-demo")
    pictures = [path for path in folder.glob("*.png") if "-s" in path.name]
    strips = [path for path in pictures if path.name.endswith("-strip.png")]
    assert (len(strips), len(pictures)) == (len(EXAMPLES) + 1, 8 * (len(EXAMPLES) + 1))
    assert run.size(folder / "sheet.png")[0] > 1600
    for example in EXAMPLES:
        assert (folder / f"{example.name}.png").read_bytes() == example.file.read_bytes()
    assert "partway-demo/sheet.png" in result.stdout.replace("\\", "/")

    # The photograph beside them: exact at 0, then nearer and nearer to the style's colours.
    source = run.pixels("partway-demo/cat.png").astype(float)
    assert (run.pixels("partway-demo/cat-s0.png") == source).all()
    style = run.pixels(style_file(PHOTOGRAPH_STYLE)).mean(axis=(0, 1))
    apart = [
        np.abs(run.pixels(f"partway-demo/cat-s{s}.png").mean(axis=(0, 1)) - style).sum()
        for s in ("0", "0.35", "0.65")
    ]
    assert apart == sorted(apart, reverse=True)


def test_again_replaces_its_own_files_only(run: Run) -> None:
    args = ("demo", "-m", "analytic", "-o", "here", "-q")
    assert run(*args).exit_code == 0
    assert run(*args).exit_code == 0
    mine = Path("here/fox-s0.5.png")
    mine.write_text("mine")
    sheet = Path("here/sheet.png").stat().st_mtime_ns
    result = run(*args)
    assert result.exit_code == 2
    assert "not written by the demo" in result.stderr
    assert mine.read_text() == "mine"
    assert Path("here/sheet.png").stat().st_mtime_ns == sheet


def test_a_foreign_file_is_left_alone(run: Run) -> None:
    Path("here").mkdir()
    Path("here/sheet.png").write_text("mine")
    result = run("demo", "-m", "analytic", "-o", "here")
    assert result.exit_code == 2
    assert {path.name for path in Path("here").iterdir()} == {"sheet.png"}


def test_the_next_commands_work_as_typed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run("demo", "-m", "analytic")
    lines = [line.strip() for line in result.stdout.splitlines()]
    place = next(line.split("cd ", 1)[1] for line in lines if "cd " in line)
    commands = [line for line in lines if line.startswith("partway ")]
    assert len(commands) == 3
    monkeypatch.chdir(shlex.split(place)[0])
    for line in commands:
        on = () if "--style" in line else ("-m", "pocket")
        done = run(*shlex.split(line)[1:], *on, "--full-steps", "2")
        assert done.exit_code == 0, done.stderr
        assert "hint" not in done.stderr
