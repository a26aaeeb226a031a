"""benchmarks/bench_cpu.py: what it leaves out and why, equal evaluations, ratios, the protocol."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from partway.dialects import KINDS, Setting, start_of

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs/checkpoints.md").read_text("utf-8")
REPORT = json.loads((ROOT / "docs/results/cpu.json").read_text("utf-8"))

PROGRAM = """
import numpy as np

def about():
    return {"made-up": "1"}

def load(checkpoint, variant):
    if variant == "broken":
        raise RuntimeError("no such weights")
    print("noise of a library on standard output")
    def edit(source, prompt, strengths, steps):
        lost = int(variant == "lazy")
        counts = [int(steps * strength) - lost for strength in strengths]
        return [source + len(prompt)] * len(strengths), counts
    return edit
"""


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(sys, "path", [str(ROOT / "benchmarks"), *sys.path])
    return import_module("bench_cpu")


@pytest.fixture
def made_up(bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A worker with a program of our own."""
    (tmp_path / "made_up.py").write_text(PROGRAM)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def start(variant: str) -> Any:
        program = bench.Program("made_up", variant)
        return bench.Worker(program, tmp_path / "checkpoint", Path(sys.executable), tmp_path)

    return start


def test_a_worker_is_asked_and_answers(bench: Any, made_up: Any) -> None:
    worker = made_up("whole")
    told = worker.work(bench.Job(16, (0.5, 1.0), 8), 3)
    worker.close()
    assert worker.about == {"made-up": "1"}
    assert told["evaluations"] == [4, 8]
    assert told["wall"] > 0.0
    expected = bench.picture(16, 3) + len("a red house 3")
    assert np.array_equal(told["pictures"], np.stack([expected] * 2))


def test_what_fails_or_does_less_is_left_out_with_its_reason(bench: Any, made_up: Any) -> None:
    with pytest.raises(bench.Unavailable, match="RuntimeError: no such weights"):
        made_up("broken")
    workers = {"partway torch fp32": made_up("lazy"), bench.BASE: made_up("whole")}
    left_out: dict[str, str] = {}
    answers = bench.each_of(bench.Job(16, (0.5,), 8), 16, workers, left_out, 0)
    assert list(answers) == [bench.BASE]
    assert left_out == {"partway torch fp32": "it made [3] evaluations, not [4]"}
    workers[bench.BASE].close()


def test_an_environment_that_pip_cannot_make_is_a_reason(
    bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environments = import_module("rivals.environments")
    monkeypatch.setitem(environments.PACKAGES, "broken", ("./no-such-package.whl",))
    monkeypatch.setattr(environments.venv, "create", made_empty)
    monkeypatch.setattr(environments.Path, "__truediv__", keeping_the_interpreter)
    with pytest.raises(bench.Unavailable, match=r"pip in .*no-such-package"):
        environments.python_of("broken", tmp_path)


def made_empty(place: Path, **_: Any) -> None:
    place.mkdir()


def keeping_the_interpreter(self: Path, name: str) -> Path:
    """Joins paths; of an environment's interpreter it makes this one."""
    return Path(sys.executable) if name == "python" else self.joinpath(name)


@pytest.mark.parametrize("dialect", ["diffusers", "openvino", "sdcpp"])
def test_every_program_is_given_what_makes_equal_evaluations(bench: Any, dialect: str) -> None:
    setting = Setting(8, KINDS["sd1"], "euler")
    for count in bench.Job(64, bench.SWEEP, 8).evaluations:
        value = bench.values(dialect, count, setting)
        assert start_of(dialect, value, setting).evaluations == count
    setting = Setting(20, KINDS["sd1"], "euler")
    value = bench.values(dialect, 10, setting)
    assert start_of(dialect, value, setting).evaluations == 10
    with pytest.raises(bench.Unavailable, match="21 of 20"):
        bench.values(dialect, 21, setting)


def test_ratios_are_of_the_same_round(bench: Any) -> None:
    """A machine that is busy in one round slows both: the ratio stands."""
    base = [{"wall": w, "processor": 1.0} for w in (10.0, 40.0, 12.0)]
    ours = [{"wall": w, "processor": 0.5} for w in (5.0, 10.0, 4.0)]
    assert bench.ratios(base, ours) == {"wall": [2.0, 3.0, 4.0], "processor": [2.0, 2.0, 2.0]}


def test_runs_add_up_to_one_report(bench: Any) -> None:
    """Each program's ratio is of its own run; who was timed in either is not left out."""

    def of(left_out: dict[str, str], **ratios: float) -> dict[str, Any]:
        parts = ("rounds", "seconds", "times_as_fast_as_diffusers", "decibels_to_diffusers")
        named = {"versions": ratios, "peak_gib": {}, "first_ready_seconds": {}}
        return {**named, "left_out": left_out, "edit of 4, 128 px": dict.fromkeys(parts, ratios)}

    whole = bench.merged(of({"b": "no room", "c": "no"}, a=1.0), of({"a": "no", "c": "no"}, b=2.0))
    assert whole["edit of 4, 128 px"]["seconds"] == {"a": 1.0, "b": 2.0} == whole["versions"]
    assert whole["left_out"] == {"c": "no"}


def test_the_page_shows_what_was_measured(bench: Any) -> None:
    assert f"<!-- table -->\n{bench.table(REPORT)}\n<!-- /table -->" in PAGE
    assert f"<!-- errors -->\n{bench.errors_table(REPORT)}\n<!-- /errors -->" in PAGE
    assert REPORT["unet_weights"] // 10**6 == 859
    for name in bench.PROGRAMS:
        measured = name in REPORT["edit of 4, 128 px"]["seconds"]
        assert measured != (name in REPORT["left_out"]), name
