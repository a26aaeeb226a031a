"""Bytes to a picture: an allow-list of formats, limits before memory is spent, typed errors."""

from __future__ import annotations

import hashlib
import io
import struct
import warnings

from PIL import Image, ImageOps, UnidentifiedImageError

from partway.errors import UnreadableImage
from partway.images.modes import decompose
from partway.images.picture import Picture

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
MAX_BYTES = 64 * 2**20
MAX_PIXELS = 36_000_000
MAX_SIDE = 16_384

# What Pillow's decoders raise on broken files, beside OSError.
BROKEN = (OSError, ValueError, SyntaxError, EOFError, KeyError, IndexError, TypeError,
          OverflowError, MemoryError, RuntimeError, NotImplementedError, struct.error,
          UnidentifiedImageError, Image.DecompressionBombError,
          Image.DecompressionBombWarning)  # fmt: skip


def load(data: bytes, name: str = "the source") -> Picture:
    """Decode the bytes of an image file.

    PNG, JPEG, WebP, GIF, BMP, TIFF and AVIF up to 64 MiB and 36 megapixels; of animations the
    first frame. UnreadableImage says what was wrong with anything else.
    """
    if len(data) > MAX_BYTES:
        raise UnreadableImage(f"{name} has {len(data):,} bytes, allowed are {MAX_BYTES:,}")
    if not data:
        raise UnreadableImage(f"{name} is empty: no bytes in it")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # metadata oddities; bombs are refused by size below
            image = Image.open(io.BytesIO(data), formats=FORMATS)
            width, height = image.size
            if max(width, height) > MAX_SIDE:
                raise UnreadableImage(
                    f"{name} is {width}×{height}, each side may have {MAX_SIDE} pixels: "
                    "scale it down or cut it first"
                )
            if width * height > MAX_PIXELS:
                raise UnreadableImage(
                    f"{name} is {width}×{height} = {width * height / 1e6:.0f} megapixels, "
                    f"allowed are {MAX_PIXELS / 1e6:.0f}: scale it down first"
                )
            frames = getattr(image, "n_frames", 1)
            image.load()
            image = ImageOps.exif_transpose(image)
            rgb, alpha = decompose(image)
    except UnreadableImage:
        raise
    except UnidentifiedImageError as error:
        raise UnreadableImage(
            f"{name} is no picture that can be read: want {', '.join(FORMATS)}"
        ) from error
    except BROKEN as error:
        raise UnreadableImage(f"{name} is damaged or not supported: {error}") from error
    notes = (f"{name} is animated: only its first frame is used",) if frames > 1 else ()
    return Picture(image, rgb, alpha, hashlib.sha256(data).hexdigest(), notes)
