"""docs/scale.md: its commands run, its numbers are what its formulas come to."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from partway.examples import EXAMPLES
from partway.interfaces.cli import cli
from partway.interfaces.cli.batch import command as batch

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs/scale.md").read_text("utf-8")
MANY = 10_000_000


def numbers(start: str) -> list[float]:
    line = next(line for line in PAGE.splitlines() if line.startswith(f"| {start}"))
    cells = line.strip("| ").split(" | ")[1:]
    found = (re.match(r"[\d,.]+", cell) for cell in cells)
    return [float(each[0].replace(",", "")) for each in found if each is not None]


def evaluations(*words: str) -> int:
    done = CliRunner().invoke(cli, ["plan", "-s", "0.5", "--json", *words])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)["evaluations"]


def check(row: list[float], calls: int, seconds: float) -> None:
    assert row[0] == calls
    assert row[1] == pytest.approx(seconds, abs=6e-4)
    assert row[2] == pytest.approx(3600 / seconds, abs=1)
    assert row[3] == pytest.approx(MANY * seconds / 3600, abs=1)


def test_times_follow_from_evaluations() -> None:
    calls = evaluations("-m", "pocket")
    measured = json.loads((ROOT / "docs/results/bench.json").read_text("utf-8"))
    assert measured["machine"].startswith("2 cores")
    check(numbers("pocket"), calls, measured["warm_20_evaluation_edit_s"] * calls / 20)

    rate = (30 * 2 * 6.76 + 10.47) / 2.496
    assert f"R = {rate:.1f} TFLOP/s" in PAGE
    calls = evaluations("-m", "analytic", "--dial", "sd1", "--full-steps", "30")
    check(numbers("SDXL, 1024²"), calls, (calls * 2 * 6.76 + 4.88 + 10.47) / rate)


def test_what_many_take_follows_from_one() -> None:
    hours = numbers("SDXL, 1024²")[3]
    assert numbers("time on 64 H100")[0] == pytest.approx(hours / 64, abs=0.05)
    assert numbers("cost for each 1.00")[0] == hours
    assert numbers("encoding PNG")[0] == pytest.approx(MANY * 0.337 / 3600, abs=1)
    assert numbers("PNG files")[0] == pytest.approx(2 * MANY * 1.261 / 1e6, abs=0.05)
    assert numbers("the same as JPEG")[0] == pytest.approx(2 * MANY * 0.357 / 1e6, abs=0.05)
    assert numbers("names in memory")[0] == pytest.approx(MANY * 252 / 1e9, abs=0.05)
    assert numbers("the same of a bucket")[0] == pytest.approx(MANY * 293 / 1e9, abs=0.05)
    assert numbers("the journal")[0] == pytest.approx(MANY * 352 / 1e9, abs=0.05)


@pytest.mark.slow
def test_commands_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    Path("icons").mkdir()
    for example in EXAMPLES:
        shutil.copy(example.file, "icons")
    said: list[str] = []
    for line in PAGE.split("```sh\n")[1].split("```")[0].splitlines():
        words = shlex.split(line, comments=True)
        done = CliRunner().invoke(cli, [*words[1:], "-m", "analytic", "--steps", "1"])
        assert done.exit_code == 0, done.output
        said.append(done.stderr)
    assert "3 made" in said[0]
    assert "0 made, 3 there already" in said[1]


def test_commands_for_a_cluster_are_understood() -> None:
    """They run in tests/executors/test_ray.py; here their words are those of the command."""
    for line in PAGE.split("```\n")[2].split("```")[0].splitlines():
        words = shlex.split(line, comments=True)
        context = batch.make_context("batch", words[2:])
        assert context.params["executor"] == "ray"
