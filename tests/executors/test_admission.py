"""The rule of who is next: fewest running first, within what a worker may hold."""

from __future__ import annotations

from partway.engine import Engine
from partway.executors import Submission
from partway.executors.admission import MAX_PIXELS, Admission
from partway.executors.entries import Entry, Running
from partway.executors.places import Place
from partway.executors.suspects import Suspects
from partway.request import EditRequest

LARGE = MAX_PIXELS * 2 // 3


class Desk:
    """Workers that are up and never finish anything."""

    def __init__(self, workers: int, room: int = 4) -> None:
        self.places = [Place(Engine, up=True) for _ in range(workers)]
        self.suspects = Suspects()
        self.admission = Admission(self.places, room, self.suspects)
        self.running: dict[int, Running] = {}

    def take(self, *entries: Entry) -> tuple[Entry, int] | None:
        """Take up what is next: the entry, and the number of its worker."""
        found = self.admission.next(entries, self.running)
        if found is None:
            return None
        entry, place = found
        key = len(self.running)
        self.running[key] = Running(entry, entry.waiting.popleft(), place)
        place.running.add(key)
        return entry, self.places.index(place)


def entry(*pixels: int, seed: int = 1) -> Entry:
    """A submission of requests whose results have so many pixels."""
    requests = [EditRequest(prompt="red", seed=seed + i) for i in range(len(pixels))]
    return Entry(Submission(requests, None), "shared", 0, None, list(pixels))


def test_a_worker_holds_so_many_pixels_and_one_request_always() -> None:
    desk, huge, large, small = Desk(1), entry(2 * MAX_PIXELS), entry(LARGE), entry(1)
    assert desk.take(huge) == (huge, 0)
    assert desk.take(small) is None
    desk = Desk(2)
    first = entry(LARGE)
    assert desk.take(first) == (first, 0)
    assert desk.take(large) == (large, 1)  # beside the first it would be too much
    more = entry(LARGE, seed=9)
    assert desk.take(more) is None
    assert desk.take(small) == (small, 0)


def test_a_submission_leaves_half_of_the_places_to_others() -> None:
    desk, many, late = Desk(2, room=2), entry(1, 1, 1, 1), entry(1, seed=9)
    assert [desk.take(many, late) for _ in range(2)] == [(many, 0), (late, 1)]
    assert desk.take(many) == (many, 0)
    assert desk.take(many) is None
    assert desk.admission.open(desk.running)


def test_what_ran_when_a_worker_ended_runs_alone_and_what_came_later_waits() -> None:
    desk, suspect, later = Desk(1), entry(1), entry(1, seed=9)
    desk.suspects.accuse(suspect.digest(0))
    assert desk.take(suspect, later) == (suspect, 0)
    assert desk.take(later) is None
    assert not desk.admission.open(desk.running)
    desk = Desk(1)
    busy = entry(1, seed=20)
    desk.suspects.accuse(suspect.digest(0))
    suspect.waiting.append(0)
    assert desk.take(busy) == (busy, 0)
    assert desk.take(suspect, later) is None  # it waits for the worker to have nothing else


def test_half_of_the_places_is_half_of_those_that_are_up() -> None:
    desk, sweep, single = Desk(2), entry(*[1] * 8), entry(1)
    desk.places[1].up = False
    assert [desk.take(sweep) for _ in range(3)] == [(sweep, 0), (sweep, 0), None]
    assert desk.take(sweep, single) == (single, 0)
