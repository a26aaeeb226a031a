"""docs/strength.md and docs/samplers.md: their commands run, their tables are what is measured."""

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

from partway.dialects import DIALECTS, Setting, get_kind, start_of
from partway.interfaces.cli import cli
from partway.request import DEFAULT_SAMPLER, DEFAULT_SPACING
from partway.samplers import SAMPLERS

ROOT = Path(__file__).parent.parent.parent
STRENGTH = (ROOT / "docs/strength.md").read_text("utf-8")
SAMPLING = (ROOT / "docs/samplers.md").read_text("utf-8")


def benchmark(name: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(sys, "path", [str(ROOT / "benchmarks"), *sys.path])
    return import_module(name)


def place(page: str, name: str) -> str:
    found = re.search(rf"<!-- {name} -->\n(.*?)\n<!-- /{name} -->", page, re.DOTALL)
    assert found is not None, name
    return found[1]


@pytest.mark.parametrize(
    "line",
    [
        line
        for block in re.findall(r"```sh\n(.*?)```", STRENGTH, re.DOTALL)
        for line in block.splitlines()
    ],
)
def test_commands_run(line: str) -> None:
    result = CliRunner().invoke(cli, shlex.split(line)[1:])
    assert result.exit_code == 0, result.stderr


def test_tables_of_strength_are_the_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    made = benchmark("bench_strength", monkeypatch)
    assert place(STRENGTH, "sd1") == made.table("sd1", made.STEPS)
    assert place(STRENGTH, "few") == made.table("sd1", made.FEW)
    assert place(STRENGTH, "flux") == made.table("flux", made.STEPS)
    assert place(STRENGTH, "sources") == made.sources()


def test_claims_about_ends_and_rounding() -> None:
    sd1, flux = get_kind("sd1"), get_kind("flux")
    assert start_of("comfyui", 0.81, Setting(4, sd1)) == start_of("comfyui", 1.0, Setting(4, sd1))
    assert start_of("comfyui", 0.8, Setting(4, sd1)) != start_of("comfyui", 1.0, Setting(4, sd1))
    assert start_of("replicate", 0.8, Setting(20, flux)).step == 3
    assert start_of("diffusers", 0.58, Setting(50, sd1, "euler")).evaluations == 28
    assert start_of("invokeai", 0.45, Setting(20, flux)).noise_fraction == pytest.approx(
        0.852, abs=1e-3
    )
    readme = (ROOT / "README.md").read_text("utf-8")
    assert f"for {len(DIALECTS) - 1} dials of other programs" in readme


def test_tables_of_samplers_are_the_measured_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    made = benchmark("bench_samplers", monkeypatch)
    report = json.loads((ROOT / "docs/results/samplers.json").read_text("utf-8"))
    for name, table in made.tables(report).items():
        assert place(SAMPLING, name) == table, name
    assert f"is `{DEFAULT_SAMPLER}` with `{DEFAULT_SPACING}` spacing" in SAMPLING
    assert set(SAMPLERS) <= set(re.findall(r"`(\w+)`", SAMPLING))
