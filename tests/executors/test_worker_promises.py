"""Promises S3, S4 and S5: a worker that dies, hangs or runs out of memory, and what it ran."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from partway import engine as engine_module
from partway.denoiser import Array, Condition
from partway.engine import Engine
from partway.errors import PartwayError, Quarantined, WorkerLost, as_typed
from partway.events import Failed
from partway.executors.device import is_lost
from partway.executors.entries import Entry
from partway.executors.local import LocalExecutor
from partway.executors.suspects import Suspects
from partway.executors.worker import in_process, in_thread
from partway.families import Profile
from partway.families.analytic import Analytic
from partway.images import read_bytes
from partway.request import EditRequest
from partway.result import EditResult
from partway.schedule import Level

POISON = 666_666  # seed of the request that ends its worker
DEATHS = 25 if "PARTWAY_FULL" in os.environ else 1  # of each kind


class Slow(Analytic):
    """The analytic family, slow enough to be caught at work."""

    def predict(self, x: Array, levels: Sequence[Level], conditions: Sequence[Condition]) -> Array:
        time.sleep(0.005)
        return super().predict(x, levels, conditions)


def fragile_engine() -> Engine:
    """An engine whose process ends with the poison request."""
    from partway import run

    def load(profile: Profile, precision: str = "auto") -> Slow:
        del precision
        return Slow(profile)

    real = run.Run.add

    def add(self: Any, key: int, request: EditRequest, *rest: Any) -> Any:
        if request.seed == POISON:
            os._exit(9)
        return real(self, key, request, *rest)

    engine_module.load_family = load
    setattr(run.Run, "add", add)  # noqa: B010
    return Engine()


def request(icon: Image.Image, **fields: Any) -> EditRequest:
    fields = {"prompt": "navy, orange, white", "model": "analytic", "strength": 0.5} | fields
    return EditRequest(source=read_bytes(icon), **fields)


def picture(outcome: EditResult | PartwayError) -> Any:
    assert isinstance(outcome, EditResult), outcome
    return np.asarray(outcome.image)


@pytest.fixture
def executor() -> Iterator[LocalExecutor]:
    made = LocalExecutor(in_process, fragile_engine, stalled=20.0)
    yield made
    made.close()


def until_up(executor: LocalExecutor) -> float:
    """Seconds until a worker is up."""
    began = time.monotonic()
    while not executor.status().ready:
        assert time.monotonic() - began < 60, "no worker came up"
        time.sleep(0.01)
    return time.monotonic() - began


End = Callable[[LocalExecutor], None]


def killed(executor: LocalExecutor) -> None:
    worker = executor._places[0].worker
    assert worker is not None
    worker.stop()


def crashed(executor: LocalExecutor) -> None:
    os.kill(process_of(executor), signal.SIGSEGV)


def hung(executor: LocalExecutor) -> None:
    os.kill(process_of(executor), signal.SIGSTOP)
    executor._stalled = 0.5


def process_of(executor: LocalExecutor) -> int:
    body: Any = getattr(executor._places[0].worker, "_body")  # noqa: B009
    return body._process.pid


def lost(executor: LocalExecutor, icon: Image.Image, ends: Sequence[End], steps: int) -> list[str]:
    """What clients lost by workers that end so at random moments of their requests."""
    first = until_up(executor)
    asked = [request(icon, steps=steps, seed=seed) for seed in range(3)]
    expected = [picture(Engine().run(each)) for each in asked]
    phases = random.Random(0)  # noqa: S311
    found: list[str] = []
    for trial, end in enumerate(ends):
        running = [executor.submit([each], mode="exact") for each in asked]
        time.sleep(phases.uniform(0.0, 0.15))
        end(executor)
        ended = time.monotonic()
        while executor.status().restarts == trial and time.monotonic() - ended < 20:
            time.sleep(0.005)
        executor._stalled = 20.0
        if until_up(executor) > first + 5:
            found.append(f"{trial}: the time of a start and 5 s")
        for each, pixels in zip(running, expected, strict=True):
            outcome = each.wait(60)[0]
            if isinstance(outcome, PartwayError):
                found.append(f"{trial}: {outcome}")
            elif not np.array_equal(picture(outcome), pixels):
                found.append(f"{trial}: the same bits")
    return found


@pytest.mark.slow
def test_s4_a_worker_that_ends_is_replaced(icon: Image.Image, executor: LocalExecutor) -> None:
    ends = [killed, crashed, hung] * DEATHS
    assert lost(executor, icon, ends, 20) == []
    assert executor.status().restarts == len(ends)


@pytest.mark.slow
def test_s4_a_server_that_forgets_what_ran_would_be_noticed(
    icon: Image.Image, executor: LocalExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forget(self: LocalExecutor, entry: Entry, index: int) -> None:
        entry.submission.tell(Failed(index, WorkerLost("what ran is lost")))
        self._settle(entry)

    monkeypatch.setattr(LocalExecutor, "_suspect", forget)
    assert lost(executor, icon, [killed], 200) == ["0: what ran is lost"] * 3


@pytest.mark.slow
def test_s4_of_several_workers_one_that_ends_loses_nothing(icon: Image.Image) -> None:
    executor = LocalExecutor(in_process, fragile_engine, fragile_engine, stalled=20.0)
    try:
        while not all(place.up for place in executor._places):
            time.sleep(0.01)
        asked = [request(icon, steps=400, seed=seed) for seed in range(6)]
        expected = [picture(Engine().run(each)) for each in asked]
        running = [executor.submit([each], mode="exact") for each in asked]
        poison = executor.submit([request(icon, seed=POISON)])
        until, held = time.monotonic() + 10, [0]
        while not min(held) and time.monotonic() < until:
            time.sleep(0.001)
            held = [len(place.running) for place in executor._places]
        killed(executor)
        assert isinstance(poison.wait(60)[0], Quarantined)
        for each, pixels in zip(running, expected, strict=True):
            assert np.array_equal(picture(each.wait(60)[0]), pixels)
        assert min(held) > 0, "both had work"
        assert executor.status().restarts >= 2
    finally:
        executor.close()


def sticky(error: str, where: str) -> Engine:
    """An engine whose device is lost with the first call, and for all that come after it.

    where  a file of this name says that it was lost once: the next process has it again
    """
    lost: list[bool] = []

    class Device(Analytic):
        def predict(
            self, x: Array, levels: Sequence[Level], conditions: Sequence[Condition]
        ) -> Array:
            if lost or not Path(where).exists():
                Path(where).touch()
                lost.append(True)
                raise RuntimeError(error)
            return super().predict(x, levels, conditions)

    def load(profile: Profile, precision: str = "auto") -> Device:
        del precision
        return Device(profile)

    engine_module.load_family = load
    return Engine()


LOST = [
    "CUDA error: an illegal memory access was encountered",
    "HIP error: invalid device function",
    "CUBLAS_STATUS_EXECUTION_FAILED when calling cublasGemmEx",
]
NOT_LOST = [
    "CUDA error: out of memory",
    "CUDA out of memory. Tried to allocate 2.00 GiB",
    "mat1 and mat2 shapes cannot be multiplied",
]


@pytest.mark.slow
def test_s4_a_worker_whose_device_is_lost_is_replaced(icon: Image.Image, tmp_path: Path) -> None:
    asked = [request(icon, steps=2, seed=seed) for seed in range(2)]
    expected = [picture(Engine().run(each)) for each in asked]
    for trial in range(DEATHS):
        executor = LocalExecutor(in_process, partial(sticky, LOST[0], str(tmp_path / f"{trial}")))
        try:
            outcomes = [executor.submit([each], mode="exact").wait(60)[0] for each in asked]
            restarts = executor.status().restarts
        finally:
            executor.close()
        for outcome, pixels in zip(outcomes, expected, strict=True):
            assert np.array_equal(picture(outcome), pixels)
        assert restarts == 1


def test_s4_what_tells_that_a_device_is_lost() -> None:
    assert [text for text in LOST + NOT_LOST if is_lost(as_typed(RuntimeError(text)))] == LOST


def poisoned(executor: LocalExecutor, icon: Image.Image) -> int:
    """Workers that a request ended which is sent five times."""
    for _ in range(5):
        try:
            outcome = executor.submit([request(icon, seed=POISON)]).wait(90)[0]
        except PartwayError as error:
            outcome = error
        if not isinstance(outcome, Quarantined):
            break
        picture(executor.submit([request(icon, seed=2, steps=2)]).wait(90)[0])
    return executor.status().restarts


@pytest.mark.slow
def test_s5_a_poison_request_cannot_loop(icon: Image.Image, executor: LocalExecutor) -> None:
    assert poisoned(executor, icon) == 2
    with pytest.raises(Quarantined):
        executor.submit([request(icon, seed=POISON)])


@pytest.mark.slow
def test_s5_a_server_that_suspects_nobody_would_be_noticed(
    icon: Image.Image, executor: LocalExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def innocent(self: Suspects, digest: str) -> bool:
        return False

    monkeypatch.setattr(Suspects, "guilty", innocent)
    submission = executor.submit([request(icon, seed=POISON)])
    began = time.monotonic()
    while executor.status().restarts <= 2:
        assert time.monotonic() - began < 60
        time.sleep(0.05)
    executor.cancel(submission)


Fault = Callable[[str, int], None]


class Faulty(Analytic):
    """The analytic family with faults at counted places."""

    fault: Fault

    def encode(self, image: Array) -> Array:
        self.fault("encode", 1)
        return super().encode(image)

    def predict(self, x: Array, levels: Sequence[Level], conditions: Sequence[Condition]) -> Array:
        self.fault("predict", len(x))
        return super().predict(x, levels, conditions)

    def decode(self, latents: Array) -> Array:
        self.fault("decode", 1)
        return super().decode(latents)


@pytest.mark.parametrize("place", ["encode", "predict", "decode"])
@pytest.mark.parametrize("together", [4, 2, 1])
def test_s3_running_out_of_memory_harms_no_later_request(
    place: str, together: int, icon: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    armed = {"left": 0, "rows": 0}
    calls = 3 if place == "predict" else together

    def fault(where: str, rows: int) -> None:
        if where == place and armed["left"] > 0:
            armed.update(left=armed["left"] - 1, rows=rows)
            if armed["left"] == 0:
                raise MemoryError(f"{rows} rows")

    def load(profile: Profile, precision: str = "auto") -> Faulty:
        del precision
        family = Faulty(profile)
        family.fault = fault
        return family

    monkeypatch.setattr(engine_module, "load_family", load)
    executor = LocalExecutor(in_thread, partial(Engine, cache_bytes=0))
    try:
        small = request(icon, steps=2, seed=99)
        expected = picture(executor.submit([small], mode="exact").wait(20)[0])
        for trial in range(20):
            armed["left"] = 1 + trial % calls  # the call that fails
            asked = [request(icon, steps=3, seed=trial * 10 + i) for i in range(together)]
            outcomes = executor.submit(asked).wait(20)
            failed = [each for each in outcomes if isinstance(each, PartwayError)]
            # a shared call is made again for each request alone; the first may have been alone
            assert len(failed) == (0 if place == "predict" and armed["rows"] > 1 else 1)
            assert all(each.code == "model_error" for each in failed)
            after = picture(executor.submit([small], mode="exact").wait(20)[0])
            assert np.array_equal(after, expected)
        assert executor.status().restarts == 0
    finally:
        executor.close()
