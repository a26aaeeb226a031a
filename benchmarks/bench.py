"""Ratios that decide whether Partway is fast, all measured in one run. `make bench`.

    overhead          engine time outside network calls, share of a 20-evaluation edit
    sweep/processes   7-strength sweep, one process, against seven processes of one edit each
    sweep/warm        the same sweep against seven warm Engine.run calls of the same evaluations
    start to file     a whole `partway` process, from start to written file
    peak memory       of that process

Writes docs/results/bench.json. Absolute numbers belong to the machine named in it; the ratios
carry over.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from partway.edits.sweep import sweep_requests
from partway.engine import Engine
from partway.families import profile_of
from partway.images import read_bytes
from partway.request import EditRequest
from pictures import PAIRS, on

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "docs" / "results"
STRENGTHS = (0.2, 0.35, 0.45, 0.55, 0.65, 0.8, 1.0)
PARTWAY = [sys.executable, "-m", "partway"]
LIMITS = {"overhead": 0.10, "sweep/processes": 0.60, "sweep/warm": 0.90}


def median_seconds(work: Callable[[], Any], times: int) -> float:
    """Median wall time of `times` runs."""
    seconds: list[float] = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def overhead(source: bytes, times: int = 7) -> tuple[float, float]:
    """Share of a warm 20-evaluation edit spent outside network calls, and its seconds."""
    engine = Engine()
    family = engine.family(profile_of("pocket"))
    inside = 0.0

    def timed(name: str) -> None:
        call = getattr(family, name)

        def measured(*arguments: Any) -> Any:
            nonlocal inside
            began = time.perf_counter()
            try:
                return call(*arguments)
            finally:
                inside += time.perf_counter() - began

        setattr(family, name, measured)

    for name in ("encode", "encode_prompt", "predict", "decode"):
        timed(name)
    request = EditRequest(prompt="fox, 3d", source=source, strength=0.5, steps=20, model="pocket")
    engine.run(request)
    shares: list[float] = []
    totals: list[float] = []
    for seed in range(times):
        inside, began = 0.0, time.perf_counter()
        engine.run(request.with_(seed=seed))
        total = time.perf_counter() - began
        shares.append((total - inside) / total)
        totals.append(total)
    return statistics.median(shares), statistics.median(totals)


def installed_mb() -> int:
    """Size of Partway and everything it needs, as installed into an environment of its own."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder)
        install = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        subprocess.run([*install, "--target", folder, str(ROOT)], check=True, capture_output=True)
        return round(sum(f.stat().st_size for f in target.rglob("*") if f.is_file()) / 1e6)


def run_process(*arguments: str) -> None:
    """One `partway` process that must succeed."""
    subprocess.run([*PARTWAY, *arguments], check=True, capture_output=True)


def main() -> None:
    """Measure, print, write."""
    with Image.open(PAIRS / "fox.flat.png") as drawing:
        rgb = np.asarray(on(drawing.convert("RGBA")))
    source = read_bytes(rgb)
    share, edit_seconds = overhead(source)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "fox.png"
        Image.fromarray(rgb).save(file)
        common = ["-m", "pocket", "-q"]

        def single(strength: float) -> None:
            out = str(Path(folder) / f"single-{strength}.png")
            run_process(str(file), "fox, 3d", "-s", str(strength), "-o", out, "--force", *common)

        def sweep() -> None:
            out = str(Path(folder) / "sweep")
            dial = ",".join(str(s) for s in STRENGTHS)
            run_process(
                "sweep", str(file), "fox, 3d", "--strengths", dial, "-o", out, "--force", *common
            )

        single(0.45)  # compiled byte code and caches are there for everybody
        start_to_file = median_seconds(lambda: single(0.45), 5)
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        processes = median_seconds(lambda: [single(s) for s in STRENGTHS], 3)
        swept = median_seconds(sweep, 3)

    engine = Engine()
    request = EditRequest(prompt="fox, 3d", source=source, model="pocket")
    requests = sweep_requests(request, STRENGTHS)
    engine.run_many(requests)
    warm_sweep = median_seconds(lambda: engine.run_many(requests), 5)
    warm_singles = median_seconds(lambda: [engine.run(one) for one in requests], 5)

    ratios = {
        "overhead": share,
        "sweep/processes": swept / processes,
        "sweep/warm": warm_sweep / warm_singles,
    }
    report = {
        "ratios": {name: round(value, 3) for name, value in ratios.items()},
        "limits": LIMITS,
        "warm_20_evaluation_edit_s": round(edit_seconds, 2),
        "warm_7_sweep_s": round(warm_sweep, 2),
        "process_start_to_file_s": round(start_to_file, 2),
        "process_7_sweep_s": round(swept, 2),
        "peak_memory_mb": round(peak),
        "installed_mb": installed_mb(),
        "precision": engine.family(profile_of("pocket")).precision,
        "machine": f"{os.cpu_count()} cores, {platform.machine()}",
    }
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / "bench.json").write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    print(json.dumps(report, indent=1))
    missed = [name for name, limit in LIMITS.items() if ratios[name] > limit]
    if missed:
        sys.exit(f"over its limit: {', '.join(missed)}")


if __name__ == "__main__":
    main()
