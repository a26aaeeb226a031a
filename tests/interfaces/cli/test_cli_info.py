"""`partway info`: what files say, for people and as JSON; no text acts on a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

if TYPE_CHECKING:
    from .conftest import Run

BLOCK = "a cat\nNegative prompt: dog\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 5, \
Denoising strength: 0.4, Version: v1.10.1"


def written(name: str, **texts: str) -> None:
    info = PngInfo()
    for key, value in texts.items():
        info.add_itxt(key, value)
    Image.new("RGB", (4, 4)).save(name, pnginfo=info)


@pytest.fixture
def result(run: Run, work: Path) -> str:
    del work
    done = run("icon.png", "navy", "-s", "0.3", "-m", "analytic", "--seed", "9")
    assert done.exit_code == 0, done.stderr
    return "icon-s0.3.png"


def test_a_result(run: Run, result: str) -> None:
    done = run("info", result)
    assert done.exit_code == 0
    for word in ("Partway", "navy", "0.3 standard", "9", "analytic", "icon.png", "exact",
                 "compositeSynthetic"):  # fmt: skip
        assert word in done.stdout, word


def test_nothing_kept_is_said_as_when_it_was_made(run: Run, work: Path) -> None:
    """Less is kept than of an unrelated picture: the share is below 0."""
    done = run("icon.png", "lime", "-s", "0.9", "-m", "analytic", "-o", "a.png", "--json")
    assert "kept 0 % of the structure" in done.stderr
    assert run.lines(done)[0]["kept"]["structure"] < 0.0
    assert "0 % of structure" in run("info", "a.png").stdout
    (line,) = run.lines(run("info", "--json", "a.png"))
    assert line["partway"]["made"]["kept"] == run.lines(done)[0]["kept"]


def test_a_result_as_json(run: Run, result: str) -> None:
    (line,) = run.lines(run("info", "--json", result))
    assert line["path"] == result
    assert line["tool"] == "Partway"
    assert line["partway"]["request"]["seed"] == 9
    assert line["partway"]["files"]["source"][0]["name"] == "icon.png"
    assert line["settings"]["seed"] == "9"
    assert line["size"] == [96, 64]


def test_another_programs_picture(run: Run) -> None:
    written("a.png", parameters=BLOCK)
    text = run("info", "a.png").stdout
    assert "A1111" in text
    assert "0.4 (A1111's own number)" in text
    (line,) = run.lines(run("info", "--json", "a.png"))
    assert line["partway"] is None
    assert line["settings"]["prompt"] == "a cat"
    assert line["settings"]["negative_prompt"] == "dog"
    assert line["settings"]["guidance_scale"] == "7"


def test_a_picture_that_says_nothing(run: Run, work: Path) -> None:
    del work
    assert "no generation data" in run("info", "icon.png").stdout


def test_of_several_files_those_that_can_be_read(run: Run, work: Path) -> None:
    (work / "no.png").write_text("no picture")
    done = run("info", "icon.png", "no.png", "gone.png")
    assert done.exit_code != 0
    assert "96×64" in done.stdout
    assert "no.png" in done.stderr
    assert "gone.png" in done.stderr
    assert "2 of 3 files not read" in done.stderr
    assert "no.png is no picture" in run("info", "no.png").stderr


def test_stdin(run: Run, work: Path) -> None:
    assert "96×64" in run("info", "-", stdin=(work / "icon.png").read_bytes()).stdout


def test_no_text_acts_on_a_terminal(run: Run) -> None:
    evil = "\x1b]0;owned\x07\x1b[2J\u202egnp.exe\x9b31m [bold]x[/bold]\rover"
    written("a.png", parameters=BLOCK.replace("a cat", evil))
    for args in (["info", "a.png"], ["info", "--json", "a.png"]):
        done = run(*args)
        assert done.exit_code == 0
        shown = done.stdout.replace("\n", "")
        assert shown.isprintable(), ascii(shown)
        assert "[bold]x[/bold]" in shown


def test_a_key_may_not_take_the_place_of_the_prompt(run: Run) -> None:
    written("a.png", parameters=f"{BLOCK}, prompt: other, negative_prompt: none")
    (line,) = run.lines(run("info", "--json", "a.png"))
    assert line["settings"]["prompt"] == "a cat"


def test_a_giant_prompt_is_cut_for_people(run: Run) -> None:
    written("a.png", parameters=BLOCK.replace("a cat", "x" * 90_000))
    assert len(run("info", "a.png").stdout) < 25_000
    (line,) = run.lines(run("info", "--json", "a.png"))
    assert len(line["settings"]["prompt"]) == 90_000
