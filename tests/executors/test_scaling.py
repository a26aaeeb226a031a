"""How many workers there are, without any: the rule, and both pools that follow it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from partway.engine import Engine
from partway.events import Done, Failed
from partway.executors import scaling
from partway.executors.local import LocalExecutor
from partway.executors.places import Place
from partway.executors.pool import FALSE_STARTS, Pool
from partway.executors.scaling import Scaling
from partway.executors.worker import Command, MakeEngine, Report, Worker, in_thread
from partway.request import EditRequest

IDLE = 10.0
STALLED = 100.0


class Fake(Worker):
    """A worker that says what it is told to say."""

    def __init__(
        self,
        make_engine: MakeEngine,
        on_report: Callable[[Worker, Report], None],
        on_end: Callable[[Worker], None],
    ) -> None:
        del make_engine
        self.report, self.end = on_report, on_end
        self.told: list[Command] = []
        self.stopped = False

    def start(self) -> None:
        """Nothing comes up by itself."""

    def tell(self, command: Command) -> None:
        self.told.append(command)

    def stop(self) -> None:
        self.stopped = True


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(scaling, "monotonic", made)
    monkeypatch.setattr("partway.executors.places.monotonic", made)
    return made


class Bench:
    """Places for at most `most` fake workers that take two requests each."""

    def __init__(self, least: int | None, most: int) -> None:
        self.places = [Place(Engine) for _ in range(most)]
        self.rule = Scaling(self.places, least, 2, self.fill, stalled=STALLED, idle=IDLE)
        self.rule.follow(0)

    def fill(self, place: Place) -> None:
        place.fill(Fake, lambda _, __: None, lambda _: None)

    def up(self, *numbers: int) -> None:
        for number in numbers:
            self.places[number].spoke()

    @property
    def there(self) -> list[int]:
        return [i for i, place in enumerate(self.places) if place.worker is not None]


@pytest.mark.usefixtures("clock")
def test_it_starts_with_the_least_and_asks_for_what_waits_up_to_the_most() -> None:
    bench = Bench(2, 5)
    assert bench.there == [0, 1]
    bench.rule.follow(4)
    assert bench.there == [0, 1], "those that come up take them"
    bench.up(0, 1)
    bench.rule.follow(0)
    assert bench.there == [0, 1]
    bench.rule.follow(1)
    assert bench.there == [0, 1, 2]
    bench.rule.follow(2)
    assert bench.there == [0, 1, 2], "one that was asked for is not asked for twice"
    bench.rule.follow(3)
    assert bench.there == [0, 1, 2, 3]
    bench.rule.follow(100)
    assert bench.there == [0, 1, 2, 3, 4]


def test_all_are_there_from_the_start_and_stay_where_no_least_is_said(clock: Clock) -> None:
    bench = Bench(None, 3)
    assert bench.there == [0, 1, 2]
    bench.up(0, 1, 2)
    clock.now += 100 * IDLE
    bench.rule.follow(0)
    assert bench.there == [0, 1, 2]


def test_what_is_idle_for_long_is_given_back_and_nothing_that_works(clock: Clock) -> None:
    bench = Bench(1, 4)
    bench.rule.follow(8)
    bench.up(0, 1, 2)
    bench.places[1].running.add(7)
    workers: list[Any] = [place.worker for place in bench.places]
    clock.now += IDLE - 1
    bench.rule.follow(0)
    assert bench.there == [0, 1, 2, 3]
    clock.now += 2
    bench.rule.follow(0)
    assert bench.there == [1], "what works stays, what never came up and what is idle goes"
    assert [worker.stopped for worker in workers] == [True, False, True, True]
    assert not bench.places[0].up
    assert bench.places[3].false_starts == 0
    bench.places[1].running.clear()
    clock.now += 100 * IDLE
    bench.rule.follow(0)
    assert bench.there == [1], "the least stay"


@pytest.mark.parametrize("ready", [0, 1])
def test_the_one_that_is_up_is_kept_rather_than_one_that_is_not(clock: Clock, ready: int) -> None:
    bench = Bench(1, 2)
    bench.rule.follow(4)
    bench.up(ready)
    clock.now += IDLE + 1
    bench.rule.follow(0)
    assert bench.there == [ready]


def test_while_work_waits_nothing_is_given_back(clock: Clock) -> None:
    bench = Bench(1, 3)
    bench.rule.follow(6)
    bench.up(0)
    clock.now += IDLE + 1
    bench.rule.follow(4)
    assert bench.there == [0, 1, 2]
    clock.now += IDLE - 1
    bench.rule.follow(0)
    assert bench.there == [0, 1, 2], "it waited a moment ago"


def test_what_does_not_come_up_is_asked_for_anew_and_its_place_is_not_lost(clock: Clock) -> None:
    bench = Bench(1, 2)
    bench.up(0)
    for _ in range(3 * FALSE_STARTS):
        bench.rule.follow(1)
        assert bench.there == [0, 1]
        old: Any = bench.places[1].worker
        clock.now += STALLED + 1
        bench.rule.follow(1)
        assert old.stopped
        assert bench.places[1].worker not in (None, old)
    assert bench.places[1].false_starts == 0
    assert not bench.places[1].lost


@pytest.mark.usefixtures("clock")
def test_a_place_that_is_lost_is_made_up_for_by_another() -> None:
    bench = Bench(1, 3)
    bench.places[0].vacate()
    bench.places[0].lost = True
    bench.rule.follow(0)
    assert bench.there == [1]
    bench.rule.follow(100)
    assert bench.there == [1, 2]


def requests(count: int) -> list[EditRequest]:
    sized = {"prompt": "red", "model": "analytic", "steps": 40, "size": (8, 8)}
    return [EditRequest(seed=seed, **sized) for seed in range(count)]  # type: ignore[arg-type]


def workers(places: Sequence[Place]) -> int:
    return sum(place.worker is not None for place in places)


def test_a_batch_grows_goes_on_without_what_never_comes_and_shrinks() -> None:
    """The third worker finds no room in the cluster."""
    started: list[int] = []
    never: list[Fake] = []

    def start(make_engine: MakeEngine, on_report: Any, on_end: Any) -> Worker:
        started.append(len(started))
        if len(started) < 3:
            return in_thread(make_engine, on_report, on_end)
        never.append(Fake(make_engine, on_report, on_end))
        return never[-1]

    pool = Pool([Engine] * 3, start, share=2, least=1, idle=0.3)
    places = pool._places  # pyright: ignore[reportPrivateUsage]
    assert started == [0]
    pictures: dict[int, bytes] = {}
    for index, request in enumerate(requests(12)):
        list(pool.add(index, request, "exact"))
    limit = time.monotonic() + 60
    most = 0
    while len(pool):
        assert time.monotonic() < limit
        for event in pool.step():
            assert not isinstance(event, Failed), event
            if isinstance(event, Done):
                pictures[event.index] = event.result.image.tobytes()
        most = max(most, workers(places))
    assert most == 3
    assert len(started) == 3
    engine = Engine()
    assert pictures == {
        index: engine.run(request).image.tobytes() for index, request in enumerate(requests(12))
    }
    while workers(places) > 1:
        assert time.monotonic() < limit
        list(pool.step())
    assert never[0].stopped
    assert len(started) == 3
    pool.close()


def test_a_server_grows_while_jobs_wait_and_shrinks_when_none_come() -> None:
    executor = LocalExecutor(in_thread, *[Engine] * 3, places=1, least=1, idle=0.3)
    places = executor._places  # pyright: ignore[reportPrivateUsage]
    try:
        assert workers(places) == 1
        jobs = [executor.submit([request], mode="exact") for request in requests(8)]
        limit = time.monotonic() + 60
        most = 0
        while not all(job.finished for job in jobs):
            assert time.monotonic() < limit
            most = max(most, workers(places))
            time.sleep(0.005)
        assert most == 3
        while workers(places) > 1:
            assert time.monotonic() < limit
            time.sleep(0.02)
        again = executor.submit(requests(1), mode="exact").wait(60)
        engine = Engine()
        expected = [engine.run(request).image.tobytes() for request in requests(8)]
        made: list[Any] = [job.wait()[0] for job in jobs] + again
        assert [each.image.tobytes() for each in made] == [*expected, expected[0]]
        assert executor.status().restarts == 0
    finally:
        executor.close()
