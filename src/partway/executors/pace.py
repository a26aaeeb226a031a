"""When to come back: how long jobs took lately."""

from __future__ import annotations

import math
from time import monotonic


class Pace:
    """Seconds per job lately, for telling a client when to come back."""

    def __init__(self) -> None:
        self._seconds = 1.0
        self._last = 0.0

    def finished(self, started: float) -> None:
        """A job that ran from `started` to now is done."""
        now = monotonic()
        self._seconds += 0.2 * (now - max(self._last, started) - self._seconds)
        self._last = now

    def seconds_for(self, jobs: int) -> int:
        """Whole seconds until so many are served; at least 1, at most 10 minutes."""
        return min(max(math.ceil(jobs * self._seconds), 1), 600)
