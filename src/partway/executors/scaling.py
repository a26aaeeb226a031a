"""How many workers there are: more while work waits for one, fewer when they have none.

Only what waits is looked at, so the rule is the same for processes and for actors of a cluster. A
worker that the cluster has no room for yet is waited for by nobody; that it was asked for is what
makes a cluster grow that can.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import monotonic

from partway.executors.places import Place

IDLE = 30.0  # seconds without work after which a worker is given back


class Scaling:
    """The rule.

    places   of workers: as many as there may be
    least    workers to keep; None is one in every place
    room     requests that a worker takes
    fill     starts a worker in a place
    stalled  seconds after which one that does not come up is asked for anew
    idle     seconds without work after which one is given back
    """

    def __init__(
        self,
        places: Sequence[Place],
        least: int | None,
        room: int,
        fill: Callable[[Place], None],
        *,
        stalled: float,
        idle: float = IDLE,
    ) -> None:
        self._places = places
        self._least = len(places) if least is None else least
        self._room = room
        self._fill = fill
        self._stalled = stalled
        self._idle = idle
        self._waited = monotonic()  # when something last waited for a worker

    def follow(self, waiting: int) -> None:
        """Start or give back workers, where so many requests wait that none is free for."""
        if waiting:
            self._waited = monotonic()
        self._shrink()
        there = [place for place in self._places if place.worker is not None]
        coming = sum(not place.up for place in there)
        missing = self._least - len(there)
        wanted = max(missing, -(-waiting // self._room) - coming, 0)
        empty = [place for place in self._places if place.worker is None and not place.lost]
        for place in empty[:wanted]:
            self._fill(place)

    def _shrink(self) -> None:
        """Give back what is not needed; first those that are not up, then the longest idle."""
        there = [place for place in self._places if place.worker is not None]
        unused = [place for place in there if self._unused(place)]
        unused.sort(key=lambda place: (place.up, place.heard))
        for place in unused[: max(len(there) - self._least, 0)]:
            place.give_back()

    def _unused(self, place: Place) -> bool:
        """Whether a worker is not needed, or does not come up."""
        quiet = monotonic() - self._waited > self._idle
        if not place.up:
            return quiet or place.silent(self._stalled)
        return quiet and not place.running and monotonic() - place.heard > self._idle
