"""Masks as other APIs have them, made what EditRequest has: grey, of the source's size."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from PIL import Image, ImageChops

from partway import images
from partway.interfaces.http.fitting import fitted

if TYPE_CHECKING:
    from partway.geometry import Extent

OPAQUE = 255


def mask_for(data: bytes, size: Extent, how: int) -> bytes:
    """A mask as a grey picture of a source's size, brought there as the source was."""
    images.load(data, "the mask")  # what is no picture is refused here
    return grey(fitted(grey(data), size, how))


def grey(data: bytes) -> bytes:
    """The file of a mask in grey: its alpha, where any of it is transparent, else its luma."""
    with Image.open(io.BytesIO(data), formats=images.FORMATS) as mask:
        alpha = mask.convert("RGBA").getchannel("A") if mask.has_transparency_data else None
        translucent = alpha is not None and alpha.getextrema()[0] != OPAQUE
        plane = alpha if translucent and alpha is not None else mask.convert("L")
    return png(plane)


def from_alpha(data: bytes) -> bytes | None:
    """The grey mask of OpenAI's kind, which is edited where it is transparent.

    None where it has no alpha.
    """
    images.load(data, "the mask")
    with Image.open(io.BytesIO(data), formats=images.FORMATS) as mask:
        if not mask.has_transparency_data:
            return None
        return png(ImageChops.invert(mask.convert("RGBA").getchannel("A")))


def png(image: Image.Image) -> bytes:
    """The file of a picture."""
    stream = io.BytesIO()
    image.save(stream, "PNG", compress_level=1)
    return stream.getvalue()
