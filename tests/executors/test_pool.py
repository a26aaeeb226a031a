"""Several workers as one live run: shared out, replaced when they end, nothing lost."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from partway.engine import Engine
from partway.errors import InvalidRequest, Quarantined, WorkerLost
from partway.events import Done, Event, Failed, Started
from partway.executors.pool import Pool, engine_on
from partway.executors.worker import MakeEngine, in_thread
from partway.request import EditRequest

DEADLY = "ends its worker"


class Mortal(Engine):
    """Ends its process where it is asked to."""

    def decoded(self, data: bytes, name: str = "the source") -> None:  # type: ignore[override]
        os.kill(os.getpid(), signal.SIGKILL)


def never() -> Engine:
    raise RuntimeError("no such device")


def request(seed: int, steps: int = 2) -> EditRequest:
    return EditRequest(prompt="red", model="analytic", steps=steps, size=(8, 8), seed=seed)


def finish(
    pool: Pool, requests: list[EditRequest], hear: Callable[[Event], None] = lambda _: None
) -> dict[int, Event]:
    last: dict[int, Event] = {}

    def take(events: Iterator[Event]) -> None:
        for event in events:
            hear(event)
            if isinstance(event, (Done, Failed)):
                assert event.index not in last, "told twice"
                last[event.index] = event

    for index, each in enumerate(requests):
        take(pool.add(index, each, "exact"))
    limit = time.monotonic() + 120
    while len(pool):
        assert time.monotonic() < limit
        take(pool.step())
    return last


def pixels(event: Event) -> bytes:
    assert isinstance(event, Done)
    return event.result.image.tobytes()


def alone(requests: list[EditRequest]) -> list[bytes]:
    engine = Engine()
    return [engine.run(each).image.tobytes() for each in requests]


def test_requests_are_shared_out_and_equal_to_one_workers() -> None:
    requests = [request(seed) for seed in range(12)]
    pool = Pool([Engine] * 3, in_thread, share=4)
    held: list[int] = []

    def hear(event: Event) -> None:
        held.append(max(len(place.running) for place in pool._places))  # pyright: ignore[reportPrivateUsage]

    last = finish(pool, requests, hear)
    pool.close()
    assert max(held) <= 4
    assert [pixels(last[index]) for index in range(12)] == alone(requests)


@pytest.mark.slow
def test_a_killed_worker_loses_nothing() -> None:
    requests = [request(seed, steps=60) for seed in range(8)]
    pool = Pool([partial(engine_on, "cpu", "analytic", cache_bytes=2**20)] * 2)
    killed: list[int] = []

    def hear(event: Event) -> None:
        if isinstance(event, Started) and not killed:
            worker = pool._places[0].worker  # pyright: ignore[reportPrivateUsage]
            assert worker is not None
            worker.stop()
            killed.append(event.index)

    last = finish(pool, requests, hear)
    pool.close()
    assert killed
    assert [pixels(last[index]) for index in range(8)] == alone(requests)


@pytest.mark.slow
def test_one_that_ends_its_worker_fails_and_harms_no_other() -> None:
    deadly = EditRequest(prompt=DEADLY, model="analytic", source=b"any", steps=1)
    requests = [request(1), deadly, request(2)]
    pool = Pool([Mortal])
    last = finish(pool, requests)
    pool.close()
    assert isinstance(last[1], Failed)
    assert isinstance(last[1].error, Quarantined)
    assert [pixels(last[0]), pixels(last[2])] == alone([request(1), request(2)])


def test_where_no_worker_comes_up_every_request_says_so() -> None:
    pool = Pool([never, never], in_thread)
    last = finish(pool, [request(1), request(2)])
    assert all(isinstance(e, Failed) and isinstance(e.error, WorkerLost) for e in last.values())
    assert len(last) == 2
    late = finish(pool, [request(3)])  # what comes later does not wait for ever
    assert isinstance(late[0], Failed)
    assert isinstance(late[0].error, WorkerLost)


def test_one_place_without_a_worker_leaves_the_work_to_the_other() -> None:
    engines: list[MakeEngine] = [never, Engine]
    pool = Pool(engines, in_thread)
    requests = [request(seed) for seed in range(4)]
    last = finish(pool, requests)
    pool.close()
    assert [pixels(last[index]) for index in range(4)] == alone(requests)


def test_a_silent_worker_is_replaced() -> None:
    slept: list[float] = []

    class Sleepy(Engine):
        def decoded(self, data: bytes, name: str = "the source") -> None:  # type: ignore[override]
            slept.append(1.0)
            time.sleep(1.0)
            raise InvalidRequest("awake")

    pool = Pool([Sleepy], in_thread, stalled=0.3)
    last = finish(pool, [EditRequest(model="analytic", source=b"any", steps=1)])
    assert isinstance(last[0], Failed)
    assert isinstance(last[0].error, Quarantined)
    assert len(slept) == 2
