"""A checkpoint on a CPU: Partway against diffusers, OpenVINO GenAI and stable-diffusion.cpp.

The checkpoint has the shape of Stable Diffusion 1.5 and random weights; it and the programs'
environments are made on the first run (14 GB, $PARTWAY_BENCH_DIR or ~/.cache/partway-bench) and
kept. Every program holds it in a process of its own and makes the same edit with the same network
calls, one after the other in every round, the first one last in the next, so that each ratio is
of one round; seconds belong to the machine that is named. Every edit has a picture and a prompt of
its own: nothing is remembered from one to the next, but within a sweep.

Writes docs/results/cpu.json after every job. `make bench-cpu`.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO, cast

import numpy as np

from partway.dialects import KINDS, Setting, start_of
from partway.errors import InvalidRequest
from rivals.environments import Unavailable, python_of, run

ROOT = Path(__file__).resolve().parent.parent
RESULT = ROOT / "docs" / "results" / "cpu.json"
RIVALS = Path(__file__).resolve().parent / "rivals"
STRENGTH = 0.5
SWEEP = tuple(eighth / 8 for eighth in range(1, 9))
BASE = "diffusers fp32"
ROOM = 5  # GiB that a program may need


@dataclass(frozen=True)
class Program:
    """How one column comes about.

    module       in rivals/
    variant      as that module names it
    environment  of rivals/environments.py; None is the project's own
    dialect      its rule for strength, of partway.dialects
    everywhere   timed on every job; else on edits of the smallest size only
    """

    module: str
    variant: str
    environment: str | None = None
    dialect: str = "diffusers"
    everywhere: bool = False


PROGRAMS = {
    "diffusers fp32": Program("run_diffusers", "fp32", everywhere=True),
    "diffusers bf16": Program("run_diffusers", "bf16"),
    "partway torch fp32": Program("run_partway", "torch fp32"),
    "partway torch bf16": Program("run_partway", "torch bf16"),
    "partway openvino fp32": Program("run_partway", "openvino fp32"),
    "partway openvino bf16": Program("run_partway", "openvino bf16", everywhere=True),
    "openvino genai bf16": Program("run_genai", "bf16", "genai", "openvino", everywhere=True),
    "stable-diffusion.cpp fp16": Program("run_sdcpp", "fp16", "sdcpp", "sdcpp"),
}


@dataclass(frozen=True)
class Job:
    """One edit, or one sweep, of every program."""

    side: int
    strengths: tuple[float, ...]
    steps: int

    @property
    def label(self) -> str:
        """As the report calls it."""
        if len(self.strengths) > 1:
            return f"sweep of {len(self.strengths)}, {self.side} px"
        return f"edit of {self.evaluations[0]}, {self.side} px"

    @property
    def evaluations(self) -> list[int]:
        """Network calls of each picture, by diffusers' rule."""
        return [int(self.steps * strength) for strength in self.strengths]


class Worker:
    """A program's process (rivals/worker.py)."""

    def __init__(self, program: Program, checkpoint: Path, python: Path, folder: Path) -> None:
        self.program = program
        self._folder = folder
        self._log = folder / f"{program.module} {program.variant}.log"
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [python, RIVALS / "worker.py", program.module, program.variant, checkpoint],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, "XDG_CACHE_HOME": str(checkpoint.parent / "cache")},
            )
        self._jobs = cast("TextIO", self._process.stdin)
        self._answers = cast("TextIO", self._process.stdout)
        told = self._answer()
        self.seconds_to_load: float = told["ready"]
        self.about: dict[str, str] = told["about"]

    def work(self, job: Job, number: int) -> dict[str, Any]:
        """Time one job, whose picture and prompt are of that number.

        Unavailable where the program fails, or makes other evaluations than it was asked for.
        """
        source, kept = self._folder / "source.npy", self._folder / "pictures.npy"
        np.save(source, picture(job.side, number))
        kind = Setting(job.steps, KINDS["sd1"], "euler")
        asked = {
            "source": str(source), "prompt": f"a red house {number}", "steps": job.steps,
            "strengths": [values(self.program.dialect, each, kind) for each in job.evaluations],
            "pictures": str(kept),
        }  # fmt: skip
        with suppress(BrokenPipeError):  # no answer comes then
            self._jobs.write(json.dumps(asked) + "\n")
            self._jobs.flush()
        told = self._answer()
        if told["evaluations"] != job.evaluations:
            raise Unavailable(f"it made {told['evaluations']} evaluations, not {job.evaluations}")
        told["pictures"] = np.load(kept)
        return told

    def _answer(self) -> dict[str, Any]:
        line = self._answers.readline()
        if line:
            return json.loads(line)
        self.close()
        told = [line.strip() for line in self._log.read_text("utf-8").splitlines() if line.strip()]
        code = self._process.returncode
        if code < 0:
            raise Unavailable(f"it ended with {signal.Signals(-code).name}")
        raise Unavailable(told[-1] if told else f"exit {code}")

    def close(self) -> None:
        """End the process."""
        with suppress(BrokenPipeError):
            self._jobs.close()
        self._process.wait()
        self._answers.close()


