"""An edit as diffusers' own image-to-image pipeline makes it, to the last digit of fp32.

For who compares, or comes from there: the same checkpoint, scheduler, strength, steps, guidance and
seed give the same picture. So here strength is that pipeline's, rounding included; the canvas is
the source's own size, cut to the stride; noise comes from torch's generator, first for a sample of
the autoencoder's posterior, then for the start; the walk may end above no noise; and nothing that
the autoencoder lost comes back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np

from partway import images
from partway.checkpoints.draws import Draws
from partway.denoiser import Array, Rows, guide
from partway.dialects.walks import Walk, walk
from partway.errors import InvalidRequest
from partway.geometry import Canvas, Extent
from partway.guidance import Guidance
from partway.plan import Plan
from partway.samplers import get_sampler

if TYPE_CHECKING:
    from partway.denoiser import Condition
    from partway.families import Family, Profile
    from partway.images import Picture
    from partway.request import EditRequest


class Encoder(Protocol):
    """What a family of torch checkpoints can do beside."""

    def encode(self, image: Array, draw: Callable[[], Array] | None = None) -> Array:
        """Latents, with a draw a sample of the posterior."""
        ...


def walk_of(request: EditRequest, profile: Profile) -> Walk:
    """The levels of diffusers' pipeline for a request that names its sampler.

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
    if checkpoint.pipeline.endswith("InpaintPipeline"):
        raise InvalidRequest(
            f"{profile.name} is for inpainting: diffusers runs it with a mask only; leave --as out"
        )
    steps = profile.default_steps if request.steps is None else request.steps
    config = checkpoint.configs["scheduler"]
    table, strength = profile.schedule.table, request.effective_strength
    return walk(config, table, str(request.sampler), strength, steps)


def plan(request: EditRequest, profile: Profile) -> Plan:
    """The plan of its walk; without a source it starts from pure noise."""
    levels = walk_of(request, profile).levels
    steps = profile.default_steps if request.steps is None else request.steps
    start, kappa = (1.0, 0.0) if request.source is None else (levels[0].noise_fraction, 1.0)
    return Plan(request.effective_strength, str(request.dialect), start, levels, kappa, steps)


def canvas(request: EditRequest, profile: Profile, picture: Picture | None) -> Canvas:
    """The source's own size, each side cut to a multiple of the stride."""
    side = profile.native_size
    own = picture.extent if picture is not None else Extent(*(request.size or (side, side)))
    stride = profile.stride
    cut = Extent(*(length - length % stride for length in own))
    if min(cut) < stride:
        raise InvalidRequest(f"size is {own}: diffusers needs at least {stride} pixels a side")
    return Canvas(own, cut, cut)


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
    found = walk_of(request, family.profile)
    start = found.levels[0]
    draws = Draws(request.seed, family.latent_shape(*place.padded))
    if picture is None:
        x = found.pure * draws()
    else:
        encoder = cast("Encoder", family)
        latents = encoder.encode(images.to_canvas(picture.rgb, place), draws)
        x = start.alpha * latents + start.sigma * draws()
    solver = get_sampler(request.sampler).solve(x.astype(np.float32), found.levels, draws)
    above_one = Guidance(max(guidance.scale, 1.0))  # at and below 1 it is off there
    return guide(solver, condition, negative, above_one)
