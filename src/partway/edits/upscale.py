"""Upscaling: the source enlarged, then edited in tiles that are denoised together.

source ─Lanczos─► enlarged ─encode─► latents ─noise─► x ─sampler─► latents ─decode─► picture
                              tiles                 ▲   │                     tiles
                                                    └───┘ each step: x0 of every tile, blended

The sampler walks one picture: at every step all tiles are asked, their answers are blended on the
whole latent grid (Bar-Tal et al. 2023), and the step is taken there. Noise is drawn for the whole
grid. Pixels, the enlarged source's too, come and go in tiles and bands of rows: what grows with the
result is its latents and itself.

An enlarged picture says everything up to the source's finest detail and nothing beyond. What the
source can say, its low band, is held to it, in every clean estimate and in the result,

    x0     += hold * low(source - x0)           on latents
    result += hold * low(enlarged - result)     in pixels

so that what the model adds lies above it: docs/decisions/0015.
"""

from __future__ import annotations

import ctypes
import math
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from partway import images
from partway.denoiser import Array, Rows, Solver, estimates_of
from partway.edits.img2img import check_finite
from partway.errors import InvalidRequest
from partway.geometry import Extent
from partway.low_band import low_band, reach_of
from partway.noise import Noise
from partway.residual import FALL, radius_of, restore
from partway.samplers import get_sampler
from partway.tiles import Place, Streamed, Tiling, bands, tiling_of

if TYPE_CHECKING:
    from partway.denoiser import Condition
    from partway.families import Family, Profile
    from partway.guidance import Guidance
    from partway.images import Enlarged, Picture, Pixels
    from partway.plan import Plan
    from partway.request import EditRequest

TILES = 8  # of a network call: fixed, since the same request gives the same bits
BAND, PIECE = 64, 1024  # rows and columns that are composed at a time: what overlaps is made twice
SCORED = 512  # long side at which what was kept is scored; it is judged at 128


@dataclass(eq=False)
class Latest:
    """The latest clean estimate of the whole picture, for previews."""

    latents: Array


def extent_of(source: Extent, scale: float) -> Extent:
    """The size of a result; InvalidRequest where it is larger than any picture that is read."""
    result = Extent(*(max(round(length * scale), 1) for length in source))
    area = result.width * result.height
    if area <= images.MAX_PIXELS and max(result) <= images.MAX_SIDE:
        return result
    most = min(
        math.sqrt(images.MAX_PIXELS / (source.width * source.height)),
        images.MAX_SIDE / max(source),
    )
    most = math.floor(100.0 * most) / 100.0
    advice = f"try -x {most:g}" if most > 1.0 else "the source is as large as results may be"
    raise InvalidRequest(
        f"{source} times {scale:g} is {result}, {area / 1e6:.0f} megapixels; allowed are "
        f"{images.MAX_PIXELS / 1e6:.0f} and {images.MAX_SIDE} pixels a side: {advice}"
    )


