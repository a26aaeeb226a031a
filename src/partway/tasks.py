"""Requests as tasks of a run: for each kind of edit one function, all of one shape.

    (order, family, remembered) -> Task

Each encodes what the edit needs, begins its walk, and leaves two functions behind that turn latents
into pictures.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from partway import images
from partway.batcher import Job
from partway.checkpoints.inpainting import Beside
from partway.edits import as_diffusers, img2img, pyramid, upscale
from partway.edits.region import part_on, seen_of
from partway.families import guidance_of, scale_of, settled
from partway.model_cache import identity_of
from partway.outcome import enlarged, finished, unpasted, unread
from partway.outline import calibration_of
from partway.run import Task
from partway.strength import start_noise_fraction

if TYPE_CHECKING:
    from collections.abc import Hashable

    from PIL.Image import Image

    from partway.denoiser import Array, Condition
    from partway.edits.region import Region
    from partway.families import Family, Profile
    from partway.guidance import Guidance
    from partway.images import Picture
    from partway.plan import Plan
    from partway.remembered import Remembered
    from partway.request import EditRequest
    from partway.result import EditResult
    from partway.run import Mode


@dataclass(frozen=True, eq=False)
class Order:
    """A request with all that is known of it before its networks are loaded.

    mode, index  as the run takes it up
    picture      its source, extended where it asks for that
    region       what of it is edited; None is all
    evaluations  network calls it takes
    nameless     whether its model is an engine's own, which no name in a record leads back to
    began        when it was taken up, on time.perf_counter's clock
    """

    mode: Mode
    index: int
    request: EditRequest
    picture: Picture | None
    region: Region | None
    profile: Profile
    plan: Plan
    evaluations: int
    nameless: bool
    began: float

    def key(self, family: Family, *shape: Hashable) -> Hashable:
        """What tells which network calls it may share: in exact mode none."""
        alone = self.index if self.mode == "exact" else None
        return (identity_of(self.profile), family.precision, *shape, alone)

    def dial(self, strength: float) -> float:
        """The noise fraction at which an edit of a strength starts, as the request reads it."""
        gain, curve = calibration_of(self.request, self.profile)
        return start_noise_fraction(strength, self.request.dial, gain, curve)


def task_of(order: Order, family: Family, remembered: Remembered) -> Task:
    """The task of an order, by the kind of its edit."""
    if order.request.scale is not None and order.picture is not None:
        return upscaling(order, family, remembered)
    if order.profile.conditioning == "references":
        return restyling(order, family, remembered)
    return editing(order, family, remembered)


def editing(order: Order, family: Family, remembered: Remembered) -> Task:
    """An edit that follows words, or text-to-image; also where it follows diffusers exactly."""
    request, named = _named(order)
    profile, plan, picture = order.profile, order.plan, order.picture
    condition, negative, guidance = _words(family, request, remembered)
    source, part = None, None
    if request.dialect is not None:
        place = as_diffusers.canvas(request, profile, picture and picture.extent)
        with remembered.lock:
            rows = as_diffusers.begin(named, family, place, picture, condition, negative, guidance)
    else:
        picture, seen = seen_of(request, picture, order.region)
        place = img2img.canvas(request, profile, seen)
        if seen is not None and (order.region is not None or plan.noise_fraction < 1.0):
            source = remembered.source(family, seen, place)
        shape = family.latent_shape(*place.padded)
        if order.region is not None and seen is not None:
            part = part_on(order.region, seen, place, shape, plan, order.dial)
            if profile.inpaints:
                beside = remembered.beside(family, part, place)
                condition, negative = Beside(condition, beside), Beside(negative, beside)
        rows = img2img.begin(named, plan, shape, source, condition, negative, guidance, part)
    key = order.key(family, family.latent_shape(*place.padded))
    job = Job(order.index, key, family, rows)

    def finish(latents: Array) -> EditResult:
        with remembered.lock:
            image, drawn = img2img.finish(family, latents, place, plan, picture, source, part)
            notes = (*enlarged(profile, place), *unread(family, request), *unpasted(request))
        result = finished(
            image, drawn, request, plan, job, picture, family, order.mode, order.began
        )
        return replace(result, warnings=(*result.warnings, *notes))

    def preview(estimate: Array) -> Image:
        with remembered.lock:
            return img2img.preview(family, estimate, place, plan, source, part)

    return _task(order, request, family, job, finish, preview)


def restyling(order: Order, family: Family, remembered: Remembered) -> Task:
    """An edit that follows style pictures instead of words."""
    request, plan = order.request, order.plan
    picture, seen = seen_of(request, order.picture, order.region)
    place = pyramid.canvas(request, order.profile.native_size, seen)
    source: Array | None = None
    if seen is not None and (order.region is not None or plan.noise_fraction < 1.0):
        source = family.encode(images.to_canvas(seen.rgb, place))
    part = None
    if order.region is not None and seen is not None:
        shape = family.latent_shape(*place.padded)
        part = part_on(order.region, seen, place, shape, plan, order.dial)
    ladder = pyramid.scales(request, plan, family.schedule, place)
    manner_at = partial(remembered.manner, request.references)
    for scale in ladder:  # reads the style pictures now: a broken one fails before any step
        manner_at(max(scale.extent))
    rows = pyramid.begin(request, plan, ladder, source, manner_at, part)
    job = Job(order.index, order.key(family), family, rows)

    def finish(latents: Array) -> EditResult:
        with remembered.lock:
            image = pyramid.finish(request, plan, family, latents, place, picture, source, part)
        return finished(image, image, request, plan, job, picture, family, order.mode, order.began)

    def preview(estimate: Array) -> Image:
        with remembered.lock:
            return pyramid.preview(family, estimate, place)

    return _task(order, request, family, job, finish, preview)


def upscaling(order: Order, family: Family, remembered: Remembered) -> Task:
    """An upscale; windows of the enlarged source are made where they are needed."""
    request, named = _named(order)
    plan, picture, scale = order.plan, order.picture, request.scale
    if picture is None or scale is None:
        raise AssertionError("a request with a scale has a source")
    large = images.enlarge(picture, upscale.extent_of(picture.extent, scale))
    ground = upscale.ground_of(request, family, large.extent)
    source = None
    if plan.noise_fraction < 1.0:
        source = remembered.latents(family, large, ground)
    condition, negative, guidance = _words(family, request, remembered)
    latest = upscale.Latest(np.zeros(ground.shape, np.float32) if source is None else source)
    rows = upscale.begin(named, plan, scale, ground, source, condition, negative, guidance, latest)
    job = Job(order.index, order.key(family, ground.shape), family, rows)

    def finish(latents: Array) -> EditResult:
        latest.latents = latents
        with remembered.lock:
            image, drawn, own = upscale.finish(plan, scale, family, ground, latents, large, source)
            notes = unread(family, request)
        scored = replace(picture, rgb=own)
        result = finished(image, drawn, request, plan, job, scored, family, order.mode, order.began)
        return replace(result, warnings=(*result.warnings, *notes))

    def preview(estimate: Array) -> Image:
        del estimate  # of one tile
        with remembered.lock:
            return upscale.preview(family, ground, latest.latents, large.extent)

    return _task(order, request, family, job, finish, preview)


def _task(
    order: Order,
    request: EditRequest,
    family: Family,
    job: Job,
    finish: Callable[[Array], EditResult],
    preview: Callable[[Array], Image],
) -> Task:
    """A task under the request that its record will have."""
    return Task(
        order.index, request, order.plan, order.evaluations, family.precision, job, finish, preview
    )


def _named(order: Order) -> tuple[EditRequest, EditRequest]:
    """The request for its record, and with the sampler that acts."""
    named = settled(order.request, order.profile)
    if order.nameless:  # no name leads a record back to its defaults
        named = named.with_(guidance_scale=scale_of(order.request, order.profile))
        return named, named
    return order.request, named


def _words(
    family: Family, request: EditRequest, remembered: Remembered
) -> tuple[Condition, Condition, Guidance]:
    """Both encoded prompts and the guidance between them; no negative one where none acts."""
    told, guidance = guidance_of(request, family.profile)
    condition = remembered.condition(family, request.prompt)
    if told is not None:
        condition = condition.told(told)
    if guidance.scale == 1.0:
        return condition, condition, guidance
    negative = remembered.condition(family, request.negative_prompt)
    return condition, negative if told is None else negative.told(told), guidance
