"""`--keep`, the words of -s, `partway calibrate` and dial perceptual."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from partway.settings import calibrations_file
from partway.strength import WORDS

if TYPE_CHECKING:
    from .conftest import Run

ANALYTIC = ("-m", "analytic")
PROMPT = "navy, orange, white"


@pytest.fixture
def pictures(work: Path, icon: Image.Image) -> Path:
    """A folder of five pictures, one with words beside it."""
    folder = work / "pictures"
    folder.mkdir()
    for turn in range(5):
        icon.rotate(72 * turn, fillcolor="white").save(folder / f"red-{turn}.png")
    (folder / "red-3.txt").write_text("navy, orange\n")
    (folder / "notes.md").write_text("no picture")
    return folder


def test_keep_finds_a_strength_and_says_which(run: Run, work: Path) -> None:
    result = run("icon.png", PROMPT, *ANALYTIC, "--keep", "60%", "--json")
    assert result.exit_code == 0, result.stderr
    made = run.lines(result)[0]
    assert Path(made["path"]).name == "icon-keep60.png"
    assert abs(made["kept"]["structure"] - 0.6) <= 0.025
    assert f"strength {made['strength']:g} keeps" in result.stderr
    again = run("icon.png", PROMPT, *ANALYTIC, "-s", str(made["strength"]), "-o", "again.png")
    assert again.exit_code == 0
    with Image.open(work / "again.png") as a, Image.open(work / "icon-keep60.png") as b:
        assert np.array_equal(np.asarray(a), np.asarray(b))


def test_keep_works_per_picture_and_per_seed(run: Run, work: Path) -> None:
    args = ("--keep", "0.7", "--seed", "1", "--seed", "2", "--full-steps", "8")
    result = run("icon.png", PROMPT, *ANALYTIC, *args)
    assert result.exit_code == 0, result.stderr
    assert (work / "icon-keep70-seed1.png").exists()
    assert (work / "icon-keep70-seed2.png").exists()


def test_keeping_all_is_the_picture_itself(run: Run, work: Path, icon: Image.Image) -> None:
    assert run("icon.png", PROMPT, *ANALYTIC, "--keep", "100%").exit_code == 0
    with Image.open(work / "icon-keep100.png") as made:
        assert np.array_equal(np.asarray(made.convert("RGB")), np.asarray(icon.convert("RGB")))


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("icon.png", PROMPT, "--keep", "70%", "-s", "0.3"), "--strength or --keep"),
        (("icon.png", PROMPT, "--keep", "70"), "try --keep 70%"),
        (("icon.png", PROMPT, "--keep", "most"), "try --keep 70%"),
        (("icon.png", PROMPT, "--keep", "70%", "--dry-run"), "--dry-run"),
        (("icon.png", PROMPT, "--keep", "70%", "-o", "{stem}-{strength}.png"), "{stem}-keep70"),
        (("-p", PROMPT, "--keep", "70%"), "needs a source"),
        (("icon.png", PROMPT, "-s", "balnced"), "did you mean 'balanced'"),
        (("icon.png", PROMPT, "--dial", "perceptual"), "partway calibrate analytic"),
    ],
)
def test_what_cannot_be_is_said(run: Run, work: Path, args: tuple[str, ...], says: str) -> None:
    before = set(work.iterdir())
    result = run(*args, *ANALYTIC)
    assert result.exit_code == 2
    assert says in " ".join(result.stderr.split())
    assert set(work.iterdir()) == before


def test_words_are_numbers_of_the_model(run: Run, work: Path) -> None:
    args = ("icon.png", PROMPT, "--json", "--steps", "2", *ANALYTIC)
    made = [run.lines(run(*args, "-s", word))[0]["strength"] for word in WORDS]
    assert made == [0.3, 0.5, 0.75, 0.9]
    assert (work / "icon-s0.75.png").exists()
    assert "0.75 standard on analytic" in run("plan", "-s", "strong", *ANALYTIC).stdout


def test_a_calibration_is_stored_and_read(run: Run, pictures: Path) -> None:
    before = run.lines(run("icon.png", PROMPT, "-s", "subtle", "--json", *ANALYTIC))[0]
    result = run("calibrate", "analytic", "--images", str(pictures), "--json")
    assert result.exit_code == 0, result.stderr
    found = run.lines(result)[0]
    assert found["pictures"] == 5
    assert Path(found["file"]) == calibrations_file()
    assert json.loads(calibrations_file().read_text())["analytic"]["gain"] == found["gain"]

    perceptual = ("icon.png", PROMPT, "-s", "0.4", "--dial", "perceptual", *ANALYTIC)
    made = run.lines(run(*perceptual, "--json"))[0]
    low, high = 0.0, 1.0
    for share, level in found["curve"]:
        low, high = (level, high) if share <= 0.4 else (low, min(high, level))
    assert low <= made["noise_fraction"] <= high
    planned = json.loads(
        run("plan", "-s", "0.4", "--dial", "perceptual", "--json", *ANALYTIC).stdout
    )
    assert planned["noise_fraction"] == made["noise_fraction"]
    swept = run.lines(
        run("sweep", "icon.png", PROMPT, "--strengths", "0.4", *perceptual[4:], "--json")
    )[0]
    assert swept["noise_fraction"] == made["noise_fraction"]
    after = run.lines(run("icon.png", PROMPT, "-s", "subtle", "--json", *ANALYTIC))[0]
    assert after["noise_fraction"] != before["noise_fraction"]  # words follow what was measured


def test_a_calibration_is_told_in_words(run: Run, pictures: Path) -> None:
    args = ("--images", str(pictures), "--count", "3", "-p", PROMPT)
    result = run("calibrate", "analytic", *args)
    assert result.exit_code == 0
    assert "analytic on 3 pictures" in result.stderr
    assert "subtle" in result.stderr
    assert str(calibrations_file()) in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("folder", "says"), [("none", "No such file"), ("empty", "no pictures"), (".", "at least 3")]
)
def test_calibrating_needs_pictures(run: Run, work: Path, folder: str, says: str) -> None:
    (work / "empty").mkdir()
    result = run("calibrate", "analytic", "--images", folder)
    assert result.exit_code == 2
    assert says in result.stderr
    assert not calibrations_file().exists()
