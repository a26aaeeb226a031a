"""The queue and the worker behind it, on the analytic family."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from PIL import Image

from partway import engine as engine_module
from partway.denoiser import Array, Condition
from partway.engine import Engine
from partway.errors import (
    Cancelled,
    DeadlineExceeded,
    PartwayError,
    QueueFull,
    Unavailable,
    WorkerLost,
)
from partway.events import Done, Event, Queued, Started, Step
from partway.executors.local import LocalExecutor
from partway.executors.worker import MakeEngine, Worker, in_thread
from partway.families import Profile
from partway.families.analytic import Analytic
from partway.images import read_bytes
from partway.request import EditRequest
from partway.result import EditResult
from partway.schedule import Level

Make = Callable[..., LocalExecutor]


class Gate:
    """Network calls that wait for leave; remembers how many rows each had."""

    def __init__(self) -> None:
        self.leave = threading.Semaphore(0)
        self.rows: list[int] = []
        self.entered = threading.Semaphore(0)

    def one_call(self) -> None:
        """Let the call that waits go on, and wait until the next one waits."""
        self.leave.release()
        assert self.entered.acquire(timeout=20)

    def calls_until(self, so: Callable[[], bool]) -> None:
        """Let one call after the other go on until `so`."""
        for _ in range(100):
            if so():
                return
            self.one_call()
        raise AssertionError("it never came to that")


class Gated(Analytic):
    """The analytic family behind a gate."""

    gate: Gate

    def predict(self, x: Array, levels: Sequence[Level], conditions: Sequence[Condition]) -> Array:
        self.gate.entered.release()
        if not self.gate.leave.acquire(timeout=20):
            raise AssertionError("nobody opened the gate")
        self.gate.rows.append(len(x))
        return super().predict(x, levels, conditions)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    """Every network call of this test waits at it."""
    gate = Gate()

    def load(profile: Profile, precision: str = "auto") -> Gated:
        del precision
        family = Gated(profile)
        family.gate = gate
        return family

    monkeypatch.setattr(engine_module, "load_family", load)
    return gate


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[LocalExecutor] = []

    def build(*engines: MakeEngine, **options: Any) -> LocalExecutor:
        made.append(LocalExecutor(in_thread, *engines, **options))
        return made[-1]

    yield build
    for each in made:
        each.close()


def request(icon: Image.Image, **fields: Any) -> EditRequest:
    fields = {"prompt": "navy, orange, white", "model": "analytic", "strength": 0.5} | fields
    return EditRequest(source=read_bytes(icon), **fields)


def picture(outcome: EditResult | PartwayError) -> Any:
    assert isinstance(outcome, EditResult), outcome
    return np.asarray(outcome.image)


def test_a_request_gives_the_same_picture_as_the_engine(icon: Image.Image, make: Make) -> None:
    asked = request(icon)
    events: list[Event] = []
    outcome = make().submit([asked], mode="exact", on_event=events.append).wait(20)[0]
    assert np.array_equal(picture(outcome), picture(Engine().run(asked)))
    assert isinstance(events[0], Queued)
    kinds = [type(event) for event in events]
    assert kinds.index(Started) < kinds.index(Step) < kinds.index(Done) == len(events) - 1


def test_a_request_joins_the_calls_of_those_that_run(
    icon: Image.Image, make: Make, gate: Gate
) -> None:
    executor = make()
    first = executor.submit([request(icon, steps=100)])
    assert gate.entered.acquire(timeout=20)
    events: list[Event] = []
    second = executor.submit([request(icon, steps=2, seed=2)], on_event=events.append)
    gate.calls_until(lambda: any(isinstance(event, Started) for event in events))
    gate.leave.release(200)
    second.wait(20)
    first.wait(20)
    assert gate.rows.count(2) == 2
    assert executor.status().calls == 100


def test_exact_requests_have_calls_of_their_own(icon: Image.Image, make: Make, gate: Gate) -> None:
    executor = make()
    gate.leave.release(100)
    requests = [request(icon, steps=3, seed=seed) for seed in range(3)]
    executor.submit(requests, mode="exact").wait(20)
    assert set(gate.rows) == {1}


def test_the_queue_is_bounded_and_says_when_to_come_back(
    icon: Image.Image, make: Make, gate: Gate
) -> None:
    executor = make(queue_size=2, places=1)
    running = executor.submit([request(icon)])
    assert gate.entered.acquire(timeout=20)
    waiting = [executor.submit([request(icon, seed=seed)]) for seed in (2, 3)]
    assert [executor.position(each) for each in (running, *waiting)] == [None, 0, 1]
    with pytest.raises(QueueFull) as caught:
        executor.submit([request(icon, seed=4)])
    assert caught.value.retry_after >= 1
    # what goes on with something that was accepted is, also while nothing new is
    waiting.append(executor.submit([request(icon, seed=5)], follows=True))
    executor.drain()
    waiting.append(executor.submit([request(icon, seed=6)], follows=True))
    with pytest.raises(Unavailable):
        executor.submit([request(icon, seed=7)])
    gate.leave.release(1000)
    for each in (running, *waiting):
        picture(each.wait(20)[0])
    executor.close()
    with pytest.raises(Unavailable):
        executor.submit([request(icon, seed=8)], follows=True)


def test_pixels_are_let_go_where_a_listener_takes_them(icon: Image.Image, make: Make) -> None:
    ended = threading.Event()
    events: list[Event] = []

    def listen(event: Event) -> None:
        events.append(event)
        if sum(isinstance(each, Done) for each in events) == 2:
            ended.set()

    two = [request(icon), request(icon, seed=2)]
    submission = make().submit(two, on_event=listen, keep=False)
    assert ended.wait(20)
    assert submission.outcomes == {}


def test_cancelling_one_touches_no_other(icon: Image.Image, make: Make, gate: Gate) -> None:
    executor = make(places=2, queue_size=4)
    asked = request(icon, steps=100)
    kept = executor.submit([asked])
    events: list[Event] = []
    dropped = executor.submit([request(icon, steps=100, seed=2)], on_event=events.append)
    queued = executor.submit([request(icon, steps=100, seed=3)])
    assert gate.entered.acquire(timeout=20)
    gate.calls_until(lambda: any(isinstance(event, Step) for event in events))
    executor.cancel(dropped)
    executor.cancel(queued)
    assert isinstance(queued.wait(20)[0], Cancelled)
    before = len([event for event in events if isinstance(event, Step)])
    time.sleep(0.3)  # for the command to reach the worker, which waits at the gate
    gate.leave.release(200)
    assert isinstance(dropped.wait(20)[0], Cancelled)
    after = len([event for event in events if isinstance(event, Step)])
    assert after - before <= 2  # the call that ran, and one if the command crossed with it
    shared = picture(kept.wait(20)[0]).astype(int)
    assert abs(shared - picture(Engine().run(asked))).max() <= 1
    assert gate.rows[-50:] == [1] * 50


def test_a_late_single_edit_does_not_wait_for_a_sweep(
    icon: Image.Image, make: Make, gate: Gate
) -> None:
    executor = make(places=4)
    sweep = executor.submit([request(icon, steps=3, seed=seed) for seed in range(12)])
    assert gate.entered.acquire(timeout=20)
    single = executor.submit([request(icon, steps=3, seed=99)])
    assert executor.position(single) is None
    gate.leave.release(1000)
    single.wait(20)
    assert not sweep.finished
    sweep.wait(20)


def test_a_deadline_ends_what_runs_and_what_waits(
    icon: Image.Image, make: Make, gate: Gate
) -> None:
    executor = make(places=1)
    running = executor.submit([request(icon)], seconds=0.2)
    waiting = executor.submit([request(icon, seed=2)], seconds=0.2)
    after = executor.submit([request(icon, seed=3)])
    for each in (running, waiting):
        assert isinstance(each.wait(20)[0], DeadlineExceeded)
    gate.leave.release(1000)
    picture(after.wait(20)[0])


def test_closing_finishes_what_was_accepted(icon: Image.Image, make: Make) -> None:
    executor = make()
    accepted = [executor.submit([request(icon, seed=seed)]) for seed in range(4)]
    executor.close(grace=20)
    for each in accepted:
        picture(each.wait(0)[0])
    with pytest.raises(Unavailable):
        executor.submit([request(icon)])


def test_closing_without_grace_tells_everyone(icon: Image.Image, make: Make, gate: Gate) -> None:
    executor = make(places=1)
    accepted = [executor.submit([request(icon, seed=seed)]) for seed in range(3)]
    executor.close()
    assert all(isinstance(each.wait(0)[0], Unavailable) for each in accepted)
    gate.leave.release(1000)


def never() -> Engine:
    raise RuntimeError("no such device")


def until(so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not so():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.005)


def up(executor: LocalExecutor, workers: int) -> bool:
    return sum(place.up for place in executor._places) == workers  # pyright: ignore[reportPrivateUsage]


def test_several_workers_share_what_comes(icon: Image.Image, make: Make, gate: Gate) -> None:
    executor = make(Engine, Engine)
    until(lambda: up(executor, 2))
    accepted = [executor.submit([request(icon, steps=4, seed=seed)]) for seed in range(4)]
    for _ in range(2):
        assert gate.entered.acquire(timeout=20), "both have a network call under way"
    assert [len(place.running) for place in executor._places] == [2, 2]  # pyright: ignore[reportPrivateUsage]
    assert executor.status().running == 4
    gate.leave.release(1000)
    for seed, each in enumerate(accepted):
        shared = picture(each.wait(20)[0]).astype(int)
        assert abs(shared - picture(Engine().run(request(icon, steps=4, seed=seed)))).max() <= 1


def test_a_cancel_finds_the_worker_that_has_it(icon: Image.Image, make: Make, gate: Gate) -> None:
    executor = make(Engine, Engine, Engine)
    until(lambda: up(executor, 3))
    events: list[Event] = []
    first = executor.submit([request(icon, steps=60)])
    dropped = executor.submit([request(icon, steps=60, seed=2)], on_event=events.append)
    last = executor.submit([request(icon, steps=60, seed=3)])
    for _ in range(3):
        assert gate.entered.acquire(timeout=20)
    executor.cancel(dropped)
    time.sleep(0.3)  # for the command to reach the worker, which waits at the gate
    gate.leave.release(1000)
    assert isinstance(dropped.wait(20)[0], Cancelled)
    assert sum(isinstance(event, Step) for event in events) <= 2
    for each in (first, last):
        picture(each.wait(20)[0])


def test_a_place_without_a_worker_leaves_the_work_to_the_others(
    icon: Image.Image, make: Make
) -> None:
    executor = make(never, Engine)
    for seed in range(3):
        picture(executor.submit([request(icon, seed=seed)]).wait(20)[0])
    lost = make(never, never)
    until(lambda: all(place.worker is None for place in lost._places))  # pyright: ignore[reportPrivateUsage]
    with pytest.raises(WorkerLost):
        lost.submit([request(icon)])


def test_a_worker_that_cannot_be_started_leaves_the_work_to_the_others(icon: Image.Image) -> None:
    def start(make_engine: MakeEngine, *told: Any) -> Worker:
        if make_engine is never:
            raise RuntimeError("the cluster is gone")
        return in_thread(make_engine, *told)

    executor = LocalExecutor(start, never, Engine)
    picture(executor.submit([request(icon)]).wait(20)[0])
    executor.close()
    executor = LocalExecutor(start, never)
    with pytest.raises(WorkerLost):
        executor.submit([request(icon)])
    executor.close()
