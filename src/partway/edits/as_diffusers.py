"""An edit as diffusers' own image-to-image or inpainting pipeline makes it, to fp32's last digit.

For who compares, or comes from there: the same checkpoint, scheduler, strength, steps, guidance and
seed give the same picture. So here strength is that pipeline's, rounding included; the canvas is
the source's own size, cut to the stride; noise comes from torch's generator, first for a sample of
the autoencoder's posterior, then for the start; the walk may end above no noise; and nothing that
the autoencoder lost comes back.

With a mask it is the inpainting pipeline's: at strength 1 from pure noise; a flow or a network of 4
channels is shown the source outside the mask, noised anew by the first noise at every level, one of
9 sees the rest of the picture beside x. Nothing is pasted back over the result.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np
from PIL import Image

from partway import images
from partway.checkpoints.draws import Draws
from partway.checkpoints.inpainting import Beside
from partway.denoiser import Array, Rows, Solver, guide
from partway.dialects.flow_walks import FLOWS, Flow, flow_walk
from partway.dialects.walks import Walk, walk
from partway.edits.region import HALF, selected
from partway.errors import InvalidRequest
from partway.geometry import Canvas, Extent
from partway.plan import Plan
from partway.samplers import get_sampler

if TYPE_CHECKING:
    from partway.denoiser import Condition
    from partway.families import Family, Profile
    from partway.guidance import Guidance
    from partway.images import Picture
    from partway.request import EditRequest


class Encoder(Protocol):
    """What a family of torch checkpoints can do beside."""

    @property
    def origin(self) -> Array:
        """(C, 1, 1) or one number: latents of the autoencoder's own zero; of flows."""
        ...

    def encode(self, image: Array, draw: Callable[[], Array] | None = None) -> Array:
        """Latents, with a draw a sample of the posterior."""
        ...

    def beside(
        self, image: Array, hidden: Any, mask: Array, draw: Callable[[], Array] | None = None
    ) -> Array:
        """What an inpainting network is shown beside x."""
        ...


