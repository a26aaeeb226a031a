"""The search on made-up responses, and on the analytic family."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from partway.calibration import Curve
from partway.edits.target import MAX_RENDERS, TOLERANCE, Found, find, search, typical
from partway.engine import Engine
from partway.errors import Cancelled, InvalidRequest, Unreachable
from partway.events import Event, Started
from partway.fidelity import percent
from partway.images import read_bytes
from partway.request import EditRequest

LINE = Curve(((0.0, 0.0), (1.0, 1.0)))


def walk(target: float, response: Callable[[float], float]) -> tuple[float, float, int]:
    """Run a search on a response; share, kept and number of runs."""
    coroutine = search(target, LINE)
    share, seen = next(coroutine), dict[float, float]()
    while True:
        seen[share] = response(share)
        try:
            share = coroutine.send(seen[share])
        except StopIteration as done:
            return done.value, seen[done.value], len(seen)


def test_steep_and_shifted_pictures_are_met_within_six_runs() -> None:
    """Pictures give way in an S around a level of their own, some of them almost at once."""
    rng = np.random.RandomState(1)
    met, renders = list[bool](), list[int]()
    for _ in range(600):
        target, steepness = rng.uniform(0.1, 0.85), rng.uniform(2, 40)
        middle = rng.uniform(0.1, 0.9)

        def falling(share: float, a: float = steepness, b: float = middle) -> float:
            return 1 / (1 + math.exp(a * (share - b)))

        first, last = falling(0.0), falling(1.0)

        def response(share: float) -> float:
            return 0.02 + 0.95 * (falling(share) - last) / (first - last)  # noqa: B023

        _, kept, runs = walk(target, response)
        met.append(abs(kept - target) <= TOLERANCE)
        renders.append(runs)
    assert np.mean(met) >= 0.97
    assert max(renders) <= MAX_RENDERS
    assert np.mean(renders) <= 4.2


def test_a_good_guess_needs_one_run() -> None:
    assert walk(0.5, lambda share: 0.98 - 0.96 * share) == (
        pytest.approx(0.5),
        pytest.approx(0.5),
        1,
    )


def test_out_of_reach_says_what_is_within() -> None:
    with pytest.raises(Unreachable, match=r"99 % is out of reach.*at most 90 %.*--keep 90%.*-s 0"):
        walk(0.99, lambda share: 0.9 - 0.8 * share)
    with pytest.raises(Unreachable, match=r"10 % is out of reach.*keeps 30 %.*--keep 30%"):
        walk(0.1, lambda share: 0.9 - 0.6 * share)


def test_a_picture_that_jumps_gets_the_nearest() -> None:
    _, kept, renders = walk(0.5, lambda share: 0.9 if share < 0.37 else 0.45)
    assert (kept, renders) == (0.45, MAX_RENDERS)


@pytest.fixture
def request_(icon: Image.Image) -> EditRequest:
    return EditRequest(prompt="navy, orange, white", source=read_bytes(icon), model="analytic")


@pytest.mark.parametrize("dial", ["standard", "noise", "sd1"])
def test_what_is_found_is_a_plain_request(request_: EditRequest, dial: str) -> None:
    engine = Engine()
    found = find(engine.run, request_.with_(dial=dial), 0.6)
    assert not found.missed(0.6)
    assert found.renders <= MAX_RENDERS
    asked = found.result.request
    assert (asked.strength, asked.dial) == (found.strength, dial)
    assert asked.strength is not None
    assert round(asked.strength, 4) == asked.strength
    assert asked == request_.with_(dial=dial, strength=asked.strength)
    assert found.result.kept is not None
    assert found.kept == found.result.kept.structure
    again = engine.run(asked).image
    assert np.array_equal(np.asarray(again), np.asarray(found.result.image))


def test_exactly_all_is_the_picture_itself(request_: EditRequest, icon: Image.Image) -> None:
    found = find(Engine().run, request_, 1.0)
    assert (found.strength, found.renders, found.kept) == (0.0, 1, 1.0)
    assert np.array_equal(np.asarray(found.result.image), np.asarray(icon))


def test_cancel_and_progress_pass_through(request_: EditRequest) -> None:
    engine, cancel, started = Engine(), threading.Event(), list[Event]()

    def listen(event: Event) -> None:
        if isinstance(event, Started):
            started.append(event)
            if len(started) == 2:
                cancel.set()

    with pytest.raises(Cancelled):
        find(lambda r: engine.run(r, on_event=listen, cancel=cancel), request_, 0.37)
    assert len(started) == 2


@pytest.mark.parametrize("keep", [-0.1, 1.1, math.nan])
def test_what_is_no_share_is_refused(request_: EditRequest, keep: float) -> None:
    with pytest.raises(InvalidRequest, match="try --keep 70%"):
        find(Engine().run, request_, keep)


def test_nothing_can_be_kept_of_no_source(request_: EditRequest) -> None:
    with pytest.raises(InvalidRequest, match="needs a source"):
        find(Engine().run, request_.with_(source=None), 0.5)


@pytest.mark.parametrize("gain", [0.3, 1.0, 4.0])
def test_models_without_a_calibration_have_what_standard_promises(gain: float) -> None:
    curve = typical(gain)
    assert curve.change(curve.noise_fraction(0.5)) == pytest.approx(0.5)


def test_missed_speaks_of_what_is_printed(request_: EditRequest) -> None:
    result = Engine().run(request_.with_(strength=0.0))
    assert not Found(0.5, result, 0.7249, 3).missed(0.7)
    assert Found(0.5, result, 0.7251, 3).missed(0.7)
    assert percent(0.7249) == 72
