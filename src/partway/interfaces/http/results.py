"""A result as a file, and small pictures for previews."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

from PIL import Image

from partway import images
from partway.errors import UnknownName
from partway.metadata import read_metadata
from partway.metadata.embed import embed

if TYPE_CHECKING:
    from partway.result import EditResult

# Name of a format in requests → Pillow's name and media type.
FORMATS = {
    "png": ("PNG", "image/png"),
    "jpeg": ("JPEG", "image/jpeg"),
    "webp": ("WEBP", "image/webp"),
    "avif": ("AVIF", "image/avif"),
}
PREVIEW = 384  # long side, pixels


def check_format(name: str) -> str:
    """The name in lower case; UnknownName for another."""
    found = {"jpg": "jpeg"}.get(name.lower(), name.lower())
    if found not in FORMATS:
        raise UnknownName("format", name, FORMATS)
    return found


def encode_result(
    result: EditResult, name: str = "png", *, metadata: bool = True, keep_gps: bool = False
) -> tuple[bytes, str | None]:
    """The file of a result, as the command line would write it, and a note or None."""
    return result.encode(FORMATS[name][0], metadata=metadata, keep_gps=keep_gps)


def reencode(data: bytes, name: str) -> bytes:
    """A finished file in another format, with all that it carries: a place only where asked for."""
    format_name = FORMATS[name][0]
    picture = images.load(data, "the result", keep_gps=True)
    document, carried = read_metadata(data).document, picture.carried
    if document is not None:
        carried, _ = embed(carried, document, format_name)
    return images.encode(picture.image, format_name, carried)


def data_url(image: Image.Image, side: int = PREVIEW) -> str:
    """A picture of at most `side` pixels as a data: URL, WebP."""
    small = image.convert("RGBA" if image.has_transparency_data else "RGB")
    small.thumbnail((side, side))
    stream = io.BytesIO()
    small.save(stream, "WEBP", quality=80)
    return f"data:image/webp;base64,{base64.b64encode(stream.getvalue()).decode()}"