def walk_of(request: EditRequest, profile: Profile, size: Extent | None = None) -> Walk:
    """The levels of diffusers' pipeline for a request that names its sampler.

    size  of the canvas, on which a flow's shift may depend; None is the model's native one
    InvalidRequest where that pipeline would fail, or is not followed.
    """
    checkpoint = profile.checkpoint
    if checkpoint is None:
        raise InvalidRequest(f"{profile.name} is no checkpoint that diffusers runs; leave --as out")
    if checkpoint.configs.get("unet", {}).get("time_cond_proj_dim") is not None:
        raise InvalidRequest(
            f"{profile.name} has guidance built in, which diffusers sets by --cfg-scale: not "
            "followed; leave --as out"
        )
    for_masks = profile.inpaints or (
        profile.schedule.path == "vp" and checkpoint.pipeline.endswith("InpaintPipeline")
    )
    if for_masks and request.mask is None:
        raise InvalidRequest(
            f"{profile.name} is for inpainting: diffusers runs it with a mask only; add --mask, "
            "or leave --as out"
        )
    steps = profile.default_steps if request.steps is None else request.steps
    config = checkpoint.configs["scheduler"]
    sampler, strength = str(request.sampler), request.effective_strength
    if profile.schedule.path == "flow":
        side = profile.native_size
        width, height = (length // profile.stride for length in size or (side, side))
        return flow_walk(config, profile.family, sampler, strength, steps, width * height)
    return walk(config, profile.schedule.table, sampler, strength, steps)


def flow_of(profile: Profile) -> Flow | None:
    """What diffusers' pipelines of a flow have of their own; None for other models."""
    return FLOWS[profile.family] if profile.schedule.path == "flow" else None


def plan(request: EditRequest, profile: Profile, extent: Extent | None) -> Plan:
    """The plan of its walk; from pure noise without a source, and masked at strength 1.

    extent  the source's size where it is known, else the native one is taken
    """
    size = None
    if extent is not None or request.source is None:
        size = canvas(request, profile, extent).padded
    levels = walk_of(request, profile, size).levels
    steps = profile.default_steps if request.steps is None else request.steps
    start, kappa = (1.0, 0.0) if _is_pure(request) else (levels[0].noise_fraction, 1.0)
    return Plan(request.effective_strength, str(request.dialect), start, levels, kappa, steps)


def canvas(request: EditRequest, profile: Profile, extent: Extent | None) -> Canvas:
    """The source's own size, each side cut to a multiple of the stride."""
    side = profile.native_size
    own = Extent(*(request.size or (side, side))) if extent is None else extent
    stride = profile.stride
    cut = Extent(*(length - length % stride for length in own))
    if min(cut) < stride:
        raise InvalidRequest(f"size is {own}: diffusers needs at least {stride} pixels a side")
    return Canvas(own, cut, cut)


def _is_pure(request: EditRequest) -> bool:
    """Whether nothing of a source is in the start."""
    return request.source is None or (
        request.mask is not None and request.effective_strength == 1.0
    )


def begin(
    request: EditRequest,
    family: Family,
    place: Canvas,
    picture: Picture | None,
    condition: Condition,
    negative: Condition,
    guidance: Guidance,
) -> Rows:
    """The sampler's walk as a coroutine of network rows, its noise drawn in diffusers' order."""
    found = walk_of(request, family.profile, place.padded)
    start = found.levels[0]
    shape = family.latent_shape(*place.padded)
    draws = Draws(request.seed, shape)
    encoder = cast("Encoder", family)
    chosen = None if picture is None else selected(request, picture)
    inpaints = family.profile.inpaints
    image, latents = None, None
    if picture is not None:
        image = images.to_canvas(picture.rgb, place)
    if image is not None and not (inpaints and _is_pure(request)):
        latents = encoder.encode(image, draws)
    noise = draws()
    if latents is None or _is_pure(request):
        x = found.pure * noise
    else:
        x = start.alpha * latents + start.sigma * noise
    solver = get_sampler(request.sampler)
    walking = solver.solve(x.astype(np.float32), found.levels, draws)
    if image is not None and chosen is not None:
        hidden = _on_canvas(chosen, place)
        mask = _on_latents(hidden, shape)
        flow = flow_of(family.profile)
        if flow is not None:
            walking = _renoised(walking, cast("Array", latents), noise, mask)
            if flow.masked_unshifted:
                walking = _moved(walking, encoder.origin)
            return guide(walking, condition, negative, guidance)
        beside = encoder.beside(image, hidden, mask, draws)  # also where only its draw is used
        if inpaints:
            condition, negative = Beside(condition, beside), Beside(negative, beside)
        elif latents is not None:
            walking = _renoised(walking, latents, noise, mask)
    return guide(walking, condition, negative, guidance)


def _on_canvas(chosen: Array, place: Canvas) -> Any:
    """(H, W) whether a pixel of the canvas is masked: scaled, then halved into black and white."""
    plane = Image.fromarray(np.rint(chosen * 255.0).astype(np.uint8))
    if plane.size != place.padded:
        plane = plane.resize(place.padded, Image.Resampling.LANCZOS)
    return np.asarray(plane, np.float32) / 255.0 >= HALF


def _on_latents(hidden: Any, shape: tuple[int, int, int]) -> Array:
    """(1, h, w) of 0 and 1: each position takes the pixel at its corner (nearest)."""
    rows, columns = (hidden.shape[i] // shape[i + 1] for i in (0, 1))
    return hidden[None, ::rows, ::columns].astype(np.float32)


def _renoised(solver: Solver, source: Array, noise: Array, mask: Array) -> Solver:
    """Outside a mask (1, h, w) the network sees the source under one and the same noise.

    Solvers work position by position: what one holds outside the mask does not matter inside.
    """
    try:
        query = next(solver)
        seen = query.x  # the start is noised already
        while True:
            x0 = yield query._replace(x=seen)
            query = solver.send(x0)
            level = query.level
            seen = mask * query.x + (1.0 - mask) * (level.alpha * source + level.sigma * noise)
    except StopIteration as done:
        return mask * done.value + (1.0 - mask) * source
    finally:
        solver.close()


def _moved(solver: Solver, way: Array) -> Solver:
    """The same walk, its end moved."""
    return (yield from solver) + way
