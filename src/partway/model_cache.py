"""Loaded checkpoints, within a budget of bytes: those used longest ago are let go.

What a request still holds is never let go: its networks would stay in memory all the same, and the
next request for them would load them a second time. The budget is therefore one of what is idle,
and the checkpoint asked for last is always there.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from partway.checkpoints.device import capacity, release

if TYPE_CHECKING:
    from partway.families import Family, Profile

WEIGHTS = (".safetensors", ".onnx")


def identity_of(profile: Profile) -> tuple[Hashable, ...]:
    """What tells one checkpoint from another, its adapters included."""
    checkpoint = profile.checkpoint
    own = (
        () if checkpoint is None else (checkpoint.loras, checkpoint.runtime, id(checkpoint.loaded))
    )
    return (profile.family, profile.name, str(profile.folder), *own)


def on_disk(profile: Profile) -> int:
    """Bytes of a checkpoint's weights in its files: about what it will take; 0 where not known."""
    place = profile.folder
    if place is None or (profile.checkpoint is not None and profile.checkpoint.loaded is not None):
        return 0
    files = [place] if place.is_file() else place.rglob("*")
    return sum(file.stat().st_size for file in files if file.suffix in WEIGHTS and file.is_file())


@dataclass(eq=False)
class Loaded:
    """A checkpoint in memory.

    nbytes  of its weights
    used    when it was asked for last, counted
    """

    family: Family | None
    nbytes: int
    used: int


class ModelCache:
    """Checkpoints by identity and precision. Callers hold a lock of their own.

    budget  bytes of weights; None is what there is room for (checkpoints.device.capacity)
    """

    def __init__(self, budget: int | None = None) -> None:
        self._budget = budget
        self._room: int | None = None  # the budget as it was when something was last loaded
        self._loaded: dict[tuple[Hashable, str], Loaded] = {}
        self._precisions: dict[tuple[Hashable, str], str] = {}  # as asked → as loaded
        self._times = count()

    def get(self, profile: Profile, precision: str, load: Callable[[], Family]) -> Family:
        """The loaded checkpoint; `load` is called where it is not there."""
        identity = identity_of(profile)
        asked = (identity, precision)
        known = self._loaded.get((identity, self._precisions.get(asked, precision)))
        if known is None or known.family is None:
            self._make_room(on_disk(profile))
            family = load()
            self._room = None  # a first model may bring its runtime, and that an accelerator
            self._precisions[asked] = family.precision
            fresh = Loaded(family, getattr(family, "nbytes", 0), 0)
            # "auto" and the precision it came to are the same networks.
            known = self._loaded.setdefault((identity, family.precision), fresh)
        known.used = next(self._times)
        family = known.family
        if family is None:
            raise AssertionError("what is let go is forgotten")
        self._make_room(0)  # not this one: it is held here
        return family

    def _make_room(self, more: int) -> None:
        """Let go of what was used longest ago, until `more` bytes fit beside the rest."""
        if not self._loaded:
            return
        budget = self._within()
        held = sum(each.nbytes for each in self._loaded.values())
        if held + more <= budget:
            return
        gc.collect()  # errors and their frames hold what nobody needs
        before = len(self._loaded)
        for key, each in sorted(self._loaded.items(), key=lambda item: item[1].used):
            if held + more <= budget:
                break
            if each.nbytes and _let_go(each):
                held -= each.nbytes
                del self._loaded[key]
        if len(self._loaded) < before:
            release()

    def _within(self) -> int:
        """The budget; the machine is asked once for each load, not for each request."""
        if self._budget is not None:
            return self._budget
        if self._room is None:
            self._room = capacity()
        return self._room


def _let_go(loaded: Loaded) -> bool:
    """Drop a checkpoint; False where somebody still holds it, as requests that run do."""
    held = weakref.ref(loaded.family) if loaded.family is not None else None
    loaded.family = None
    loaded.family = None if held is None else held()
    return loaded.family is None
