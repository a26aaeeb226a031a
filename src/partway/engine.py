"""The one door to the pixels: requests in, events and results out.

An engine loads each checkpoint once, remembers prompts and sources it has encoded, and runs any
number of requests together. Two modes:

    exact    only one request's rows in a network call; the same request gives the same bits
    shared   rows of several requests in one call; faster, and equal within rounding
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Generator, Hashable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from partway import images
from partway.batcher import MAX_ROWS, Batcher, Job
from partway.cache import Cache
from partway.calibration import Curve, paired
from partway.choosing import choose_model
from partway.denoiser import Condition
from partway.edits import img2img, pyramid
from partway.edits.img2img import Encoded
from partway.errors import Cancelled, PartwayError, Uncalibrated
from partway.events import Done, Event, Failed, WasCancelled
from partway.families import Family, Profile, load_family
from partway.families.exemplar import Manner, encode_references
from partway.fidelity import kept
from partway.geometry import Canvas
from partway.guidance import Guidance
from partway.images import Picture
from partway.plan import Plan, plan_edit
from partway.request import EditRequest
from partway.result import EditResult
from partway.run import Mode, Run, Task
from partway.samplers import get_sampler
from partway.spacings import get_spacing

if TYPE_CHECKING:
    from PIL.Image import Image

    from partway.denoiser import Array

Listener: TypeAlias = Callable[[Event], None]

ENLARGED = 4  # times a result is scaled up before that is worth a note
CACHE_BYTES = 512 * 2**20  # prompts, sources and their encodings remembered
MANNER_BYTES = 50 * 2**20  # about what the patches of a style picture take at one scale


def calibration_of(request: EditRequest, profile: Profile) -> tuple[float, Curve | None]:
    """Gain and curve that a request's dial reads: its own, else the model's.

    Uncalibrated where the dial reads a curve and there is none.
    """
    gain = profile.gain if request.gain is None else request.gain
    curve = profile.curve if request.curve is None else Curve(paired(request.curve))
    if request.dial == "perceptual" and curve is None:
        raise Uncalibrated(profile.name)
    return gain, curve


def plan_request(request: EditRequest, profile: Profile) -> Plan:
    """The plan of a request on a model; the model's own step count where none was asked."""
    full_steps = request.full_steps
    if request.steps is None and full_steps is None:
        full_steps = profile.default_steps
    gain, curve = calibration_of(request, profile)
    return plan_edit(
        request.effective_strength,
        profile.schedule,
        dial=request.dial,
        gain=gain,
        curve=curve,
        steps=request.steps,
        full_steps=full_steps,
        spacing=request.spacing,
    )


def evaluations_of(request: EditRequest, profile: Profile, plan: Plan) -> int:
    """Network calls a request takes."""
    if not plan.levels:
        return 0
    if profile.conditioning == "references":
        return pyramid.evaluations(request, plan)
    return get_sampler(request.sampler).evaluations(plan.intervals)


@dataclass(frozen=True, eq=False)
class Outline:
    """What a request comes to, known before any network is loaded.

    profile      of the model it runs on; None where nothing has to run
    evaluations  network calls it takes
    """

    profile: Profile | None
    plan: Plan
    evaluations: int


def outline(request: EditRequest, picture: Picture | None) -> Outline:
    """Choose the model and plan the edit; refuses what can be refused before loading.

    picture  the decoded source; at strength 0 it is the result and no model is chosen
    """
    get_sampler(request.sampler)
    get_spacing(request.spacing)
    if picture is not None and request.effective_strength == 0.0:
        steps = request.full_steps if request.steps is None else None
        return Outline(None, Plan(0.0, request.dial, 0.0, (), 1.0, steps), 0)
    profile = choose_model(request.model, picture, with_references=bool(request.references))
    if profile.conditioning == "references":
        pyramid.check(request)
    plan = plan_request(request, profile)
    return Outline(profile, plan, evaluations_of(request, profile, plan))


