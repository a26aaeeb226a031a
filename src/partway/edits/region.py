"""Where an edit acts: a strength map or a mask, as shares and opacities in pixels of the source.

    share    of the request's strength that a pixel is edited with: 0 … 1 of a map; of a mask 1
             wherever any of the result may show
    opacity  of the result over the source: 0 is the source's own pixel, bit for bit

A map's shade decides how far the model goes and the result shows wherever it is not black; a mask
is repainted with the whole strength and fades into the source over its feather.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from partway import images
from partway.edits.surroundings import continued, distance_beyond
from partway.errors import InvalidRequest
from partway.geometry import Extent
from partway.images import Picture
from partway.noise import Noise
from partway.strength import nsr_of
from partway.windows import box_blur

if TYPE_CHECKING:
    from collections.abc import Callable

    from partway.denoiser import Array
    from partway.geometry import Canvas
    from partway.margins import Margins
    from partway.plan import Plan
    from partway.request import EditRequest

T = TypeVar("T", bound=np.generic)

HALF = 0.5  # of white, from which a mask is repainted
FAINT = 0.02  # share of a map below which the result fades out: no edge where a map begins
FEATHER = 1 / 64  # of the long side, where none is asked
FADE = 1 / 16  # of the long side, over which what is added to a source takes its place
SHADES = 257  # of a map, whose noise fractions are computed; the others lie between
ALMOST = 1.0 - 1e-7  # pure noise, where a ratio must stay finite
FRESH = 0x9E3779B9  # added to the seed for the noise that a hole is filled with
BLURS = 3  # box blurs that make a feather: smooth, and exactly 0 beyond its width


@dataclass(frozen=True, eq=False)
class Region:
    """Where an edit acts.

    share    (H, W) float32, 0 … 1
    opacity  (H, W) float32, 0 … 1
    box      left, top, right, bottom of what the model sees
    shades   shares between 0 and 1 occur
    added    what is edited lies beyond the source
    """

    share: Array
    opacity: Array
    box: tuple[int, int, int, int]
    shades: bool
    added: bool = False

    def inside(self, plane: NDArray[T]) -> NDArray[T]:
        """What of an (H, W, …) array the model sees."""
        left, top, right, bottom = self.box
        return plane[top:bottom, left:right]


def region_of(request: EditRequest, picture: Picture) -> Region | None:
    """The region a request names; None where it edits the whole picture.

    picture  the source, with what is added around it where the request extends it

    InvalidRequest where the map has another size than the source, or selects nothing.
    """
    if request.extend is not None:
        return _added(request, request.extend, picture.extent)
    chosen = selected(request, picture)
    if chosen is None:
        return None
    if request.strength_map is not None:
        shades = bool(((chosen > 0.0) & (chosen < 1.0)).any())
        whole = (0, 0, picture.extent.width, picture.extent.height)
        return Region(chosen, np.minimum(chosen / FAINT, 1.0), whole, shades)
    opacity = _feathered(chosen, request, picture)
    if picture.alpha is not None and fills_holes(request):  # what hides there is never shown
        opacity = np.maximum(opacity, 1.0 - picture.alpha.astype(np.float32) / 255.0)
    return _repainted(opacity > 0.0, opacity, request)


def _added(request: EditRequest, margins: Margins, whole: Extent) -> Region:
    """All that is outside the source; next to it, what continues it shows."""
    width = whole.width - margins.left - margins.right
    source = Extent(width, whole.height - margins.top - margins.bottom)
    distance = distance_beyond(source, margins)
    reach = max(whole) * FADE if request.mask_feather is None else request.mask_feather
    if reach == 0.0:
        opacity = (distance > 0.0).astype(np.float32)
    else:
        u = np.clip((distance - 1.0) / reach, 0.0, 1.0)
        opacity = u**3 * (u * (6.0 * u - 15.0) + 10.0)  # begins and ends without an edge
    return replace(_repainted(distance > 0.0, opacity, request), added=True)


def _repainted(where: NDArray[np.bool_], opacity: Array, request: EditRequest) -> Region:
    """What is repainted with the whole strength."""
    share = where.astype(np.float32)
    height, width = share.shape
    box = _around(share, request.padding) if request.only_masked else (0, 0, width, height)
    return Region(share, opacity.astype(np.float32), box, shades=False)


def fills_holes(request: EditRequest) -> bool:
    """Whether what is transparent is repainted, and the result opaque."""
    return request.alpha_mask and not request.mask_invert


def selected(request: EditRequest, picture: Picture) -> Array | None:
    """(H, W) 0 … 1 of what a map or a mask selects; errors as of `region_of`."""
    if request.strength_map is not None:
        share = _grey(request.strength_map, "the strength map", picture.extent)
        if not share.any():
            raise InvalidRequest(
                "the strength map is black everywhere, which edits nothing: "
                "white is edited with the whole strength"
            )
        return share
    chosen = _masked(request, picture)
    if chosen is not None and not chosen.any():
        raise InvalidRequest(
            "the mask selects nothing: white is repainted; to repaint what is black, "
            "add --mask-invert"
        )
    return chosen


def faintest(share: Array) -> float:
    """The lowest share above 0 that a map has."""
    return float(share[share > 0.0].min())


def _masked(request: EditRequest, picture: Picture) -> Array | None:
    """(H, W) of 0 and 1, or of transparency: what the mask selects, grown."""
    if request.alpha_mask:
        if picture.alpha is None:
            raise InvalidRequest(
                "the source has no transparent part to repaint: give --mask FILE instead"
            )
        chosen = 1.0 - picture.alpha.astype(np.float32) / 255.0
    elif request.mask is not None:
        chosen = (_grey(request.mask, "the mask", picture.extent) >= HALF).astype(np.float32)
    else:
        return None
    if request.mask_invert:
        chosen = 1.0 - chosen
    return grown(chosen, request.mask_grow)


def _grey(data: bytes, name: str, extent: Extent) -> Array:
    """(H, W) 0 … 1 of a grey picture that must have the source's size.

    What is transparent counts as black: white painted on nothing is a mask too.
    """
    found = images.load(data, name)
    if found.extent != extent:
        raise InvalidRequest(
            f"{name} is {found.extent}, the source {extent}: it must have the source's size"
        )
    grey = np.asarray(Image.fromarray(found.rgb).convert("L"), np.float32)
    if found.alpha is not None:  # it was read on white
        grey = np.maximum(grey - (255.0 - found.alpha), 0.0)
    return grey / 255.0


def grown(chosen: Array, reach: int) -> Array:
    """A selection (H, W) of 0 … 1, larger by `reach` pixels, smaller where negative.

    Pixels beyond the picture count as its edge's.
    """
    if reach == 0:
        return chosen
    grows = chosen if reach > 0 else 1.0 - chosen
    near = _near(grows, abs(reach))
    return np.maximum(near, grows) if reach > 0 else 1.0 - np.maximum(near, grows)


def _near(chosen: Array, reach: int) -> NDArray[np.bool_]:
    """Whether any of a selection lies within a square of so many pixels around."""
    one = 1.0 / (2 * reach + 1) ** 2  # what a single pixel adds to a mean
    return box_blur((chosen > 0.0).astype(np.float32), reach) > one / 2


def _feathered(chosen: Array, request: EditRequest, picture: Picture) -> Array:
    """Opacity of the result: the selection, blurred; exactly 0 beyond the feather."""
    feather = request.mask_feather
    if feather is None:
        feather = 0.0 if request.alpha_mask else max(picture.extent) * FEATHER
    radius = round(feather / BLURS)
    if radius < 1:
        return chosen
    blurred = chosen
    for _ in range(BLURS):
        blurred = box_blur(blurred, radius)
    return np.where(_near(chosen, BLURS * radius), np.clip(blurred, 0.0, 1.0), 0.0).astype(
        np.float32
    )


def _around(share: Array, padding: int) -> tuple[int, int, int, int]:
    """The box of what is not 0, with padding."""
    rows, columns = np.flatnonzero(share.any(axis=1)), np.flatnonzero(share.any(axis=0))
    height, width = share.shape
    return (
        max(int(columns[0]) - padding, 0),
        max(int(rows[0]) - padding, 0),
        min(int(columns[-1]) + 1 + padding, width),
        min(int(rows[-1]) + 1 + padding, height),
    )


@dataclass(frozen=True, eq=False)
class Part:
    """A region as a model sees it, on the latents of its canvas.

    seen             what of the source the model sees, filled where that is asked for
    noise_fractions  (1, h, w) at which each position lets go of the source
    kappa            (1, h, w) factor on the source at the start, as of a plan
    pixels           (H, W, 1) noise fractions of what is seen, in pixels
    lowest           noise fraction above 0 at which the faintest pixel begins
    """

    region: Region
    seen: Picture
    noise_fractions: Array
    kappa: Array
    pixels: Array
    lowest: float

    def begins(self, request: EditRequest, latents: Array) -> Array:
        """The latents (C, h, w) that repainting starts from: noise of their size, where asked."""
        if request.fill != "noise":
            return latents
        free = (self.noise_fractions > 0.0).astype(np.float32)
        fresh = Noise((request.seed + FRESH) % 2**32, latents.shape)() * latents.std()
        return free * fresh + (1.0 - free) * latents

    def on_canvas(self, place: Canvas) -> Array:
        """(H, W) noise fractions of what is seen, on its canvas."""
        return _on_canvas(self.pixels[..., 0], place)

    def composed(self, values: Array, picture: Picture, share: float) -> Image.Image:
        """A result (H, W, 3) of what is seen, over the whole source; `share` as of compose."""
        left, top, right, bottom = self.region.box
        whole = picture.rgb.astype(np.float32)
        whole[top:bottom, left:right] = values
        result = images.compose(whole, picture, share)
        return images.over_source(result, picture, self.region.opacity)


def seen_of(
    request: EditRequest, picture: Picture | None, region: Region | None
) -> tuple[Picture | None, Picture | None]:
    """A source as its result has it, and what of it the model sees: both the same unless masked.

    Where holes are filled the result is opaque.
    """
    if picture is None or region is None:
        return picture, picture
    holes = fills_holes(request)
    if holes:
        picture = images.opaque(picture)
    rgb = region.inside(picture.rgb)
    if request.fill == "blur" or holes:
        rgb = continued(rgb, 1.0 - region.inside(region.opacity))
    rgb = np.ascontiguousarray(rgb)
    digest = hashlib.sha256(rgb.tobytes()).hexdigest()
    return picture, Picture(Image.fromarray(rgb), rgb, None, f"{digest} {rgb.shape}")


def part_on(
    region: Region,
    seen: Picture,
    place: Canvas,
    latents: tuple[int, int, int],
    plan: Plan,
    start: Callable[[float], float],
) -> Part:
    """A region on latents (C, h, w) of a canvas.

    start  noise fraction at which an edit of a strength begins
    """
    top = plan.levels[0].noise_fraction  # beyond it, kappa makes up for what the model cannot
    table = np.array([start(plan.strength * k / (SHADES - 1)) for k in range(SHADES)], np.float32)
    at = np.linspace(0.0, 1.0, SHADES)
    pixels = np.interp(region.inside(region.share), at, table).astype(np.float32)[..., None]
    fractions = np.interp(_on_latents(region, place, latents), at, table).astype(np.float32)
    beyond = np.clip(fractions, top, ALMOST)
    kappa = np.where(fractions > top, nsr_of(min(top, ALMOST)) * (1.0 - beyond) / beyond, 1.0)
    kappa = np.where(fractions >= 1.0, 0.0, kappa).astype(np.float32)
    lowest = start(plan.strength * faintest(region.share))
    return Part(region, seen, fractions, kappa, pixels, lowest)


def hidden_on(region: Region, place: Canvas) -> NDArray[np.bool_]:
    """(H, W) on a canvas, whether any pixel there is edited."""
    return _on_canvas(region.inside(region.share), place) > 0.0


def _on_canvas(seen: Array, place: Canvas) -> Array:
    """(H, W) of what is seen on a canvas: means of its pixels, continued into the padding."""
    plane = Image.fromarray(np.ascontiguousarray(seen))
    fitted = np.asarray(plane.resize(place.fitted, Image.Resampling.BOX))
    more = (place.padded.height - place.fitted.height, place.padded.width - place.fitted.width)
    return np.pad(fitted, ((0, more[0]), (0, more[1])), mode="symmetric")


def _on_latents(region: Region, place: Canvas, latents: tuple[int, int, int]) -> Array:
    """(1, h, w) shares: means of the pixels a position covers; of a mask 1 as soon as one is."""
    padded = Image.fromarray(_on_canvas(region.inside(region.share), place))
    shares = np.asarray(padded.resize((latents[2], latents[1]), Image.Resampling.BOX))
    if not region.shades:
        shares = (shares > 0.0).astype(np.float32)
    return np.clip(shares, 0.0, 1.0)[None]
