"""Pages whose figures come from a report: their tables are the measured ones, promises hold."""

from __future__ import annotations

import json
import re
import shlex
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from PIL import Image

from partway.calibration import curve_from
from partway.examples import PHOTOGRAPH
from partway.families import profile_of
from partway.interfaces.cli import cli

ROOT = Path(__file__).parent.parent.parent
RECOLORING = (ROOT / "docs/recoloring.md").read_text("utf-8")


def benchmark(name: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(sys, "path", [str(ROOT / "benchmarks"), *sys.path])
    return import_module(name)


def report(name: str) -> Any:
    return json.loads((ROOT / f"docs/results/{name}.json").read_text("utf-8"))


@pytest.mark.parametrize(
    "line",
    [
        line
        for block in re.findall(r"```sh\n(.*?)```", RECOLORING, re.DOTALL)
        for line in block.splitlines()
    ],
)
def test_commands_run(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    with Image.open(PHOTOGRAPH) as photograph:
        photograph.resize((90, 60)).save("cat.jpg")
    words = [*shlex.split(line)[1:], "--full-steps", "2", "-o", "out.png"]
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 0, done.stderr
    assert Path("out.png").is_file()


def test_the_tables_of_recoloring_are_the_measured_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    measured, table = report("recolor"), benchmark("bench_recolor", monkeypatch).table
    for option, rows in measured.items():
        told = table(rows, option)
        assert f"<!-- {option} -->\n{told}\n<!-- /{option} -->" in RECOLORING
    for row in measured["recolor"]:
        assert row["recolor"]["colour"] < row["dial"]["colour"]
        assert row["recolor"]["structure"] > 0.6
    for row in measured["keep_colors"]:
        assert row["keep_colors"]["colour"] > row["dial"]["colour"]
        assert abs(row["keep_colors"]["structure"] - row["dial"]["structure"]) < 0.05


def test_the_committed_calibration_shows_what_its_page_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench, measured = benchmark("bench_calibration", monkeypatch), report("calibration")
    assert (ROOT / "docs/results/calibration.md").read_text("utf-8") == bench.table(measured)
    assert bench.broken_promises(measured) == []
    page = (ROOT / "docs/calibration.md").read_text("utf-8")
    pocket = measured["models"]["pocket"]
    assert f"a Pearson correlation of {pocket['pearson']}" in page
    within = float(re.findall(r"by the same amount to within (0\.\d+)\.", page)[0])
    assert measured["apart"] <= within < measured["apart"] + 0.001
    assert f"lie up to {max(pocket['spread']):.2f} (one standard deviation)" in page
    profile = profile_of("pocket")
    assert profile.gain == pocket["gain"]
    assert profile.curve == curve_from(pocket)
    measured["apart"] = 0.06
    pocket["pearson"] = 0.9
    assert len(bench.broken_promises(measured)) == 2
