"""Between a picture and the canvas a model works on: scaled, padded, and back under its alpha."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from partway.geometry import Canvas, Extent

if TYPE_CHECKING:
    from partway.denoiser import Array
    from partway.images.picture import Picture, Pixels


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


def compose(values: Array, picture: Picture | None) -> Image.Image:
    """(H, W, 3) result in 0 … 255 as an image carrying the source's alpha.

    The model saw the source on white; what shows through an alpha a is un-mixed from it,
    rgb = 255 - (255 - value) / a. Where a is 0 the source's own hidden colours stay.
    """
    if picture is None or picture.alpha is None:
        return Image.fromarray(np.rint(values).astype(np.uint8))
    share = picture.alpha[..., None].astype(np.float32) / 255.0
    unmixed = 255.0 - (255.0 - values) / np.maximum(share, 1 / 255.0)
    hidden = np.asarray(picture.image.convert("RGBA"))[..., :3]
    rgb = np.where(share > 0.0, np.clip(unmixed, 0.0, 255.0), hidden)
    return Image.fromarray(np.dstack([np.rint(rgb).astype(np.uint8), picture.alpha]))
