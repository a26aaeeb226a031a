"""Which requests were running when a worker ended, and how often."""

from __future__ import annotations

from collections import OrderedDict

from partway.errors import Quarantined

MAX_DEATHS = 2
MAX_SUSPECTS = 1000  # remembered


class Suspects:
    """Deaths of workers by the digest of a request that ran on them."""

    def __init__(self) -> None:
        self._deaths: OrderedDict[str, int] = OrderedDict()

    def __len__(self) -> int:
        """How many requests are under suspicion."""
        return len(self._deaths)

    def accuse(self, digest: str) -> None:
        """Count a death against a request."""
        self._deaths[digest] = self._deaths.get(digest, 0) + 1
        self._deaths.move_to_end(digest)
        while len(self._deaths) > MAX_SUSPECTS:
            self._deaths.popitem(last=False)

    def clear(self, digest: str) -> None:
        """It was finished, so it was not the cause."""
        self._deaths.pop(digest, None)

    def deaths(self, digest: str) -> int:
        """How often a worker ended while it ran."""
        return self._deaths.get(digest, 0)

    def guilty(self, digest: str) -> bool:
        """Whether it is not run again."""
        return self.deaths(digest) >= MAX_DEATHS


def quarantined() -> Quarantined:
    """The error of a guilty request."""
    return Quarantined("this request ended the worker it ran on twice; it is not run again")