class Engine:
    """Runs edits.

    max_rows     rows of a shared network call; bounds memory
    cache_bytes  of prompts, sources and encodings remembered; 0 remembers nothing
    """

    def __init__(self, *, max_rows: int = MAX_ROWS, cache_bytes: int = CACHE_BYTES) -> None:
        self._max_rows = max_rows
        self._families: dict[tuple[Hashable, ...], Family] = {}
        self._cache = Cache(cache_bytes)
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

    def _prepare(self, mode: Mode, index: int, request: EditRequest) -> Task | EditResult:
        """Decode, choose, plan, load, encode: a request as a task.

        At strength 0 the source itself is the result, in its own mode; no model is chosen.
        """
        began = time.perf_counter()
        picture = self._picture(request)
        whole = outline(request, picture)
        profile, plan, total = whole.profile, whole.plan, whole.evaluations
        if profile is None:
            return _untouched(request, picture, plan, mode, began)
        if profile.conditioning == "references":
            return self._prepare_pyramid(mode, index, request, picture, profile, plan, began)
        scale = request.guidance_scale
        guidance = Guidance(
            profile.default_guidance if scale is None else scale, request.guidance_interval
        )
        family = self.family(profile, request.precision)
        place = img2img.canvas(request, profile, picture)
        source = None
        if picture is not None and plan.noise_fraction < 1.0:
            source = self._source(family, picture, place)
        shape = family.latent_shape(*place.padded)
        condition = self._condition(family, request.prompt)
        negative = self._condition(family, request.negative_prompt)
        rows = img2img.begin(request, plan, shape, source, condition, negative, guidance)
        key = (_identity(profile), family.precision, shape, index if mode == "exact" else None)
        job = Job(index, key, family, rows)

        def finish(latents: Array) -> EditResult:
            with self._lock:
                image, drawn = img2img.finish(family, latents, place, plan, picture, source)
            result = _result(image, drawn, request, plan, job, picture, family, mode, began)
            return replace(result, warnings=(*result.warnings, *_enlarged(profile, place)))

        def preview(estimate: Array) -> Image:
            with self._lock:
                return img2img.preview(family, estimate, place)

        return Task(index, request, plan, total, family.precision, job, finish, preview)

    def _prepare_pyramid(
        self,
        mode: Mode,
        index: int,
        request: EditRequest,
        picture: Picture | None,
        profile: Profile,
        plan: Plan,
        began: float,
    ) -> Task:
        """The task of an edit that follows pictures instead of words."""
        family = self.family(profile, request.precision)
        place = pyramid.canvas(request, profile.native_size, picture)
        source: Array | None = None
        if picture is not None and plan.noise_fraction < 1.0:
            source = family.encode(images.to_canvas(picture.rgb, place))
        ladder = pyramid.scales(request, plan, family.schedule, place)
        manner_at = partial(self._manner, request.references)
        for scale in ladder:  # reads the style pictures now: a broken one fails before any step
            manner_at(max(scale.extent))
        rows = pyramid.begin(request, plan, ladder, source, manner_at)
        key = (_identity(profile), family.precision, index if mode == "exact" else None)
        job = Job(index, key, family, rows)

        def finish(latents: Array) -> EditResult:
            with self._lock:
                image = pyramid.finish(request, plan, family, latents, place, picture, source)
            return _result(image, image, request, plan, job, picture, family, mode, began)

        def preview(estimate: Array) -> Image:
            with self._lock:
                return pyramid.preview(family, estimate, place)

        total = evaluations_of(request, profile, plan)
        return Task(index, request, plan, total, family.precision, job, finish, preview)

    def _manner(self, references: tuple[bytes, ...], side: int) -> Manner:
        """The condition of style pictures at a scale, remembered by their bytes."""

        def make() -> Manner:
            found = [images.load(data, "the style picture") for data in references]
            return encode_references(
                [images.to_canvas(each.rgb, pyramid.at_side(each.extent, side)) for each in found]
            )

        return self._cache.get(("manner", references, side), make, lambda _: MANNER_BYTES)

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
        if data is None:
            return None
        digest = hashlib.sha256(data).hexdigest()
        return self._cache.get(digest, lambda: images.load(data), lambda picture: picture.nbytes)

    def _condition(self, family: Family, prompt: str) -> Condition:
        """The encoded prompt, remembered per checkpoint."""
        key = (_identity(family.profile), family.precision, "prompt", prompt)

        def make() -> Condition:
            with self._lock:
                return family.encode_prompt(prompt)

        return self._cache.get(key, make, lambda condition: getattr(condition, "nbytes", 2**16))

    def _source(self, family: Family, picture: Picture, place: Canvas) -> Encoded:
        """The encoded source, remembered by content."""
        key = (_identity(family.profile), family.precision, picture.digest, place)

        def make() -> Encoded:
            with self._lock:
                return img2img.encode(family, picture, place)

        return self._cache.get(key, make, lambda source: source.nbytes)


def _identity(profile: Profile) -> tuple[str, str, str]:
    """What tells one checkpoint from another."""
    return (profile.family, profile.name, str(profile.folder))


def _enlarged(profile: Profile, place: Canvas) -> tuple[str, ...]:
    """A note where the result is much larger than what the model draws."""
    factor = max(place.source) / max(place.fitted)
    if factor < ENLARGED:
        return ()
    side = profile.native_size
    return (f"{profile.name} draws at {side} pixels: this result is enlarged {factor:.0f} times",)


def _result(
    image: Image,
    drawn: Image,
    request: EditRequest,
    plan: Plan,
    job: Job,
    picture: Picture | None,
    family: Family,
    mode: Mode,
    began: float,
) -> EditResult:
    """A finished picture with how it came about; what was kept is read off `drawn`."""
    return EditResult(
        image=image,
        request=request,
        plan=plan,
        evaluations=job.evaluations,
        kept=None if picture is None else kept(picture.rgb, images.rgb_of(drawn)),
        seconds=time.perf_counter() - began,
        model=family.profile.name,
        precision=family.precision,
        mode=mode,
        warnings=(*_warnings(request, picture), *_shallower(picture)),
        carried=images.NOTHING if picture is None else picture.carried,
    )


def _shallower(picture: Picture | None) -> tuple[str, ...]:
    """A note where the source has finer shades than its results."""
    if picture is None or not picture.deep:
        return ()
    return ("the source has more than 8 bits per channel: results above strength 0 have 8",)


def _untouched(
    request: EditRequest, picture: Picture | None, plan: Plan, mode: Mode, began: float
) -> EditResult:
    """The source as the result of strength 0."""
    if picture is None:
        raise AssertionError("without a source strength is 1")
    return EditResult(
        image=picture.image.copy(),  # the cached source is never handed out
        request=request,
        plan=plan,
        evaluations=0,
        kept=kept(picture.rgb, picture.rgb),
        seconds=time.perf_counter() - began,
        model=None,
        precision="none",
        mode=mode,
        warnings=_warnings(request, picture),
        carried=picture.carried,
    )


def _warnings(request: EditRequest, picture: Picture | None) -> tuple[str, ...]:
    """Notes that belong to the result itself, whatever the interface."""
    if picture is None:
        if request.strength is None:
            return ()
        return ("no source: strength has no effect, this is text-to-image",)
    return picture.notes
