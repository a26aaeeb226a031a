"""`partway outpaint`: the page's commands, the record and what reads it, refusals."""

from __future__ import annotations

import json
import re
import shlex
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray
from PIL import Image

from partway import edit
from partway.examples import HERE
from partway.interfaces.cli import cli
from partway.metadata import read_metadata

PAGE = (Path(__file__).parents[3] / "docs/outpainting.md").read_text("utf-8")
RED = ("red", "-m", "analytic", "--full-steps", "8")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    with Image.open(HERE / "fox.png") as fox:
        fox.resize((64, 48)).save("fox.png")
    return tmp_path


def run(*words: str) -> str:
    result = CliRunner().invoke(cli, list(words))
    assert result.exit_code == 0, result.stderr
    return result.stderr


def refused(*words: str) -> str:
    result = CliRunner().invoke(cli, list(words))
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")
    return result.stderr


def pixels(name: str) -> NDArray[np.uint8]:
    with Image.open(name) as image:
        return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize(
    "line",
    [
        line
        for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
        for line in block.splitlines()
    ],
)
def test_commands_of_the_page_run(line: str) -> None:
    model = () if "--style" in line else ("-m", "analytic")
    run(*shlex.split(line)[1:], *model, "--full-steps", "4", "-o", "out.png")
    whole, fox = pixels("out.png"), pixels("fox.png")
    assert whole.shape > fox.shape
    offsets = [
        (y, x)
        for y in range(whole.shape[0] - 47)
        for x in range(whole.shape[1] - 63)
        if np.array_equal(whole[y : y + 48, x : x + 64], fox)
    ]
    assert len(offsets) == 1


def test_the_table_of_the_page_is_the_measured_one(monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(__file__).parents[3]
    monkeypatch.setattr(sys, "path", [str(root / "benchmarks"), *sys.path])
    rows = json.loads((root / "docs/results/outpainting.json").read_text("utf-8"))
    assert import_module("bench_outpaint").table(rows) in PAGE
    assert max(row["across"] for row in rows) < 1.0


def test_python_of_the_page_runs() -> None:
    code = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0]
    exec(compile(code.replace('"fox, 3d"', '"red", model="analytic"'), "page", "exec"), {})  # noqa: S102
    assert pixels("wide.png").shape[1] > 64


def test_sides_in_pixels_and_percent_are_what_python_does() -> None:
    run("outpaint", "fox.png", *RED, "--left", "16", "--bottom", "25%", "-o", "a.png")
    alone = edit("fox.png", "red", model="analytic", full_steps=8, extend=(16, 0, 0, 12))
    assert np.array_equal(pixels("a.png"), np.asarray(alone.image.convert("RGB")))
    run("outpaint", "fox.png", *RED, "--to", "100x60", "-o", "b.png")
    assert pixels("b.png").shape == (60, 100, 3)


def test_a_result_says_how_far_it_was_extended_and_replays() -> None:
    run("outpaint", "fox.png", *RED, "--to", "16:9", "--feather", "5", "-o", "a.png")
    assert "bit for bit" in run("replay", "a.png", "-o", "b.png")
    assert np.array_equal(pixels("a.png"), pixels("b.png"))
    document = read_metadata("a.png").document
    assert document is not None
    assert document.request["extend"] == [10, 0, 11, 0]
    shown = CliRunner().invoke(cli, ["info", "a.png"]).stdout
    assert "extended       10 left, 11 right pixels" in shown
    with Image.open("a.png") as image:
        block = str(image.info["parameters"])
    assert "Partway extended: left 10 top 0 right 11 bottom 0" in block
    assert "Size: 85x48" in block
    Path("other").mkdir()
    gone = Path("fox.png").rename("other/fox.png")
    assert "--source FILE" in refused("replay", "a.png", "-o", "c.png")
    assert "bit for bit" in run("replay", "a.png", "--source", str(gone), "-o", "c.png")


def test_refining_does_not_extend_again() -> None:
    run("outpaint", "fox.png", *RED, "--right", "16", "-o", "a.png")
    run("refine", "a.png", "-o", "b.png")
    assert pixels("b.png").shape == pixels("a.png").shape


def test_strength_0_is_the_continued_picture_and_loads_no_model() -> None:
    done = CliRunner().invoke(
        cli, ["outpaint", "fox.png", "-s", "0", "--to", "2:1", "-o", "a.png", "--json"]
    )
    told = json.loads(done.stdout)
    assert (told["model"], told["evaluations"]) == (None, 0)
    assert np.array_equal(pixels("a.png")[:, 15], pixels("fox.png")[:, 0])
    assert np.array_equal(pixels("a.png")[:, 16:80], pixels("fox.png"))


def test_several_sources_each_by_its_own_size() -> None:
    Image.new("RGB", (30, 40), "teal").save("teal.png")
    run("outpaint", "fox.png", "teal.png", "-p", "red", "-m", "analytic", "--to", "1:1", "-o", "o/")
    sizes = {path.name: pixels(str(path)).shape[:2] for path in Path("o").iterdir()}
    assert sizes == {"fox-s0.85.png": (64, 64), "teal-s0.85.png": (40, 40)}


def test_what_cannot_be_is_refused_with_what_to_type() -> None:
    base = ("outpaint", "fox.png", *RED, "-o", "never.png")
    assert "try --right 25% or --to 16:9" in refused(*base)
    assert "try --right 25% or --to 16:9" in refused(*base, "--left", "0")
    assert "not both" in refused(*base, "--left", "4", "--to", "16:9")
    assert "is 4:3 already" in refused(*base, "--to", "4:3")
    assert "for an aspect ratio try --to 16:9" in refused(*base, "--to", "16x9")
    assert "want pixels or a share" in refused(*base, "--left", "wide")
    for option in ("--mask", "--map"):
        said = refused(*base, "--left", "4", option, "fox.png")
        assert f"outpaint takes no {option}: only what is added is painted" in said
        assert "extend first, then edit the result" in said
    assert "extended picture would be" in refused(*base, "--dry-run", "--top", "16384")
    assert "needs a SOURCE" in refused("outpaint", "-p", "red", "-m", "analytic", "--to", "16:9")
    assert not Path("never.png").exists()
