"""Requests that share network calls against one request at a time, under load. `make bench-serve`.

Open loop: requests come by a Poisson process whether or not earlier ones are answered, as clients
do. Strengths are mixed, so requests differ in length. The rate is a share of what one request at a
time can serve at most, measured first by keeping it busy. Both ways get the same requests at the
same moments, on one executor each, the same engine and model.

    latency      seconds from arrival to the finished picture
    throughput   pictures per second, from the first arrival to the last picture

Writes docs/results/serve.json. Absolute numbers belong to the machine named in it.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from partway.engine import Engine
from partway.events import Done, Event, Failed
from partway.executors.local import LocalExecutor
from partway.executors.worker import in_thread
from partway.request import EditRequest
from pictures import PAIRS

RESULTS = Path(__file__).resolve().parent.parent / "docs" / "results"
STRENGTHS = (0.2, 0.35, 0.5, 0.65, 0.8)
FULL_STEPS = 10
LOADS = (0.5, 0.9, 1.2)
SECONDS = 50.0  # of arrivals, each
SATURATING = 120  # requests that measure the rate: fewer, and the mix of strengths decides it
PLACES = {"one at a time": 1, "shared": 32}


def requests(count: int, rng: np.random.Generator) -> list[EditRequest]:
    """Edits of held-out pictures at mixed strengths."""
    sources = [file.read_bytes() for file in sorted(PAIRS.glob("*.png"))[:8]]
    return [
        EditRequest(
            prompt="owl, 3d",
            source=sources[i % len(sources)],
            strength=float(rng.choice(STRENGTHS)),
            seed=i,
            full_steps=FULL_STEPS,
            model="pocket",
        )
        for i in range(count)
    ]


def serve(
    executor: LocalExecutor, asked: list[EditRequest], arrivals: list[float]
) -> dict[str, float]:
    """Submit each request at its moment, wait for all, and measure."""
    ended: dict[int, float] = {}
    before = executor.status()
    began = time.perf_counter()
    waiting: list[Any] = []
    for index, (request, moment) in enumerate(zip(asked, arrivals, strict=True)):
        time.sleep(max(began + moment - time.perf_counter(), 0.0))

        def heard(event: Event, index: int = index) -> None:
            if isinstance(event, Failed):
                raise event.error
            if isinstance(event, Done):
                ended[index] = time.perf_counter() - began

        waiting.append(executor.submit([request], on_event=heard))
    for each in waiting:
        each.wait(600)
    after = executor.status()
    latency = [ended[index] - moment for index, moment in enumerate(arrivals)]
    return {
        "requests": len(asked),
        "p50_s": round(float(np.percentile(latency, 50)), 3),
        "p95_s": round(float(np.percentile(latency, 95)), 3),
        "throughput_per_s": round(len(asked) / (max(ended.values()) - arrivals[0]), 3),
        "evaluations_per_call": round(
            (after.evaluations - before.evaluations) / (after.calls - before.calls), 2
        ),
    }


def main() -> int:
    """Measure, print, write."""
    engine = Engine()
    executors = {
        name: LocalExecutor(in_thread, lambda: engine, places=places, queue_size=10_000)
        for name, places in PLACES.items()
    }
    rng = np.random.default_rng(0)
    first = requests(SATURATING, rng)
    for executor in executors.values():  # load the network, encode the sources
        serve(executor, first[:8], [0.0] * 8)
    one = serve(executors["one at a time"], first, [0.0] * len(first))
    rate = one["throughput_per_s"]
    print(f"one at a time serves at most {rate:.2f} pictures per second", flush=True)
    rows: list[dict[str, Any]] = []
    for load in LOADS:
        gaps = rng.exponential(1.0 / (load * rate), int(2 * SECONDS * load * rate) + 10)
        arrivals = [float(moment) for moment in np.cumsum(gaps) if moment < SECONDS]
        asked = requests(len(arrivals), rng)
        row: dict[str, Any] = {"load": load}
        for name, executor in executors.items():
            row[name] = serve(executor, asked, arrivals)
        rows.append(row)
        print(load, json.dumps(row), flush=True)
    for executor in executors.values():
        executor.close()
    report = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "full_steps": FULL_STEPS,
        "strengths": STRENGTHS,
        "saturation_per_s": rate,
        "seconds": SECONDS,
        "loads": rows,
    }
    (RESULTS / "serve.json").write_text(json.dumps(report, indent=2) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
