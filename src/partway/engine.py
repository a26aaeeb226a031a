"""The one door to the pixels: requests in, events and results out.

An engine loads each checkpoint once, remembers prompts and sources it has encoded, and runs any
number of requests together. Two modes:

    exact    only one request's rows in a network call; the same request gives the same bits
    shared   rows of several requests in one call; faster, and equal within rounding
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Generator, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, TypeVar

from partway import images
from partway.batcher import MAX_ROWS, Batcher, Broken, Finished, Job, Outcome
from partway.choosing import choose_model
from partway.denoiser import Condition, Guidance
from partway.edits import img2img
from partway.edits.img2img import Encoded
from partway.errors import Cancelled, NonFinite, PartwayError
from partway.events import Done, Event, Failed, Preview, Queued, Started, Step, WasCancelled
from partway.families import Family, Profile, load_family
from partway.fidelity import kept
from partway.geometry import Canvas
from partway.images import Picture
from partway.plan import Plan, plan_edit
from partway.request import EditRequest, EditResult
from partway.samplers import get_sampler
from partway.schedule import get_spacing
from partway.strength import start_noise_fraction

Mode: TypeAlias = Literal["exact", "shared"]
Listener: TypeAlias = Callable[[Event], None]
T = TypeVar("T")


class _Cache:
    """The most recently used values of expensive functions, by key."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: OrderedDict[Hashable, object] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The value of `key`, made on first use."""
        if key not in self._values:
            self._values[key] = make()
            if len(self._values) > self._size:
                self._values.popitem(last=False)
        self._values.move_to_end(key)
        return self._values[key]  # pyright: ignore[reportReturnType]  one type per key


@dataclass(eq=False)
class _Task:
    """A request on its way through the engine."""

    index: int
    request: EditRequest
    picture: Picture | None
    profile: Profile
    plan: Plan
    place: Canvas
    family: Family
    source: Encoded | None
    job: Job
    began: float
    retried: bool = False

    @property
    def evaluations(self) -> int:
        """Network evaluations of the whole run."""
        return get_sampler(self.request.sampler).evaluations(self.plan.intervals)


def plan_request(request: EditRequest, profile: Profile) -> Plan:
    """The plan of a request on a model; the model's own step count where none was asked."""
    full_steps = request.full_steps
    if request.steps is None and full_steps is None:
        full_steps = profile.default_steps
    return plan_edit(
        request.effective_strength,
        profile.schedule,
        dial=request.dial,
        gain=profile.gain,
        steps=request.steps,
        full_steps=full_steps,
        spacing=request.spacing,
    )


