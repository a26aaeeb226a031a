"""A source brought to a size that a client asks for, before it is edited."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from PIL import Image, ImageOps

from partway import images
from partway.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from partway.geometry import Extent

MAX_TOGETHER = 256 * 2**20  # bytes of the pictures of one request, at the size asked for
STRETCH, CROP, FILL = 0, 1, 2
RESAMPLE = Image.Resampling.LANCZOS


def fitted(data: bytes, size: Extent, how: int) -> bytes:
    """The file of the picture at `size`; the same bytes where it has that size.

    how  STRETCH distorts it, CROP cuts what is too much on both sides, FILL keeps all of it and
         extends its outermost rows or columns

    InvalidRequest for a size that no source may have either.
    """
    check_size(size)
    picture = images.load(data)
    if picture.extent == size:
        return data
    image = Image.fromarray(picture.rgb)
    if picture.alpha is not None:
        image.putalpha(Image.fromarray(picture.alpha))
    if how == CROP:
        image = ImageOps.fit(image, size, RESAMPLE)
    elif how == FILL:
        image = _filled(image, size)
    else:
        image = image.resize(size, RESAMPLE)
    stream = io.BytesIO()
    image.save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def check_size(size: Extent) -> None:
    """InvalidRequest for a size that is nothing, or more than a server makes."""
    if min(size) < 1 or max(size) > images.MAX_SIDE or size.width * size.height > images.MAX_PIXELS:
        raise InvalidRequest(
            f"size is {size}, allowed is 1 … {images.MAX_SIDE} a side and "
            f"{images.MAX_PIXELS:,} pixels"
        )


def check_together(files: Sequence[bytes | str]) -> None:
    """InvalidRequest where the pictures of one request have become too many bytes."""
    size = sum(map(len, files))
    if size > MAX_TOGETHER:
        raise InvalidRequest(
            f"{len(files)} of the pictures have {size:,} bytes at the size asked for, allowed are "
            f"{MAX_TOGETHER:,} together: send fewer at once"
        )


def _filled(image: Image.Image, size: Extent) -> Image.Image:
    """All of the picture in the middle, its edges stretched over what is left."""
    inner = ImageOps.contain(image, size, RESAMPLE)
    left, top = (size.width - inner.width) // 2, (size.height - inner.height) // 2
    result = Image.new(inner.mode, size)
    result.paste(inner, (left, top))
    if inner.width < size.width:
        first = inner.crop((0, 0, 1, inner.height))
        last = inner.crop((inner.width - 1, 0, inner.width, inner.height))
        strips = ((first, 0, left), (last, left + inner.width, size.width))
        for strip, start, end in strips:
            if end > start:
                result.paste(strip.resize((end - start, inner.height)), (start, top))
    elif inner.height < size.height:
        first = inner.crop((0, 0, inner.width, 1))
        last = inner.crop((0, inner.height - 1, inner.width, inner.height))
        strips = ((first, 0, top), (last, top + inner.height, size.height))
        for strip, start, end in strips:
            if end > start:
                result.paste(strip.resize((inner.width, end - start)), (left, start))
    return result
