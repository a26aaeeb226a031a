"""What an engine reports while it works. Each event names its request by position."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from PIL.Image import Image

    from partway.errors import PartwayError
    from partway.plan import Plan
    from partway.result import EditResult
    from partway.schedule import Level


@dataclass(frozen=True, slots=True)
class Queued:
    """The request was accepted; `ahead` others come before it."""

    index: int
    ahead: int


@dataclass(frozen=True, slots=True)
class Started:
    """The model is loaded, the source encoded, the plan made. Again where a run is repeated."""

    index: int
    plan: Plan
    evaluations: int


@dataclass(frozen=True, slots=True)
class Step:
    """Evaluation `done` of `total` is finished; the next one is asked at `level`."""

    index: int
    done: int
    total: int
    level: Level


@dataclass(frozen=True, slots=True)
class Preview:
    """The clean estimate after evaluation `done`, decoded."""

    index: int
    done: int
    image: Image


@dataclass(frozen=True, slots=True)
class Done:
    """The picture is finished."""

    index: int
    result: EditResult


@dataclass(frozen=True, slots=True)
class Failed:
    """This request failed; others go on."""

    index: int
    error: PartwayError


@dataclass(frozen=True, slots=True)
class WasCancelled:
    """This request was cancelled; nothing of it is kept."""

    index: int


Event: TypeAlias = Queued | Started | Step | Preview | Done | Failed | WasCancelled
"""Every run of a request ends with exactly one of Done, Failed and WasCancelled."""