class Engine:
    """Runs edits.

    max_rows    rows of a shared network call; bounds memory
    cache_size  prompts and sources remembered
    """

    def __init__(self, *, max_rows: int = MAX_ROWS, cache_size: int = 64) -> None:
        self._max_rows = max_rows
        self._families: dict[tuple[Hashable, ...], Family] = {}
        self._cache = _Cache(cache_size)
        self._lock = threading.Lock()

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
        for event in self._events(requests, mode, 0, cancel):
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
        return self._events([request], "exact", preview_every, cancel)

    def _events(
        self,
        requests: Sequence[EditRequest],
        mode: Mode,
        preview_every: int,
        cancel: threading.Event | None,
    ) -> Generator[Event, None, None]:
        """Take all requests up, then serve them with network calls until none is left."""
        batcher = Batcher(self._max_rows, self._lock)
        tasks: dict[int, _Task] = {}
        try:
            for index in range(len(requests)):
                yield Queued(index, index)
            for index, request in enumerate(requests):
                if cancel is not None and cancel.is_set():
                    yield WasCancelled(index)
                else:
                    yield from self._take_up(index, request, mode, batcher, tasks)
            while len(batcher):
                if cancel is not None and cancel.is_set():
                    for index in sorted(tasks):
                        yield WasCancelled(index)
                    return
                for outcome in batcher.step():
                    yield from self._advance(outcome, preview_every, mode, batcher, tasks)
        finally:
            for task in tasks.values():
                batcher.remove(task.job)

    def _take_up(
        self,
        index: int,
        request: EditRequest,
        mode: Mode,
        batcher: Batcher,
        tasks: dict[int, _Task],
    ) -> Iterator[Event]:
        """Decode, plan, load, encode: everything before the first network call of the loop."""
        began = time.perf_counter()
        try:
            picture = self._picture(request)
            untouched = _untouched(index, request, picture, mode, began)
            if untouched is not None:
                yield untouched
                return
            task = self._task(index, request, picture, mode, began)
        except PartwayError as error:
            yield Failed(index, error)
            return
        tasks[index] = task
        yield Started(index, task.plan, task.evaluations)
        yield from self._advance(batcher.add(task.job), 0, mode, batcher, tasks)

    def _task(
        self,
        index: int,
        request: EditRequest,
        picture: Picture | None,
        mode: Mode,
        began: float,
    ) -> _Task:
        """Resolve a request against its model."""
        profile = choose_model(request.model, picture)
        sampler, plan = get_sampler(request.sampler), plan_request(request, profile)
        scale = profile.default_guidance
        if request.guidance_scale is not None:
            scale = request.guidance_scale
        guidance = Guidance(scale, request.guidance_interval)
        family = self.family(profile, request.precision)
        place = img2img.canvas(request, profile, picture)
        source = None
        if picture is not None and plan.noise_fraction < 1.0:
            source = self._source(family, picture, place)
        shape = family.latent_shape(*place.padded)
        rows = img2img.begin(
            request,
            plan,
            shape,
            source,
            self._condition(family, request.prompt),
            self._condition(family, request.negative_prompt),
            guidance,
        )
        del sampler  # looked up above so that an unknown name fails before a model is loaded
        key = (_identity(profile), family.precision, shape, index if mode == "exact" else -1)
        job = Job(index, key, family, rows)
        return _Task(index, request, picture, profile, plan, place, family, source, job, began)

    def _advance(
        self,
        outcome: Outcome,
        preview_every: int,
        mode: Mode,
        batcher: Batcher,
        tasks: dict[int, _Task],
    ) -> Iterator[Event]:
        """Report what a network call brought for one job; finish or retry it."""
        task = tasks[outcome.job.index]
        job, total = task.job, task.evaluations
        if isinstance(outcome, Broken):
            yield from self._fail(task, outcome.error, mode, batcher, tasks)
            return
        if job.evaluations:
            level = task.plan.levels[-1] if isinstance(outcome, Finished) else job.waiting[0].level
            yield Step(task.index, job.evaluations, total, level)
        try:
            if isinstance(outcome, Finished):
                result = self._finish(task, outcome, mode)
                del tasks[task.index]
                yield Done(task.index, result)
            elif (
                preview_every and job.evaluations % preview_every == 0 and job.estimate is not None
            ):
                with self._lock:
                    image = img2img.preview(task.family, job.estimate, task.place)
                yield Preview(task.index, job.evaluations, image)
        except PartwayError as error:
            yield from self._fail(task, error, mode, batcher, tasks)

    def _fail(
        self,
        task: _Task,
        error: PartwayError,
        mode: Mode,
        batcher: Batcher,
        tasks: dict[int, _Task],
    ) -> Iterator[Event]:
        """Give up on a job; after NaN or infinity in a lower precision try once more in fp32."""
        batcher.remove(task.job)
        del tasks[task.index]
        if isinstance(error, NonFinite) and task.family.precision != "fp32":
            again = task.request.with_(precision="fp32")
            yield from self._take_up(task.index, again, mode, batcher, tasks)
        else:
            yield Failed(task.index, error)

    def _finish(self, task: _Task, outcome: Finished, mode: Mode) -> EditResult:
        """Latents to picture, with its measurements."""
        with self._lock:
            image = img2img.finish(
                task.family, outcome.latents, task.place, task.plan, task.picture, task.source
            )
        measured = None
        if task.picture is not None:
            measured = kept(task.picture.rgb, images.rgb_of(image))
        return EditResult(
            image=image,
            request=task.request,
            plan=task.plan,
            evaluations=task.job.evaluations,
            kept=measured,
            seconds=time.perf_counter() - task.began,
            model=task.profile.name,
            precision=task.family.precision,
            mode=mode,
            warnings=_warnings(task.request, task.picture),
        )

    def family(self, profile: Profile, precision: str = "auto") -> Family:
        """The loaded networks of a checkpoint; loads them on first use."""
        key = (_identity(profile), precision)
        with self._lock:
            if key not in self._families:
                family = load_family(profile, precision)
                # "auto" and the precision it came to are the same networks.
                resolved = (_identity(profile), family.precision)
                self._families[key] = self._families.setdefault(resolved, family)
            return self._families[key]

    def _picture(self, request: EditRequest) -> Picture | None:
        """The decoded source."""
        data = request.source
        return None if data is None else self._cache.get(data, lambda: images.load(data))

    def _condition(self, family: Family, prompt: str) -> Condition:
        """The encoded prompt, remembered per checkpoint."""
        key = (_identity(family.profile), family.precision, "prompt", prompt)
        with self._lock:
            return self._cache.get(key, lambda: family.encode_prompt(prompt))

    def _source(self, family: Family, picture: Picture, place: Canvas) -> Encoded:
        """The encoded source, remembered by content."""
        key = (_identity(family.profile), family.precision, picture.digest, place)
        with self._lock:
            return self._cache.get(key, lambda: img2img.encode(family, picture, place))


def _identity(profile: Profile) -> tuple[str, str, str]:
    """What tells one checkpoint from another."""
    return (profile.family, profile.name, str(profile.folder))


def _untouched(
    index: int, request: EditRequest, picture: Picture | None, mode: Mode, began: float
) -> Done | None:
    """Strength 0: the source itself, in its own mode, no model chosen or loaded."""
    if picture is None or start_noise_fraction(request.effective_strength, request.dial) > 0.0:
        return None
    get_sampler(request.sampler)
    get_spacing(request.spacing)
    steps = request.full_steps if request.steps is None else None
    result = EditResult(
        image=picture.image,
        request=request,
        plan=Plan(0.0, request.dial, 0.0, (), 1.0, steps),
        evaluations=0,
        kept=kept(picture.rgb, picture.rgb),
        seconds=time.perf_counter() - began,
        model=None,
        precision="none",
        mode=mode,
        warnings=_warnings(request, picture),
    )
    return Done(index, result)


def _warnings(request: EditRequest, picture: Picture | None) -> tuple[str, ...]:
    """Notes that belong to the result itself, whatever the interface."""
    if picture is None:
        if request.strength is None:
            return ()
        return ("no source: strength has no effect, this is text-to-image",)
    return picture.notes
