"""`partway replay`: the same picture, or an error with nothing written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from partway import replay

if TYPE_CHECKING:
    from .conftest import Run


@pytest.fixture
def result(run: Run, work: Path) -> Path:
    done = run("icon.png", "navy, orange", "-s", "0.37", "-m", "analytic", "--seed", "9")
    assert done.exit_code == 0, done.stderr
    return work / "icon-s0.37.png"


def test_bit_for_bit(run: Run, result: Path) -> None:
    done = run("replay", result.name)
    assert done.exit_code == 0, done.stderr
    assert "bit for bit" in done.stderr
    again = result.with_name("icon-s0.37-replay.png")
    assert np.array_equal(run.pixels(again), run.pixels(result))
    assert again.read_bytes() == result.read_bytes()  # the record too


def test_again_and_again_in_a_folder_of_its_own(run: Run, work: Path) -> None:
    """What was made again names its files as the first did: they are found again."""
    Image.new("L", run.size("icon.png"), 255).save("all.png")
    args = ("--mask", "all.png", "-s", "0.4", "-m", "analytic", "-o", "out/a.png")
    made = run("icon.png", "navy", *args)
    assert made.exit_code == 0, made.stderr
    assert run("replay", "out/a.png", "-o", "out/b.png").exit_code == 0
    done = run("replay", "out/b.png", "-o", "out/c.png")
    assert done.exit_code == 0, done.stderr
    first = (work / "out/a.png").read_bytes()
    assert (work / "out/b.png").read_bytes() == (work / "out/c.png").read_bytes() == first
    replay("out/a.png").save("out/d.png")
    assert (work / "out/d.png").read_bytes() == first


def test_from_stdin(run: Run, work: Path, result: Path) -> None:
    done = run("replay", "-", stdin=result.read_bytes())
    assert done.exit_code == 0, done.stderr
    assert np.array_equal(run.pixels(work / "stdin-replay.png"), run.pixels(result))


def test_from_a_lossy_file(run: Run, work: Path, result: Path) -> None:
    run("icon.png", "navy, orange", "-s", "0.37", "-m", "analytic", "--seed", "9", "-o", "a.jpg")
    (line,) = run.lines(run("replay", "a.jpg", "-o", "b.png", "--json"))
    assert line["same_pixels"] is True
    assert np.array_equal(run.pixels(work / "b.png"), run.pixels(result))


def test_a_source_that_moved(run: Run, work: Path, result: Path) -> None:
    away = work / "away"
    away.mkdir()
    (work / "icon.png").rename(away / "drawing.png")
    done = run("replay", result.name)
    assert done.exit_code == 2
    assert "--source FILE" in done.stderr
    assert not list(work.glob("*replay*"))
    done = run("replay", result.name, "--source", "away/drawing.png")
    assert done.exit_code == 0, done.stderr
    assert "bit for bit" in done.stderr


def test_a_source_that_differs(run: Run, work: Path, result: Path) -> None:
    Image.open(work / "icon.png").convert("L").save(work / "icon.png")
    for args in ([], ["--source", "icon.png"]):
        done = run("replay", result.name, *args)
        assert done.exit_code == 2
        assert "SHA-256 differs" in done.stderr
        assert not list(work.glob("*replay*"))
    done = run("replay", result.name, "--anyway")
    assert done.exit_code == 0, done.stderr
    assert "SHA-256 differs" in done.stderr
    assert "its pixels are not those the record was written for" in done.stderr


def test_of_a_sweep_within_rounding(run: Run, work: Path) -> None:
    run("sweep", "icon.png", "navy", "--strengths", "0.3,0.6", "-m", "analytic")
    pictures = sorted(path for path in work.glob("icon-s*.png") if "sweep" not in path.name)
    assert pictures
    done = run("replay", str(pictures[0].name), "-o", "again.png")
    assert done.exit_code == 0, done.stderr
    difference = run.pixels(work / "again.png").astype(int) - run.pixels(pictures[0])
    assert np.abs(difference).max() <= 1


def test_without_a_record(run: Run, work: Path) -> None:
    done = run("replay", "icon.png")
    assert done.exit_code == 2
    assert "partway refine" in done.stderr
    assert [path.name for path in work.iterdir()] == ["icon.png"]


def test_no_metadata(run: Run, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    args = ("icon.png", "navy", "-s", "0.3", "-m", "analytic", "-o")
    run(*args, "a.png", "--no-metadata")
    assert b"artway" not in (work / "a.png").read_bytes()
    (work / "config.toml").write_text("metadata = false\n")
    monkeypatch.setenv("PARTWAY_CONFIG", str(work / "config.toml"))
    run(*args, "b.png")
    assert (work / "b.png").read_bytes() == (work / "a.png").read_bytes()


def test_metadata_of_a_source_changes_no_edit(run: Run, work: Path, result: Path) -> None:
    plain = work / "plain.png"
    Image.fromarray(run.pixels(result)).save(plain)
    for source in (result.name, plain.name):
        done = run(source, "red", "-s", "0.5", "-m", "analytic", "-o", f"of-{source}", "--json")
        (line,) = run.lines(done)
        assert line["seed"] == 1
    of_result, of_plain = (run.pixels(f"of-{name}") for name in (result.name, plain.name))
    assert np.array_equal(of_result, of_plain)
