"""Between a picture and the canvas a model works on: scaled, padded, and back under its alpha."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from partway.geometry import Canvas, Extent
from partway.images import color_profiles
from partway.images.modes import split

if TYPE_CHECKING:
    from partway.denoiser import Array
    from partway.images.picture import Picture, Pixels

TOLERANCE = 24.0  # grey levels of 255 at which agreement with the source has fallen to 1/e


def to_canvas(rgb: Pixels, canvas: Canvas) -> Array:
    """(H, W, 3) uint8 → (3, h, w) float32 in [-1, 1] on the canvas, padded by reflection."""
    scaled = _resize(rgb, canvas.fitted)
    pad_x = canvas.padded.width - canvas.fitted.width
    pad_y = canvas.padded.height - canvas.fitted.height
    if pad_x or pad_y:
        scaled = np.pad(scaled, ((0, pad_y), (0, pad_x), (0, 0)), mode="symmetric")
    return np.ascontiguousarray(scaled.transpose(2, 0, 1)).astype(np.float32) / 127.5 - 1.0


def from_canvas(image: Array, canvas: Canvas) -> Array:
    """(3, h, w) in [-1, 1] on the canvas → (H, W, 3) float32 in 0 … 255 at the source's size."""
    cropped = image[:, : canvas.fitted.height, : canvas.fitted.width].transpose(1, 2, 0)
    values = np.clip((cropped + 1.0) * 127.5, 0.0, 255.0).astype(np.float32)
    if canvas.fitted == canvas.source:
        return values
    channels = [
        np.asarray(
            Image.fromarray(np.ascontiguousarray(values[..., c])).resize(
                canvas.source, Image.Resampling.LANCZOS
            )
        )
        for c in range(3)
    ]
    return np.clip(np.stack(channels, axis=-1), 0.0, 255.0)


def _resize(rgb: Pixels, size: Extent) -> Pixels:
    """Lanczos to `size`; the same array where it already fits."""
    if (rgb.shape[1], rgb.shape[0]) == size:
        return rgb
    return np.asarray(Image.fromarray(rgb).resize(size, Image.Resampling.LANCZOS))


def compose(values: Array, picture: Picture | None, share: float = 0.0) -> Image.Image:
    """(H, W, 3) sRGB result in 0 … 255 as an image in the source's profile, carrying its alpha.

    The model saw the source on white; what shows through an alpha a is un-mixed from it,
    rgb = 255 - (255 - value) / a. Where a is 0 the source's own hidden colours stay.

    share  0 … 1: how much comes back, where the result agrees with the source, of what the source
           lost on its way to sRGB: colours that sRGB does not hold
    """
    if picture is None:
        return Image.fromarray(np.rint(values).astype(np.uint8))
    straight = values
    if picture.alpha is not None:
        mix = picture.alpha[..., None].astype(np.float32) / 255.0
        straight = np.clip(255.0 - (255.0 - values) / np.maximum(mix, 1 / 255.0), 0.0, 255.0)
    rgb = np.rint(straight).astype(np.uint8)
    own = _own_colors(picture)
    if own is not None and picture.profile is not None:
        rgb = color_profiles.from_srgb(rgb, picture.profile)
        if share > 0.0:
            rgb = _with_own_gamut(rgb, own, picture.profile, values, picture, share)
    image = Image.fromarray(rgb)
    if picture.alpha is not None:
        hidden = np.asarray(picture.image.convert("RGBA"))[..., :3]
        visible = (picture.alpha > 0)[..., None]
        image = Image.fromarray(np.dstack([np.where(visible, rgb, hidden), picture.alpha]))
    if picture.profile is not None:
        image.info["icc_profile"] = picture.profile
    return image


def own_colors(picture: Picture) -> Pixels:
    """(H, W, 3) of a source as its results have them: in their profile, not mixed with white."""
    own = _own_colors(picture)
    if own is None:
        colors = split(picture.image)[0]
        own = np.asarray(color_profiles.to_srgb(colors, picture.image.info.get("icc_profile")))
    return own


def over_source(result: Image.Image, picture: Picture, opacity: Array) -> Image.Image:
    """A composed result over its source's own pixels.

    opacity  (H, W): where it is 0 a pixel is the source's, bit for bit where that has 8 bits
    """
    own, weight = own_colors(picture).astype(np.float32), opacity[..., None]
    pixels = np.asarray(result)
    mixed = weight * pixels[..., :3] + (1.0 - weight) * own
    mixed = np.rint(mixed).astype(np.uint8)
    if pixels.shape[-1] == 4:
        mixed = np.dstack([mixed, pixels[..., 3]])
    image = Image.fromarray(mixed)
    image.info.update(result.info)
    return image


def opaque(picture: Picture) -> Picture:
    """A source as if nothing of it were transparent: its own colours, also those that hid."""
    colors = split(picture.image)[0]
    rgb = np.asarray(color_profiles.to_srgb(colors, picture.image.info.get("icc_profile")))
    return replace(picture, image=colors, rgb=rgb, alpha=None)


def on_white(picture: Picture) -> Pixels:
    """(H, W, 3) of a source as `own_colors`, where it is transparent mixed with white."""
    own = own_colors(picture)
    if picture.alpha is None:
        return own
    mix = picture.alpha[..., None].astype(np.float32) / 255.0
    return np.rint(mix * own + (1.0 - mix) * 255.0).astype(np.uint8)


def inside(picture: Picture, box: tuple[int, int, int, int], colors: Pixels) -> Picture:
    """A source inside a larger one: every pixel of it, and others around.

    box     left, top, right, bottom of the source
    colors  (H, W, 3) of the whole in the profile of the source's results; opaque around it
    """
    left, top, right, bottom = box
    here = (slice(top, bottom), slice(left, right))
    own, alpha = colors.copy(), None
    own[here] = own_colors(picture)
    if picture.alpha is not None:
        alpha = np.full(colors.shape[:2], 255, np.uint8)
        alpha[here] = picture.alpha
        own = np.dstack([own, alpha])
    image = Image.fromarray(own)
    if picture.profile is not None:
        image.info["icc_profile"] = picture.profile
    rgb = np.array(color_profiles.to_srgb(Image.fromarray(colors), picture.profile))
    rgb[here] = picture.rgb
    digest = f"{picture.digest} at {box} of {image.size}"
    return replace(picture, image=image, rgb=rgb, alpha=alpha, digest=digest)


def _own_colors(picture: Picture) -> Pixels | None:
    """The source's (H, W, 3) pixels in its profile; None where a result needs no conversion."""
    icc = picture.profile
    if icc is None or icc != picture.image.info.get("icc_profile") or color_profiles.is_srgb(icc):
        return None
    return np.asarray(split(picture.image)[0].convert("RGB"))


def _with_own_gamut(
    rgb: Pixels, own: Pixels, icc: bytes, values: Array, picture: Picture, share: float
) -> Pixels:
    """A result in the source's profile, with what the source lost in sRGB where they agree."""
    there = color_profiles.to_srgb(Image.fromarray(own), icc)
    back = color_profiles.from_srgb(np.asarray(there), icc)
    lost = own.astype(np.int16) - back
    rows, columns = np.nonzero(lost.any(axis=-1))
    apart = np.abs(values[rows, columns] - picture.rgb[rows, columns]).max(axis=-1)
    weight = share * np.exp(-np.square(apart / TOLERANCE))
    restored = rgb[rows, columns] + weight[:, None] * lost[rows, columns]
    result = rgb.copy()
    result[rows, columns] = np.rint(np.clip(restored, 0.0, 255.0)).astype(np.uint8)
    return result
