"""`partway upscale`: its page's examples, names, sizes, replay, and what it refuses."""

from __future__ import annotations

import json
import re
import shlex
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.interfaces.cli.conftest import Run

from partway import edit

PAGE = (Path(__file__).parents[3] / "docs/upscaling.md").read_text("utf-8")
FAST = ("-m", "analytic", "--steps", "1")


@pytest.fixture
def fox(work: Path) -> Path:
    with Image.open("icon.png") as icon:
        icon.resize((48, 36)).save("fox.png")
        icon.resize((24, 36)).save("owl.png")
    return work


@pytest.mark.parametrize(
    "line",
    [
        line
        for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
        for line in block.splitlines()
    ],
)
@pytest.mark.usefixtures("fox")
def test_commands_of_the_page_run(line: str, run: Run) -> None:
    words = shlex.split(line.replace("--to 2048", "--to 96"))[1:]
    done = run(*words, *FAST, "--json")
    assert done.exit_code == 0, done.stderr
    assert run.size(run.lines(done)[0]["path"]) > (48, 36)


def test_the_table_of_the_page_is_the_measured_one(monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(__file__).parents[3]
    monkeypatch.setattr(sys, "path", [str(root / "benchmarks"), *sys.path])
    report = json.loads((root / "docs/results/upscale.json").read_text("utf-8"))
    table = import_module("bench_upscale").of_memory(report)
    assert f"<!-- memory -->\n{table}\n<!-- /memory -->" in PAGE
    beside = [row["MiB"] - row["plain"] for row in report["memory"]]
    assert max(beside) <= beside[0]
    assert max(row["step"] for row in report["seams"]) < 0.2


@pytest.mark.usefixtures("fox")
def test_python_of_the_page_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    code = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0]
    exec(compile(code.replace("seed=1", "model='analytic'"), "upscaling.md", "exec"), {})  # noqa: S102
    with Image.open("fox-large.png") as large:
        assert large.size == (96, 72)


@pytest.mark.usefixtures("fox")
def test_it_is_the_librarys_and_replays(run: Run) -> None:
    assert run("upscale", "fox.png", "red", *FAST).exit_code == 0
    made = edit("fox.png", "red", scale=2, strength=0.25, model="analytic", steps=1)
    made.save("b.png")
    assert np.array_equal(run.pixels("fox-x2-s0.25.png"), run.pixels("b.png"))
    replayed = run("replay", "b.png", "-o", "c.png")
    assert "bit for bit" in replayed.stderr, replayed.stderr
    assert run.size("c.png") == (96, 72)
    said = run("info", "b.png").stdout
    assert "scale" in said


@pytest.mark.usefixtures("fox")
def test_a_refined_upscale_keeps_its_size(run: Run) -> None:
    run("upscale", "fox.png", "red", *FAST, "-o", "b.png")
    assert run("refine", "b.png", "-o", "c.png").exit_code == 0
    assert run.size("c.png") == (96, 72)


@pytest.mark.usefixtures("fox")
def test_to_is_a_long_side_or_a_box_and_each_source_has_its_own_scale(run: Run) -> None:
    assert run("upscale", "fox.png", "red", "--to", "100", *FAST, "-o", "a.png").exit_code == 0
    assert run.size("a.png") == (100, 75)
    assert run("upscale", "fox.png", "red", "--to", "60x200", *FAST, "-o", "b.png").exit_code == 0
    assert run.size("b.png") == (60, 45)
    done = run("upscale", "fox.png", "owl.png", "-p", "red", "--to", "72", *FAST, "-o", "out/")
    assert done.exit_code == 0, done.stderr
    assert run.size("out/fox-x1.5-s0.25.png") == (72, 54)
    assert run.size("out/owl-x2-s0.25.png") == (48, 72)


@pytest.mark.usefixtures("fox")
def test_strength_0_is_the_plain_enlargement_and_says_so(run: Run) -> None:
    done = run("upscale", "fox.png", "-p", "red", "-s", "0", "-x", "3")
    assert "enlarged and no more" in done.stderr
    with Image.open("fox.png") as fox:
        plain = fox.resize((144, 108), Image.Resampling.LANCZOS)
    assert np.array_equal(run.pixels("fox-x3-s0.png"), np.asarray(plain))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["fox.png", "red", "-x", "2", "--to", "90"], "not both"),
        (["fox.png", "red", "-x", "0.5"], "above 1"),
        (["fox.png", "red", "--to", "40"], "no larger than the source"),
        (["fox.png", "red", "--to", "big"], "try --to 2048"),
        (["-p", "red"], "needs a SOURCE"),
        (["fox.png", "red", "--mask", "fox.png"], "upscale takes no --mask: edit a part first"),
        (["fox.png", "red", "--map", "fox.png"], "upscale takes no --map: edit a part first"),
    ],
)
@pytest.mark.usefixtures("fox")
def test_what_is_refused_and_nothing_written(words: list[str], said: str, run: Run) -> None:
    before = sorted(Path.cwd().iterdir())
    done = run("upscale", *words, "-m", "analytic")
    assert done.exit_code == 2
    assert said in done.stderr
    assert sorted(Path.cwd().iterdir()) == before


@pytest.mark.usefixtures("fox")
def test_a_result_too_large_is_refused_before_anything_runs(run: Run) -> None:
    Image.new("RGB", (3000, 2500)).save("large.png")
    done = run("upscale", "large.png", "red", "-x", "4", "-m", "analytic", "--dry-run")
    assert done.exit_code == 2
    assert "try -x 2.19" in done.stderr


@pytest.mark.usefixtures("fox")
def test_a_dry_run_tells_the_evaluations_of_all_tiles(run: Run) -> None:
    words = ("upscale", "fox.png", "red", "-x", "4", "-s", "0.4", "-m", "analytic", "--steps", "2")
    (planned,) = run.lines(run(*words, "--dry-run", "--json"))
    (made,) = run.lines(run(*words, "--json"))
    assert planned["evaluations"] == made["evaluations"] > 2
