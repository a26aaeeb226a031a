"""The most recently used values of expensive functions, within a budget of bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")


class Cache:
    """Remembers values by key until their sizes add up to more than `budget` bytes.

    Safe to use from several threads; two that miss at once both make the value, and one is kept.
    """

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._used = 0
        self._lock = threading.Lock()
        self._entries: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], T], size: Callable[[T], int]) -> T:
        """The value of `key`: remembered, or made now and remembered at `size` bytes.

        A value larger than the whole budget is returned and not remembered.
        """
        with self._lock:
            if key in self._entries:
                self._entries.move_to_end(key)
                return self._entries[key][0]
        value = make()
        cost = size(value)
        with self._lock:
            if key not in self._entries and cost <= self._budget:
                self._entries[key] = (value, cost)
                self._used += cost
            while self._used > self._budget:
                _, (_, freed) = self._entries.popitem(last=False)
                self._used -= freed
        return value
