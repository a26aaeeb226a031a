"""Image-to-image and text-to-image: the same walk, from a noised source or from noise alone.

source ─scale─► canvas ─encode─► latents ─noise─► x ─sampler─► latents ─decode─► picture
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from partway import images, surfaces
from partway.denoiser import Array, Rows, guide
from partway.edits.region import hidden_on
from partway.errors import NonFinite
from partway.geometry import Canvas, Extent, canvas_for
from partway.ground import Ground, plain_ground
from partway.guidance import Guidance
from partway.noise import Noise
from partway.residual import restore
from partway.samplers import get_sampler
from partway.strength_map import asks_again, keep_source

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    from partway.denoiser import Condition
    from partway.edits.region import Part
    from partway.families import Family, Profile
    from partway.images import Picture
    from partway.plan import Plan
    from partway.request import EditRequest


@dataclass(frozen=True, eq=False)
class Encoded:
    """A source as a model sees it.

    latents     (C, h, w)
    round_trip  (H, W, 3) float32 in 0 … 255: the source encoded, decoded and scaled back
    canvas      (3, H, W) in [-1, 1], the source as it was encoded; None where nobody asks for it
    ground      of that; None where it has none, or the model leaves no stains
    """

    latents: Array
    round_trip: Array
    canvas: Array | None = None
    ground: Ground | None = None

    @property
    def nbytes(self) -> int:
        """Memory it takes."""
        ground = None if self.ground is None else self.ground.where
        arrays = (self.latents, self.round_trip, self.canvas, ground)
        return sum(each.nbytes for each in arrays if each is not None)


def canvas(request: EditRequest, profile: Profile, picture: Picture | None) -> Canvas:
    """Where the edit takes place; without a source on the asked or the native size."""
    if picture is not None:
        extent = picture.extent
    else:
        extent = Extent(*(request.size or (profile.native_size, profile.native_size)))
    return canvas_for(extent, profile.native_size, profile.stride, request.working_multiple)


def encode(family: Family, picture: Picture, place: Canvas) -> Encoded:
    """Encode a source once; edits of any strength share it."""
    profile, shown = family.profile, images.to_canvas(picture.rgb, place)
    latents = family.encode(shown)
    check_finite(latents, "encoding the source")
    decoded = family.decode(latents)
    check_finite(decoded, "decoding the source")
    return Encoded(
        latents,
        images.from_canvas(decoded, place),
        shown if profile.even_surfaces > 0.0 else None,
        plain_ground(shown) if profile.plain_ground > 0.0 else None,
    )


def beside(family: Family, part: Part, hidden: NDArray[np.bool_], place: Canvas) -> Array:
    """What an inpainting checkpoint is shown beside x: the picture round a part, and where it is.

    hidden  (H, W) on the canvas, where the part is
    """
    mask = (part.noise_fractions > 0.0).astype(np.float32)
    found = cast("Any", family).beside(images.to_canvas(part.seen.rgb, place), hidden, mask)
    check_finite(found, "encoding what surrounds the mask")
    return found


def begin(
    request: EditRequest,
    plan: Plan,
    shape: tuple[int, int, int],
    source: Encoded | None,
    condition: Condition,
    negative: Condition,
    guidance: Guidance,
    part: Part | None = None,
) -> Rows:
    """The sampler's walk as a coroutine of network rows.

    At the start x = kappa * alpha * source + sigma * eps; where kappa * alpha is 0 no source is
    needed, and a request with one gives the same x as a request without. With a part, kappa is
    each position's own, and positions let go of the source at their own levels.
    """
    noise = Noise(request.seed, shape)
    start = plan.levels[0]
    x = start.sigma * noise()
    sampler = get_sampler(request.sampler)
    if part is not None and part.region.shades and sampler.shaded is not None:
        sampler = get_sampler(sampler.shaded)
    if source is not None and part is not None:
        x = part.kappa * start.alpha * part.begins(request, source.latents) + x
    elif source is not None and plan.kappa * start.alpha > 0.0:
        x = plan.kappa * start.alpha * source.latents + x
    solver = sampler.solve(x.astype(np.float32), plan.levels, noise)
    if source is not None and part is not None:
        again = asks_again(plan.levels, part.lowest)
        solver = keep_source(solver, source.latents, part.noise_fractions, again=again)
    return guide(solver, condition, negative, guidance)


def finish(
    family: Family,
    latents: Array,
    place: Canvas,
    plan: Plan,
    picture: Picture | None,
    source: Encoded | None,
    part: Part | None = None,
) -> tuple[Image, Image]:
    """Decode final latents to a picture of the source's size, with its alpha.

    Returns it, and what the model itself drew: the same without the residual, to be scored.
    """
    check_finite(latents, "sampling")
    values = draw(family, latents, place, plan, source, part)
    share, grain = 1.0 - plan.noise_fraction, family.profile.own_grain
    if picture is not None and source is not None and part is not None:
        drawn = part.composed(values, picture, 0.0)
        rgb = part.seen.rgb.astype(np.float32)
        grain = 0.0 if part.region.added else grain  # what a margin was filled with is no source
        values = restore(values, source.round_trip, rgb, part.pixels, grain=grain)
        return part.composed(values, picture, share), drawn
    drawn = images.compose(values, picture)
    if picture is None or source is None:
        return drawn, drawn
    rgb = picture.rgb.astype(np.float32)
    values = restore(values, source.round_trip, rgb, plan.noise_fraction, grain=grain)
    return images.compose(values, picture, share), drawn


def draw(
    family: Family,
    latents: Array,
    place: Canvas,
    plan: Plan,
    source: Encoded | None,
    part: Part | None,
) -> Array:
    """Latents as a picture, (H, W, 3) in 0 … 255, without faint flaws where the source is even."""
    decoded, profile = family.decode(latents), family.profile
    check_finite(decoded, "decoding")
    canvas, ground = (None, None) if source is None else (source.canvas, source.ground)
    if canvas is not None or ground is not None:
        start = plan.noise_fraction if part is None else part.on_canvas(place)
        if canvas is not None:
            decoded = surfaces.smooth(decoded, canvas, profile.even_surfaces, start)
        if ground is not None:
            if part is not None and part.region.added:
                ground = ground.beside(hidden_on(part.region, place))
            decoded = ground.settle(decoded, profile.plain_ground, start)
    return images.from_canvas(decoded, place)


def preview(
    family: Family,
    estimate: Array,
    place: Canvas,
    plan: Plan,
    source: Encoded | None,
    part: Part | None = None,
) -> Image:
    """A clean estimate as a picture, without alpha and residual."""
    return images.compose(draw(family, estimate, place, plan, source, part), None)


def check_finite(values: Array, during: str) -> None:
    """NonFinite where an array holds NaN or infinity."""
    if not np.isfinite(values).all():
        raise NonFinite(f"NaN or infinity after {during}")
