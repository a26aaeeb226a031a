"""`partway refine`: on from a result, once, in loops, side by side."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from partway.metadata import Document, read_metadata

if TYPE_CHECKING:
    from .conftest import Run


@pytest.fixture
def result(run: Run, work: Path) -> Path:
    done = run("icon.png", "navy", "-s", "0.6", "-m", "analytic", "--seed", "9", "--steps", "3")
    assert done.exit_code == 0, done.stderr
    return work / "icon-s0.6.png"


def record(path: Path) -> Document:
    document = read_metadata(path).document
    assert document is not None
    return document


def request(path: Path) -> Any:
    return record(path).request


def test_with_its_own_settings(run: Run, work: Path, result: Path) -> None:
    done = run("refine", result.name)
    assert done.exit_code == 0, done.stderr
    path = work / "icon-s0.6-refined.png"
    assert (request(path)["prompt"], request(path)["strength"]) == ("navy", 0.25)
    assert (request(path)["seed"], request(path)["steps"]) == (10, 3)
    assert record(path).model == "analytic"
    assert record(path).parent == sha256(result.read_bytes()).hexdigest()
    before, after = run.pixels(result).astype(int), run.pixels(path)
    assert 0 < np.abs(before - after).mean() < 60


def test_its_style_goes_by_its_name(run: Run, work: Path) -> None:
    Image.new("RGB", (32, 24), "navy").save("paper.png")
    args = ("--style", "paper.png", "-s", "0")  # at 0 nothing is computed, and all of it recorded
    assert run("icon.png", *args, "-o", "out/a.png").exit_code == 0
    assert run("refine", "out/a.png", "-s", "0", "-o", "out/b.png").exit_code == 0
    (style,) = record(work / "out/b.png").files["references"]
    assert style.name == "../paper.png"
    done = run("replay", "out/b.png", "-o", "out/c.png")
    assert done.exit_code == 0, done.stderr
    assert record(work / "out/c.png") == record(work / "out/b.png")


def test_from_stdin(run: Run, work: Path, result: Path) -> None:
    assert run("refine", "-", stdin=result.read_bytes()).exit_code == 0
    found = record(work / "stdin-refined.png")
    assert found.source is not None
    assert found.source.name is None


def test_what_is_given_comes_first(run: Run, work: Path, result: Path) -> None:
    done = run("refine", result.name, "orange", "-s", "0.4", "--seed", "3", "-o", "a.png")
    assert done.exit_code == 0, done.stderr
    found = request(work / "a.png")
    assert (found["prompt"], found["strength"], found["seed"]) == ("orange", 0.4, 3)


def test_a_word_for_a_strength(run: Run, work: Path, result: Path) -> None:
    done = run("refine", result.name, "-s", "subtle", "-o", "a.png")
    assert done.exit_code == 0, done.stderr
    assert 0 < request(work / "a.png")["strength"] < 0.4


def test_strength_zero_is_the_picture_itself(run: Run, work: Path, result: Path) -> None:
    done = run("refine", result.name, "-s", "0", "-o", "a.png")
    assert done.exit_code == 0, done.stderr
    assert np.array_equal(run.pixels(work / "a.png"), run.pixels(result))


def test_loops_go_on_from_each_other(run: Run, work: Path, result: Path) -> None:
    done = run("refine", result.name, "--loops", "3")
    assert done.exit_code == 0, done.stderr
    paths = [work / f"icon-s0.6-refined-{n}.png" for n in (1, 2, 3)]
    parents = [result, *paths]
    for path, parent in zip(paths, parents, strict=False):
        found = record(path)
        assert found.parent == sha256(parent.read_bytes()).hexdigest()
        assert found.source is not None
        assert found.source.sha256 == found.parent
        assert found.source.name == parent.name
    assert [request(path)["seed"] for path in paths] == [10, 11, 12]


def test_variations_side_by_side(run: Run, work: Path, result: Path) -> None:
    done = run("refine", result.name, "--variations", "3", "--json")
    assert done.exit_code == 0, done.stderr
    assert [line["seed"] for line in run.lines(done)] == [10, 11, 12]
    paths = [work / f"icon-s0.6-refined-seed{seed}.png" for seed in (10, 11, 12)]
    pictures = {run.pixels(path).tobytes() for path in paths}
    assert len(pictures) == 3


def test_both_at_once(run: Run, work: Path, result: Path) -> None:
    done = run("refine", result.name, "--variations", "2", "--loops", "2")
    assert done.exit_code == 0, done.stderr
    found = [record(path) for path in work.glob("*refined*")]
    assert len(found) == 4
    assert {each.request["seed"] for each in found} == {10, 11, 12, 13}
    assert sum(each.parent == sha256(result.read_bytes()).hexdigest() for each in found) == 2


def test_a_refined_picture_can_be_replayed(run: Run, work: Path, result: Path) -> None:
    run("refine", result.name, "-o", "a.png")
    done = run("replay", "a.png", "-o", "b.png")
    assert done.exit_code == 0, done.stderr
    assert "bit for bit" in done.stderr
    assert record(work / "b.png") == record(work / "a.png")


@pytest.mark.parametrize(
    ("args", "word"),
    [
        (["icon.png"], "add a PROMPT"),
        (["icon.png", "two", "words"], "quotes"),
        (["icon.png", "a", "-p", "b"], "once"),
        (["gone.png", "a"], "gone.png"),
        (["icon.png", "a", "--loops", "0"], "--loops"),
        (["icon.png", "a", "--loops", "50", "--variations", "50"], "2500 pictures"),
        (["icon.png", "a", "-s", "1.5"], "1.5"),
        (["icon.png", "a", "-o", "-", "--json"], "stdout"),
    ],
)
def test_errors(run: Run, work: Path, args: list[str], word: str) -> None:
    done = run("refine", *args)
    assert done.exit_code == 2
    assert word in done.stderr
    assert [path.name for path in work.iterdir()] == ["icon.png"]
