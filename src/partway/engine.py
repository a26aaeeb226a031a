"""The one door to the pixels: requests in, events and results out.

An engine keeps checkpoints loaded, remembers prompts and sources it has encoded, and runs any
number of requests together. Two modes:

    exact    only one request's rows in a network call; the same request gives the same bits
    shared   rows of several requests in one call; faster, and equal within rounding
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from partway.batcher import MAX_ROWS, Batcher
from partway.choosing import wrapped
from partway.edits.region import region_of
from partway.errors import Cancelled, PartwayError
from partway.events import Done, Event, Failed, WasCancelled
from partway.families import Family, Profile, load_family
from partway.model_cache import ModelCache
from partway.outcome import untouched
from partway.outline import outline
from partway.remembered import Remembered
from partway.request import EditRequest
from partway.result import EditResult
from partway.run import Mode, Run, Task
from partway.tasks import Order, task_of

if TYPE_CHECKING:
    from partway.images import Picture

Listener: TypeAlias = Callable[[Event], None]

CACHE_BYTES = 512 * 2**20  # prompts, sources and their encodings remembered


class Engine:
    """Runs edits.

    max_rows     rows of a shared network call; bounds memory
    cache_bytes  of prompts, sources and encodings remembered; 0 remembers nothing
    model_bytes  of the weights of checkpoints that are kept loaded (partway.model_cache); None is
                 three quarters of an accelerator's memory, else half of the machine's
    """

    def __init__(
        self,
        *,
        max_rows: int = MAX_ROWS,
        cache_bytes: int = CACHE_BYTES,
        model_bytes: int | None = None,
    ) -> None:
        self._max_rows = max_rows
        self._models = ModelCache(model_bytes)
        self._lock = threading.Lock()
        self._remembered = Remembered(cache_bytes, self._lock)
        self._own: Profile | None = None

    @classmethod
    def from_pipeline(cls, pipe: Any, **options: Any) -> Self:
        """An engine on a pipeline that a script has loaded with diffusers, sharing its components.

        Requests that name no model run on it: on its device, in its precision, with its LoRA, from
        its scheduler's levels, and with that one's sampler where a request names none. Nothing is
        copied or moved, and the pipeline goes on working. After a change of it, wrap it again.

        options  as of Engine. ModelError for pipelines that Partway does not run.
        """
        engine = cls(**options)
        engine._own = wrapped(pipe)
        return engine

    def run(
        self,
        request: EditRequest,
        *,
        on_event: Listener | None = None,
        cancel: threading.Event | None = None,
    ) -> EditResult:
        """One picture in exact mode: the same request always gives the same bits.

        Raises the request's own error, or Cancelled within one evaluation of `cancel` being set.
        """
        outcome = self.run_many([request], mode="exact", on_event=on_event, cancel=cancel)[0]
        if isinstance(outcome, PartwayError):
            raise outcome
        return outcome

    def run_many(
        self,
        requests: Sequence[EditRequest],
        *,
        mode: Mode = "shared",
        on_event: Listener | None = None,
        cancel: threading.Event | None = None,
    ) -> list[EditResult | PartwayError]:
        """Many pictures; a request that fails gives its error in its place and harms no other."""
        outcomes: dict[int, EditResult | PartwayError] = {}
        for event in self.live().serve(requests, mode, 0, cancel):
            if isinstance(event, Done):
                outcomes[event.index] = event.result
            elif isinstance(event, Failed):
                outcomes[event.index] = event.error
            elif isinstance(event, WasCancelled):
                outcomes[event.index] = Cancelled("cancelled")
            if on_event is not None:
                on_event(event)
        return [outcomes[index] for index in range(len(requests))]

    def stream(
        self,
        request: EditRequest,
        *,
        preview_every: int = 0,
        cancel: threading.Event | None = None,
    ) -> Generator[Event, None, None]:
        """The events of one request in exact mode, the last one Done, Failed or WasCancelled.

        preview_every  decode the clean estimate after every so many evaluations; 0 is never.
        Closing the iterator cancels the edit.
        """
        return self.live().serve([request], "exact", preview_every, cancel)

    def live(self) -> Run:
        """A run that requests may join and leave while it goes on.

        It has a batcher of its own; network calls of several runs take turns.
        """
        return Run(self._prepare, Batcher(self._max_rows, self._lock))

    def decoded(self, data: bytes, name: str = "the source") -> Picture:
        """A source as a run will take it up; other threads may call this ahead of it."""
        return self._remembered.picture(data, name)

    def family(self, profile: Profile, precision: str = "auto") -> Family:
        """The loaded networks of a checkpoint; loads them where they are not in memory."""
        with self._lock:
            return self._models.get(profile, precision, lambda: load_family(profile, precision))

    def _prepare(self, mode: Mode, index: int, request: EditRequest) -> Task | EditResult:
        """Decode, choose, plan, load, encode: a request as a task.

        At strength 0 the source itself is the result, in its own mode, or what continues or
        enlarges it; no model is chosen.
        """
        began = time.perf_counter()
        remembered = self._remembered
        picture = None if request.source is None else self.decoded(request.source)
        found = outline(request, picture, self._own)
        picture = None if picture is None else remembered.extended(request, picture)
        region = None if picture is None else region_of(request, picture)
        profile, plan = found.profile, found.plan
        if profile is None:
            return untouched(request, picture, plan, mode, began)
        nameless = profile is self._own
        order = Order(
            mode, index, request, picture, region, profile, plan, found.evaluations, nameless, began
        )
        return task_of(order, self.family(profile, request.precision), remembered)
