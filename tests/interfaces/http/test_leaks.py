"""Promise S8: a server that has answered much takes no more than one that has answered little."""

from __future__ import annotations

import asyncio
import base64
import ctypes
import gc
import os
import random
from typing import Any

import httpx
import numpy as np
import psutil
import pytest

from partway.executors.local import LocalExecutor
from partway.executors.worker import in_thread
from partway.interfaces.http.app import create_app
from partway.interfaces.http.jobs import Jobs
from partway.interfaces.http.service import Models, Service

FULL = "PARTWAY_FULL" in os.environ
REQUESTS = 100_000 if FULL else 480
LOOKS = 40
AT_ONCE = 4
ALLOWED = 1.0 if FULL else 3.0  # MB per 1000 requests; at the beginning caches still fill
LEAK = 10_000  # bytes per request, of the server that should be noticed


def megabytes_held(process: psutil.Process) -> float:
    """What the process holds, without what the allocator keeps from earlier tests: a leak would
    fill that unseen.
    """
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's
    if trim is not None:
        trim(0)
    return process.memory_info().rss / 1e6


async def run(png: bytes, leak: int, requests: int) -> tuple[float, int, int]:
    """Ask so many times, of which a tenth is bad and a twentieth cancelled.

    MB per 1000 requests over the last half, and how many files and threads came in it.
    """
    every = requests // LOOKS
    executor = LocalExecutor(in_thread, queue_size=64)
    service = Service(executor, Models(["analytic"]), Jobs(most=8), 60)
    app = create_app(service)
    kept: list[bytes] = []
    source = base64.b64encode(png).decode()
    draw = random.Random(0)  # noqa: S311
    process = psutil.Process()
    looks: list[tuple[int, float]] = []
    counts: list[tuple[int, int]] = []

    async def one(http: httpx.AsyncClient, number: int) -> None:
        body: dict[str, Any] = {"source": source, "steps": 1, "model": "analytic", "seed": number}
        kind = draw.random()
        if kind < 0.1:
            body["source" if kind < 0.05 else "steps"] = "no such thing"
        cancels = 0.1 <= kind < 0.15
        answer = await http.post("/v1/edits" if cancels else "/v1/edits?wait=1", json=body)
        assert answer.status_code == (422 if kind < 0.1 else 202 if cancels else 200), answer.text
        if cancels:
            assert (await http.delete(answer.json()["url"])).status_code == 200
        kept.append(os.urandom(leak))

    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        for first in range(0, requests, every):
            for start in range(first, first + every, AT_ONCE):
                await asyncio.gather(*(one(http, start + i) for i in range(min(AT_ONCE, every))))
            looks.append((first + every, megabytes_held(process)))
            counts.append((process.num_fds(), process.num_threads()))
    executor.close()
    service.close()
    half = len(looks) // 2
    asked, megabytes = zip(*looks[half:], strict=True)
    slope = float(np.polyfit(asked, megabytes, 1)[0])
    (files, threads), (then_files, then_threads) = counts[-1], counts[half]
    return 1000 * slope, files - then_files, threads - then_threads


@pytest.mark.slow
@pytest.mark.parametrize(
    ("leak", "count"), [(0, REQUESTS), (LEAK, min(REQUESTS, 4800))], ids=["as it is", "with a leak"]
)
def test_s8_memory_files_and_threads_stay(png: bytes, leak: int, count: int) -> None:
    slope, files, threads = asyncio.run(run(png, leak, count))
    print(f"S8: {count} requests, {slope:.2f} MB per 1000, files {files:+d}, threads {threads:+d}")
    assert (slope > ALLOWED) == bool(leak)
    assert (files, threads) == (0, 0)