def tiling(request: EditRequest, profile: Profile, extent: Extent) -> Tiling:
    """Tiles of the model's native size times the working multiple, for a result of this size.

    One position is a stride of the network: `times` has it on latents and on pixels.
    """
    side = -(-profile.native_size * request.working_multiple // profile.stride)
    width, height = (-(-length // profile.stride) for length in extent)
    return tiling_of(height, width, side)


def evaluations(request: EditRequest, profile: Profile, plan: Plan, extent: Extent) -> int:
    """Network calls of the whole upscale to this size."""
    calls = -(-len(tiling(request, profile, extent).places) // TILES)
    sampler = get_sampler(request.sampler or profile.default_sampler)
    return calls * sampler.evaluations(plan.intervals)


def held(plan: Plan) -> float:
    """Share of the low band that is held to the source: 1 at strength 0, 0 at strength 1."""
    return 1.0 - plan.noise_fraction**FALL


@dataclass(frozen=True)
class Ground:
    """Tiles of an upscale on a model.

    latents, pixels  the same tiles on both grids; pixels reach beyond the result, to the network's
                     stride
    shape            (C, h, w) of the latents
    """

    latents: Tiling
    pixels: Tiling
    shape: tuple[int, int, int]


def ground_of(request: EditRequest, family: Family, extent: Extent) -> Ground:
    """The tiles of an upscale to this size."""
    stride = family.profile.stride
    tiles = tiling(request, family.profile, extent)
    pixels = tiles.times(stride)
    shape = family.latent_shape(pixels.columns.length, pixels.rows.length)
    return Ground(tiles.times(family.latent_shape(stride, stride)[1]), pixels, shape)


def encode(family: Family, picture: Enlarged, ground: Ground) -> Array:
    """Latents (C, h, w) of an enlarged source, encoded tile by tile."""
    rows = _reflected(picture.extent.height, ground.pixels.rows.length)
    columns = _reflected(picture.extent.width, ground.pixels.columns.length)
    latents = np.zeros(ground.shape, np.float32)
    for place in ground.latents.places:
        down = rows[ground.pixels.rows.span(place.row)]
        across = columns[ground.pixels.columns.span(place.column)]
        top, left = int(down.min()), int(across.min())
        window = picture.window(range(top, int(down.max()) + 1), range(left, int(across.max()) + 1))
        seen = window.rgb[(down - top)[:, None], across - left].transpose(2, 0, 1)
        tile = family.encode(seen.astype(np.float32) / 127.5 - 1.0)
        check_finite(tile, "encoding the source")
        ground.latents.add(latents, place, tile)
    return latents


def _reflected(length: int, total: int) -> NDArray[np.intp]:
    """Indices of a side continued by reflection."""
    return np.pad(np.arange(length), (0, total - length), mode="symmetric")


def begin(
    request: EditRequest,
    plan: Plan,
    scale: float,
    ground: Ground,
    source: Array | None,
    condition: Condition,
    negative: Condition,
    guidance: Guidance,
    latest: Latest,
) -> Rows:
    """The walk of the whole picture as a coroutine of network rows.

    source  latents of the enlarged source, or None where the plan is pure noise
    latest  where each clean estimate is left
    """
    noise = Noise(request.seed, ground.shape)
    start = plan.levels[0]
    x = start.sigma * noise()
    if source is not None:
        x += plan.kappa * start.alpha * source
    solver = get_sampler(request.sampler).solve(np.asarray(x, np.float32), plan.levels, noise)
    if source is not None:
        solver = hold(solver, source, held(plan), scale)
    return guide_tiles(solver, ground.latents, condition, negative, guidance, latest)


def hold(solver: Solver, source: Array, share: float, scale: float) -> Solver:
    """Hold a share of the low band of every clean estimate to the source's latents, in place."""
    try:
        query = next(solver)
        while True:
            x0 = yield query
            for channel, own in enumerate(source):  # one at a time bounds memory
                x0[channel] += share * low_band(own - x0[channel], scale)
            query = solver.send(x0)
    except StopIteration as done:
        return done.value
    finally:
        solver.close()


def guide_tiles(
    solver: Solver,
    tiles: Tiling,
    condition: Condition,
    negative: Condition,
    guidance: Guidance,
    latest: Latest,
) -> Rows:
    """Turn a solver's queries into network calls of at most TILES tiles; blend the answers."""
    try:
        query = next(solver)
        while True:
            x0 = np.zeros_like(query.x)
            for first in range(0, len(tiles.places), TILES):
                places = tiles.places[first : first + TILES]
                cut = [tiles.cut(query.x, place) for place in places]
                answers = yield from estimates_of(cut, query.level, condition, negative, guidance)
                for place, answer in zip(places, answers, strict=True):
                    tiles.add(x0, place, answer)
            latest.latents = x0
            query = solver.send(x0)
    except StopIteration as done:
        return done.value
    finally:
        solver.close()


def finish(
    plan: Plan,
    scale: float,
    family: Family,
    ground: Ground,
    latents: Array,
    picture: Enlarged,
    source: Array | None,
) -> tuple[Image.Image, Image.Image, Pixels]:
    """Decode final latents band by band to a picture under the enlarged source's alpha.

    Returns it; and, reduced, what the model itself drew, which is the same without what the source
    gives back, and the enlarged source, to be scored.
    """
    check_finite(latents, "sampling")
    _give_back()
    width, height = picture.extent
    native = family.profile.native_size  # what the model adds has the same scale at any size
    radius = radius_of(native, native)
    margin = radius + reach_of(scale)
    factor = -(-max(picture.extent) // SCORED)
    result = _Pasted(picture.extent)
    model, own = (_Pasted(Extent(-(-width // factor), -(-height // factor))) for _ in range(2))
    for across, wide in bands(width, PIECE, margin, factor):
        drawn = _decoded(family, ground, latents, wide)
        round_trip = None if source is None else _decoded(family, ground, source, wide)
        for down, tall in bands(height, BAND, margin, factor):
            inner = (_within(down, tall), _within(across, wide))
            seen = picture.window(tall, wide)
            part = _part(seen, inner)
            values = _pixels(drawn.rows(tall))
            reduced = (across.start // factor, down.start // factor)
            model.paste(images.compose(values[inner], part).reduce(factor), reduced)
            own.paste(Image.fromarray(part.rgb).reduce(factor), reduced)
            if round_trip is not None:
                enlarged = seen.rgb.astype(np.float32)
                back = _pixels(round_trip.rows(tall))
                values = restore(values, back, enlarged, plan.noise_fraction, radius)
                for c in range(3):  # one at a time bounds memory
                    missing = low_band(enlarged[..., c] - values[..., c], scale)
                    values[..., c] = np.clip(values[..., c] + held(plan) * missing, 0.0, 255.0)
            image = images.compose(values[inner], part, 1.0 - plan.noise_fraction)
            result.paste(image, (across.start, down.start))
    return result.image, model.image, np.asarray(own.image)


def _give_back() -> None:
    """What the sampler's arrays took back to the system: glibc keeps it, where nothing else fits.

    Several times the latents; other C libraries give back by themselves.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)


def preview(family: Family, ground: Ground, estimate: Array, extent: Extent) -> Image.Image:
    """A clean estimate as a picture, without alpha and what the source gives back."""
    result = _Pasted(extent)
    for across, _ in bands(extent.width, PIECE, 0):
        decoded = _decoded(family, ground, estimate, across)
        for down, _ in bands(extent.height, BAND, 0):
            values = _pixels(decoded.rows(down))
            result.paste(images.compose(values, None), (across.start, down.start))
    return result.image


class _Pasted:
    """A picture put together of parts."""

    def __init__(self, extent: Extent) -> None:
        self._extent = extent
        self._image: Image.Image | None = None

    def paste(self, part: Image.Image, at: tuple[int, int]) -> None:
        """A part by its left upper corner; the first one says mode and profile."""
        if self._image is None:
            self._image = Image.new(part.mode, self._extent)
            self._image.info.update(part.info)
        self._image.paste(part, at)

    @property
    def image(self) -> Image.Image:
        """The whole."""
        if self._image is None:
            raise AssertionError("a picture has at least one part")
        return self._image


def _decoded(family: Family, ground: Ground, latents: Array, columns: range) -> Streamed:
    """Latents as columns of a picture in [-1, 1], decoded by tiles when rows are asked for."""

    def make(place: Place) -> Array:
        tile = family.decode(np.ascontiguousarray(ground.latents.cut(latents, place)))
        check_finite(tile, "decoding")
        return tile

    return Streamed(ground.pixels, make, columns)


def _pixels(values: Array) -> Array:
    """(3, h, w) in [-1, 1] as (h, w, 3) in 0 … 255."""
    return np.clip((values.transpose(1, 2, 0) + 1.0) * 127.5, 0.0, 255.0)


def _within(band: range, seen: range) -> slice:
    """A band where it lies in what is seen of it."""
    return slice(band.start - seen.start, band.stop - seen.start)


def _part(picture: Picture, inner: tuple[slice, slice]) -> Picture:
    """A part of a picture."""
    down, across = inner
    return replace(
        picture,
        image=picture.image.crop((across.start, down.start, across.stop, down.stop)),
        rgb=picture.rgb[inner],
        alpha=None if picture.alpha is None else picture.alpha[inner],
    )