def values(dialect: str, evaluations: int, setting: Setting) -> float:
    """The value that makes a program run so many evaluations, by its own rule."""
    for step in range(2 * setting.steps + 1):  # halves too: no rounding can go the wrong way
        value = step / (2 * setting.steps)
        with suppress(InvalidRequest):
            if start_of(dialect, value, setting).evaluations == evaluations:
                return value
    raise Unavailable(f"no value of {dialect} makes {evaluations} of {setting.steps} evaluations")


def picture(side: int, number: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """A drawing of gradients and a disc, another one for every number."""
    y, x = np.mgrid[0:side, 0:side].astype(np.float32) * (128 / side)
    rgb = np.stack([128 + 100 * np.sin(x / 19 + number), 2 * x, 2 * y], axis=-1)
    rgb[np.hypot(x - 120, y - 8 * (number % 16)) < 60] = (230, 60, 40)
    return np.clip(rgb, 0, 255).astype(np.uint8)


@dataclass
class Measured:
    """What came out, by job and program."""

    times: dict[str, dict[str, list[dict[str, float]]]] = field(default_factory=dict)
    apart: dict[str, dict[str, float]] = field(default_factory=dict)
    peaks: dict[str, float] = field(default_factory=dict)

    def add(self, job: Job, answers: dict[str, dict[str, Any]]) -> None:
        """One round of a job."""
        for name, told in answers.items():
            clocks = {clock: told[clock] for clock in ("wall", "processor")}
            self.times.setdefault(job.label, {}).setdefault(name, []).append(clocks)
            self.peaks[name] = max(told["peak_gib"], self.peaks.get(name, 0.0))
            if BASE in answers and PROGRAMS[name].dialect == PROGRAMS[BASE].dialect:  # same noise
                apart = difference(told["pictures"], answers[BASE]["pictures"])
                of_job = self.apart.setdefault(job.label, {})
                of_job[name] = max(apart, of_job.get(name, 0.0))


def difference(some: Any, others: Any) -> float:
    """Root mean square over pictures, of 255."""
    return float(np.sqrt(np.mean((some.astype(float) - others.astype(float)) ** 2)))


def ratios(
    base: Sequence[dict[str, float]], times: Sequence[dict[str, float]]
) -> dict[str, list[float]]:
    """Least, median and greatest of base / times in the same round, on both clocks."""
    found: dict[str, list[float]] = {}
    for clock in ("wall", "processor"):
        each = [one[clock] / other[clock] for one, other in zip(base, times, strict=True)]
        found[clock] = [round(f(each), 2) for f in (min, statistics.median, max)]
    return found


def spread(times: Sequence[dict[str, float]]) -> dict[str, list[float]]:
    """Least, median and greatest seconds on both clocks."""
    return {
        clock: [round(f([each[clock] for each in times]), 2) for f in (min, statistics.median, max)]
        for clock in ("wall", "processor")
    }


def main() -> None:
    """Measure and write."""
    asked = arguments()
    checkpoint = asked.folder / ("narrow-random" if asked.narrow else "sd15-random")
    asked.folder.mkdir(parents=True, exist_ok=True)
    building = [sys.executable, RIVALS / "checkpoint.py", checkpoint]
    narrow = ["--narrow"] if asked.narrow else []
    facts = json.loads(run([*building, *narrow], "building the checkpoint"))
    comparing = [sys.executable, RIVALS / "errors.py", checkpoint]
    kept = {"XDG_CACHE_HOME": str(asked.folder / "cache")}
    facts["errors_to_fp32"] = json.loads(run(comparing, "comparing networks", **kept))
    left_out = {name: "not asked for" for name in PROGRAMS if not chosen(name, asked.only)}
    workers: dict[str, Worker] = {}
    measured = Measured()
    before = json.loads(asked.out.read_text("utf-8")) if asked.merge else {}
    jobs = list(asked.edits)
    least = min(job.side for job in jobs)
    if asked.sweep:
        jobs.append(Job(least, SWEEP, 8))
    with tempfile.TemporaryDirectory() as name:
        for label, program in PROGRAMS.items():
            if label in left_out:
                continue
            try:
                workers[label] = started(program, checkpoint, asked.folder, Path(name))
                print(f"{label}: ready in {workers[label].seconds_to_load:.0f} s", flush=True)
            except Unavailable as why:
                left_out[label] = str(why)
                print(f"{label} is left out: {why}", flush=True)
        for side in sorted({job.side for job in jobs}):
            each_of(Job(side, (STRENGTH,), 2), least, workers, left_out, 0)  # warms up
        ends = time.monotonic() + 60 * asked.minutes
        for number, job in enumerate(asked.rounds * jobs, 1):
            if number > len(jobs) and time.monotonic() > ends:
                break
            measured.add(job, each_of(job, least, workers, left_out, number))
            found = report(facts, workers, left_out, measured, jobs)
            if asked.merge:
                found = merged(before, found)
            asked.out.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
        for worker in workers.values():
            worker.close()
    print(asked.out.read_text("utf-8"))
    print(table(json.loads(asked.out.read_text("utf-8"))))
    print(errors_table(json.loads(asked.out.read_text("utf-8"))))


def arguments() -> Any:
    """What was asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--only", nargs="+", metavar="WORD", default=[],
        help=f"programs whose names contain one of these words; all are {', '.join(PROGRAMS)}",
    )  # fmt: skip
    parser.add_argument("--narrow", action="store_true", help="a small checkpoint, to try things")
    parser.add_argument(
        "--edits", nargs="+", type=edit, metavar="PIXELS:STEPS",
        default=[edit("128:20"), edit("128:20"), edit("256:8")],
        help="of every round, at strength 0.5: half as many evaluations as steps",
    )  # fmt: skip
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--minutes", type=float, default=60.0, help="begin no job of a later round after so many"
    )
    parser.add_argument("--no-sweep", dest="sweep", action="store_false")
    parser.add_argument(
        "--merge", action="store_true",
        help="keep what the report says of other programs, where memory does not hold all at once",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, default=RESULT)
    default = Path(os.environ.get("PARTWAY_BENCH_DIR") or Path.home() / ".cache" / "partway-bench")
    parser.add_argument("--folder", type=Path, default=default, help="for what is made and kept")
    return parser.parse_args()


def edit(text: str) -> Job:
    """An edit as typed: PIXELS:STEPS."""
    side, steps = (int(part) for part in text.split(":"))
    return Job(side, (STRENGTH,), steps)


def chosen(name: str, words: Sequence[str]) -> bool:
    """Whether a program is asked for; diffusers in fp32 always is, all ratios are to it."""
    return not words or name == BASE or any(word in name for word in words)


def started(program: Program, checkpoint: Path, folder: Path, logs: Path) -> Worker:
    """A program's process on its layout of the checkpoint; Unavailable says why not."""
    if program.module == "run_sdcpp" and "narrow" in checkpoint.name:
        raise Unavailable("stable-diffusion.cpp knows Stable Diffusion's true widths only")
    if available() < ROOM:
        raise Unavailable(f"less than {ROOM} GiB of memory are left beside the others")
    python = python_of(program.environment, folder)
    if program.module == "run_genai":
        exported(checkpoint, folder)
    return Worker(program, checkpoint, python, logs)


def available() -> float:
    """GiB of memory that a further process can have, as far as the system says."""
    try:
        lines = Path("/proc/meminfo").read_text("utf-8").splitlines()
    except OSError:
        return math.inf
    return next(int(line.split()[1]) / 2**20 for line in lines if line.startswith("MemAvailable"))


def exported(checkpoint: Path, folder: Path) -> None:
    """Write OpenVINO GenAI's layout with the exporter it documents, unless it is there."""
    place = Path(f"{checkpoint}-openvino")
    if (place / "complete").exists():
        return
    exporter = python_of("export", folder).with_name("optimum-cli")
    run(
        [
            *(exporter, "export", "openvino", "-m", checkpoint),
            *("--library", "diffusers", "--task", "text-to-image", place),
        ],
        "exporting",
        HF_HUB_OFFLINE="1",
    )
    (place / "complete").touch()


def each_of(
    job: Job, least: int, workers: dict[str, Worker], left_out: dict[str, str], number: int
) -> dict[str, dict[str, Any]]:
    """Answers of all programs, each round beginning with the next; one that fails is left out.

    least   the smallest size, at which all programs are timed
    number  of the job, by which its picture and prompt differ from others
    """
    small = job.side == least and len(job.strengths) == 1
    names = [name for name in workers if PROGRAMS[name].everywhere or small]
    turn = number % len(names)
    answers: dict[str, dict[str, Any]] = {}
    for name in names[turn:] + names[:turn]:
        try:
            answers[name] = workers[name].work(job, number)
            print(f"{number} {job.label}: {name} {answers[name]['wall']:.1f} s", flush=True)
        except Unavailable as why:
            left_out[name] = str(why)
            print(f"{name} is left out: {why}", flush=True)
            workers.pop(name).close()
    return answers


def report(
    facts: dict[str, Any], workers: dict[str, Worker], left_out: dict[str, str],
    measured: Measured, jobs: Sequence[Job],
) -> dict[str, Any]:  # fmt: skip
    """What is written."""
    found: dict[str, Any] = {
        "machine": {
            "cores": len(os.sched_getaffinity(0)),
            "processor": platform.machine(),
            "load_average": round(os.getloadavg()[0], 1),
        },
        "versions": {
            name: text for worker in workers.values() for name, text in worker.about.items()
        },
        **facts,
        "left_out": left_out,
        "peak_gib": measured.peaks,
        "first_ready_seconds": {
            name: round(worker.seconds_to_load, 1) for name, worker in workers.items()
        },
    }
    for job in jobs:
        times = measured.times.get(job.label, {})
        if BASE not in times:
            continue
        rounds = len(times[BASE])
        whole = {name: each for name, each in times.items() if len(each) == rounds}
        found[job.label] = {
            "evaluations": job.evaluations if len(job.strengths) > 1 else job.evaluations[0],
            "rounds": dict.fromkeys(whole, rounds),
            "seconds": {name: spread(each) for name, each in whole.items()},
            "times_as_fast_as_diffusers": {
                name: ratios(times[BASE], each) for name, each in whole.items()
            },
            "decibels_to_diffusers": {
                name: round(20.0 * math.log10(255.0 / apart), 1)
                for name, apart in measured.apart[job.label].items()
                if apart > 0.0
            },
        }
    return found


def merged(before: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """A report with what another run says of programs and jobs that this one has not.

    All ratios are to diffusers in fp32, which every run times beside its programs.
    """
    whole = before | found
    for name in ("versions", "peak_gib", "first_ready_seconds"):
        whole[name] = before.get(name, {}) | found[name]
    for label in labels_of(before):
        for part in ("rounds", "seconds", "times_as_fast_as_diffusers", "decibels_to_diffusers"):
            if label in found:
                news = {name: each for name, each in found[label][part].items() if name != BASE}
                whole[label] = whole[label] | {part: before[label][part] | news}
    timed = {name for label in labels_of(whole) for name in whole[label]["seconds"]}
    left = {**before.get("left_out", {}), **found["left_out"]}
    whole["left_out"] = {name: why for name, why in left.items() if name not in timed}
    return whole


def labels_of(found: dict[str, Any]) -> list[str]:
    """The jobs of a report."""
    return [label for label in found if label.startswith(("edit", "sweep"))]


def table(found: dict[str, Any]) -> str:
    """Of docs/checkpoints.md: times as fast as diffusers in fp32, wall clock, with its spread."""
    labels = labels_of(found)
    rows = [f"| | {' | '.join(labels)} |", "|---" * (len(labels) + 1) + "|"]
    for name in PROGRAMS:
        cells: list[str] = []
        for label in labels:
            ratio = found[label]["times_as_fast_as_diffusers"].get(name, {}).get("wall")
            cells.append(
                "" if ratio is None else f"{ratio[1]:.1f} ({ratio[0]:.1f} … {ratio[2]:.1f})"
            )
        if any(cells):
            rows.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(rows)


def errors_table(found: dict[str, Any]) -> str:
    """Of docs/checkpoints.md: how far networks on OpenVINO are from torch's in fp32."""
    errors: dict[str, dict[str, float]] = found["errors_to_fp32"]
    names = list(next(iter(errors.values())))
    rows = [f"| | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for precision, of in errors.items():
        rows.append(f"| {precision} | {' | '.join(f'{100 * of[name]:.2g} %' for name in names)} |")
    return "\n".join(rows)


if __name__ == "__main__":
    main()
