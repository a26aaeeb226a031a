"""Whose request is taken up next, and on which worker."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from partway.executors.entries import Entry, Running
from partway.executors.places import Place
from partway.executors.suspects import Suspects

MAX_PIXELS = 48_000_000  # of results on one worker, bounds memory; one request always runs


class Admission:
    """The rule.

    places    of workers
    room      requests that may run at once on each
    suspects  requests that ran when a worker ended: each runs alone, and only the guilty one ends
              a worker again. Until one has nothing else to do, what came later waits with it.
    """

    def __init__(self, places: Sequence[Place], room: int, suspects: Suspects) -> None:
        self._places = places
        self._room = room
        self._suspects = suspects

    def next(
        self, entries: Iterable[Entry], running: Mapping[int, Running]
    ) -> tuple[Entry, Place] | None:
        """Of those with the fewest running the oldest, and the worker with the fewest; or None."""
        candidates = [entry for entry in entries if entry.waiting]
        if not candidates:
            return None
        held = Counter(each.entry.submission for each in running.values())
        entry = min(candidates, key=lambda each: held[each.submission])
        share = max(self._room * sum(place.up for place in self._places) // 2, 1)
        within = held[entry.submission] < share
        places = [
            place
            for place in self._places
            if self._may_take(place, running)
            and (not place.running or (within and self._fits(entry, place, running)))
        ]
        return (entry, min(places, key=lambda each: len(each.running))) if places else None

    def open(self, running: Mapping[int, Running]) -> bool:
        """Whether some worker takes one more request, whatever it is."""
        return any(self._may_take(place, running) for place in self._places)

    def _may_take(self, place: Place, running: Mapping[int, Running]) -> bool:
        """Whether a place may take one more, as far as what runs there is concerned."""
        alone = any(self._suspect(running[key].entry, running[key].index) for key in place.running)
        return place.up and len(place.running) < self._room and not alone

    def _fits(self, entry: Entry, place: Place, running: Mapping[int, Running]) -> bool:
        """Whether an entry's next request may run beside others: no suspect, not too large."""
        index = entry.waiting[0]
        used = sum(running[key].pixels for key in place.running) + entry.pixels[index]
        return not self._suspect(entry, index) and used <= MAX_PIXELS

    def _suspect(self, entry: Entry, index: int) -> bool:
        """Whether a worker ended while this request ran on it."""
        return bool(self._suspects) and self._suspects.deaths(entry.digest(index)) > 0
