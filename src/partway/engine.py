"""The one door to the pixels: requests in, events and results out.

An engine keeps checkpoints loaded, remembers prompts and sources it has encoded, and runs any
number of requests together. Two modes:

    exact    only one request's rows in a network call; the same request gives the same bits
    shared   rows of several requests in one call; faster, and equal within rounding
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import numpy as np

from partway import images
from partway.batcher import MAX_ROWS, Batcher, Job
from partway.cache import Cache
from partway.checkpoints.inpainting import Beside
from partway.choosing import wrapped
from partway.denoiser import Condition
from partway.edits import as_diffusers, img2img, pyramid, upscale
from partway.edits.img2img import Encoded
from partway.edits.outpaint import extended
from partway.edits.region import Part, Region, hidden_on, part_on, region_of, seen_of
from partway.errors import Cancelled, PartwayError
from partway.events import Done, Event, Failed, WasCancelled
from partway.families import Family, Profile, guidance_of, load_family, scale_of, settled
from partway.families.exemplar import Manner, encode_references
from partway.geometry import Canvas, Extent
from partway.guidance import Guidance
from partway.images import Picture
from partway.model_cache import ModelCache, identity_of
from partway.outcome import enlarged, finished, unpasted, unread, untouched
from partway.outline import calibration_of, evaluations_of, outline
from partway.plan import Plan
from partway.request import EditRequest
from partway.result import EditResult
from partway.run import Mode, Run, Task
from partway.strength import start_noise_fraction

if TYPE_CHECKING:
    from PIL.Image import Image

    from partway.denoiser import Array

Listener: TypeAlias = Callable[[Event], None]

CACHE_BYTES = 512 * 2**20  # prompts, sources and their encodings remembered
MANNER_BYTES = 50 * 2**20  # about what the patches of a style picture take at one scale


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
        self._cache = Cache(cache_bytes)
        self._lock = threading.Lock()
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
        digest = hashlib.sha256(data).hexdigest()
        return self._cache.get(
            digest, lambda: images.load(data, name), lambda picture: picture.nbytes
        )

    def _extended(self, request: EditRequest, picture: Picture) -> Picture:
        """A source with what the request adds around it; a sweep's requests share it."""
        key = (picture.digest, request.extend)
        return self._cache.get(key, lambda: extended(request, picture), lambda each: each.nbytes)

    def _prepare(self, mode: Mode, index: int, request: EditRequest) -> Task | EditResult:
        """Decode, choose, plan, load, encode: a request as a task.

        At strength 0 the source itself is the result, in its own mode, or what continues it where
        it is extended; no model is chosen.
        """
        began = time.perf_counter()
        picture = None if request.source is None else self.decoded(request.source)
        whole = outline(request, picture, self._own)
        picture = None if picture is None else self._extended(request, picture)
        region = None if picture is None else region_of(request, picture)
        profile, plan, total = whole.profile, whole.plan, whole.evaluations
        if picture is not None and request.scale is not None:
            return self._prepare_upscale(
                mode, index, request, request.scale, picture, profile, plan, began
            )
        if profile is None:
            return untouched(request, picture, plan, mode, began)
        if profile.conditioning == "references":
            return self._prepare_pyramid(
                mode, index, request, picture, region, profile, plan, began
            )
        family = self.family(profile, request.precision)
        request, named = self._named(request, profile)
        condition, negative, guidance = self._words(family, request, profile)
        source, part = None, None
        if request.dialect is not None:
            place = as_diffusers.canvas(request, profile, picture and picture.extent)
            with self._lock:
                rows = as_diffusers.begin(
                    named, family, place, picture, condition, negative, guidance
                )
        else:
            picture, seen = seen_of(request, picture, region)
            place = img2img.canvas(request, profile, seen)
            if seen is not None and (region is not None or plan.noise_fraction < 1.0):
                source = self._source(family, seen, place)
            shape = family.latent_shape(*place.padded)
            if region is not None and seen is not None:
                part = part_on(region, seen, place, shape, plan, _dial(request, profile))
                if profile.inpaints:
                    beside = self._beside(family, part, place)
                    condition, negative = Beside(condition, beside), Beside(negative, beside)
            rows = img2img.begin(named, plan, shape, source, condition, negative, guidance, part)
        shape = family.latent_shape(*place.padded)
        key = (identity_of(profile), family.precision, shape, index if mode == "exact" else None)
        job = Job(index, key, family, rows)

        def finish(latents: Array) -> EditResult:
            with self._lock:
                image, drawn = img2img.finish(family, latents, place, plan, picture, source, part)
                notes = (*enlarged(profile, place), *unread(family, request), *unpasted(request))
            result = finished(image, drawn, request, plan, job, picture, family, mode, began)
            return replace(result, warnings=(*result.warnings, *notes))

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
        region: Region | None,
        profile: Profile,
        plan: Plan,
        began: float,
    ) -> Task:
        """The task of an edit that follows pictures instead of words."""
        family = self.family(profile, request.precision)
        picture, seen = seen_of(request, picture, region)
        place = pyramid.canvas(request, profile.native_size, seen)
        source: Array | None = None
        if seen is not None and (region is not None or plan.noise_fraction < 1.0):
            source = family.encode(images.to_canvas(seen.rgb, place))
        part = None
        if region is not None and seen is not None:
            shape = family.latent_shape(*place.padded)
            part = part_on(region, seen, place, shape, plan, _dial(request, profile))
        ladder = pyramid.scales(request, plan, family.schedule, place)
        manner_at = partial(self._manner, request.references)
        for scale in ladder:  # reads the style pictures now: a broken one fails before any step
            manner_at(max(scale.extent))
        rows = pyramid.begin(request, plan, ladder, source, manner_at, part)
        key = (identity_of(profile), family.precision, index if mode == "exact" else None)
        job = Job(index, key, family, rows)

        def finish(latents: Array) -> EditResult:
            with self._lock:
                image = pyramid.finish(request, plan, family, latents, place, picture, source, part)
            return finished(image, image, request, plan, job, picture, family, mode, began)

        def preview(estimate: Array) -> Image:
            with self._lock:
                return pyramid.preview(family, estimate, place)

        total = evaluations_of(request, profile, plan)
        return Task(index, request, plan, total, family.precision, job, finish, preview)

    def _prepare_upscale(
        self,
        mode: Mode,
        index: int,
        request: EditRequest,
        scale: float,
        picture: Picture,
        profile: Profile | None,
        plan: Plan,
        began: float,
    ) -> Task | EditResult:
        """The task of an upscale; its result, the enlarged source, at strength 0."""
        picture = self._enlarged(picture, upscale.extent_of(picture.extent, scale))
        if profile is None:
            return untouched(request, picture, plan, mode, began)
        family = self.family(profile, request.precision)
        ground = upscale.ground_of(request, family, picture.extent)
        source = None
        if plan.noise_fraction < 1.0:
            source = self._latents(family, picture, ground)
        request, named = self._named(request, profile)
        condition, negative, guidance = self._words(family, request, profile)
        latest = upscale.Latest(np.zeros(ground.shape, np.float32) if source is None else source)
        rows = upscale.begin(
            named, plan, scale, ground, source, condition, negative, guidance, latest
        )
        key = (identity_of(profile), family.precision, ground.shape)
        key = (*key, index if mode == "exact" else None)
        job = Job(index, key, family, rows)

        def finish(latents: Array) -> EditResult:
            latest.latents = latents
            with self._lock:
                image, drawn, own = upscale.finish(
                    plan, scale, family, ground, latents, picture, source
                )
                notes = unread(family, request)
            scored = replace(picture, rgb=own)
            result = finished(image, drawn, request, plan, job, scored, family, mode, began)
            return replace(result, warnings=(*result.warnings, *notes))

        def preview(estimate: Array) -> Image:
            del estimate  # of one tile
            with self._lock:
                return upscale.preview(family, ground, latest.latents, picture.extent)

        total = upscale.evaluations(request, profile, plan, picture.extent)
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
        """The loaded networks of a checkpoint; loads them where they are not in memory."""
        with self._lock:
            return self._models.get(profile, precision, lambda: load_family(profile, precision))

    def _words(
        self, family: Family, request: EditRequest, profile: Profile
    ) -> tuple[Condition, Condition, Guidance]:
        """Both encoded prompts and the guidance between them; no negative one where none acts."""
        told, guidance = guidance_of(request, profile)
        condition = self._condition(family, request.prompt)
        if told is not None:
            condition = condition.told(told)
        if guidance.scale == 1.0:
            return condition, condition, guidance
        return condition, self._condition(family, request.negative_prompt), guidance

    def _named(self, request: EditRequest, profile: Profile) -> tuple[EditRequest, EditRequest]:
        """The request for its record, and with the sampler that acts."""
        named = settled(request, profile)
        if profile is self._own:  # no name leads a record back to its defaults
            named = named.with_(guidance_scale=scale_of(request, profile))
            return named, named
        return request, named

    def _condition(self, family: Family, prompt: str) -> Condition:
        """The encoded prompt, remembered per checkpoint."""
        key = (identity_of(family.profile), family.precision, "prompt", prompt)

        def make() -> Condition:
            with self._lock:
                return family.encode_prompt(prompt)

        return self._cache.get(key, make, lambda condition: getattr(condition, "nbytes", 2**16))

    def _enlarged(self, picture: Picture, extent: Extent) -> Picture:
        """A source enlarged, remembered by content."""
        key = ("enlarged", picture.digest, extent)
        return self._cache.get(key, lambda: images.enlarge(picture, extent), lambda p: p.nbytes)

    def _latents(self, family: Family, picture: Picture, ground: upscale.Ground) -> Array:
        """The latents of an enlarged source, remembered by content."""
        key = (identity_of(family.profile), family.precision, picture.digest, ground.latents)

        def make() -> Array:
            with self._lock:
                return upscale.encode(family, picture, ground)

        return self._cache.get(key, make, lambda latents: latents.nbytes)

    def _source(self, family: Family, picture: Picture, place: Canvas) -> Encoded:
        """The encoded source, remembered by content."""
        key = (identity_of(family.profile), family.precision, picture.digest, place)

        def make() -> Encoded:
            with self._lock:
                return img2img.encode(family, picture, place)

        return self._cache.get(key, make, lambda source: source.nbytes)

    def _beside(self, family: Family, part: Part, place: Canvas) -> Array:
        """What an inpainting checkpoint is shown of a part's surroundings, remembered by both."""
        hidden = hidden_on(part.region, place)
        region = hashlib.sha256(hidden.tobytes()).hexdigest()
        key = (identity_of(family.profile), family.precision, part.seen.digest, place, region)

        def make() -> Array:
            with self._lock:
                return img2img.beside(family, part, hidden, place)

        return self._cache.get(key, make, lambda beside: beside.nbytes)


def _dial(request: EditRequest, profile: Profile) -> Callable[[float], float]:
    """Where an edit of a strength starts, as the request reads its dial on a model."""
    gain, curve = calibration_of(request, profile)
    return lambda strength: start_noise_fraction(strength, request.dial, gain, curve)
