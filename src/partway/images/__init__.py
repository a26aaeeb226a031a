"""Image files and arrays: bytes in, pixels out, and back.

What a model sees is 8-bit sRGB, with EXIF orientation applied and transparency composited on white.
The source's own mode, pixels, profile and alpha stay beside it: strength 0 returns them untouched,
and a result keeps the source's profile and alpha.

    sources ─► kinds, read ─► modes, color_profiles ─► Picture ─► canvas ─► … ─► write, whole_files
"""

from __future__ import annotations

from partway.images.canvas import (
    compose,
    from_canvas,
    inside,
    on_white,
    opaque,
    over_source,
    to_canvas,
)
from partway.images.carried import NOTHING, Carried, clean_xmp
from partway.images.enlarge import Enlarged, enlarge
from partway.images.modes import rgb_of
from partway.images.picture import Picture, Pixels
from partway.images.read import FORMATS, MAX_BYTES, MAX_PIXELS, MAX_SIDE, MAX_UPLOAD, load
from partway.images.sources import ImageLike, read_bytes
from partway.images.streams import same_stream, without_texts
from partway.images.whole_files import write_whole
from partway.images.write import SUFFIXES, check_quality, encode, format_for, save

__all__ = [
    "FORMATS",
    "MAX_BYTES",
    "MAX_PIXELS",
    "MAX_SIDE",
    "MAX_UPLOAD",
    "NOTHING",
    "SUFFIXES",
    "Carried",
    "Enlarged",
    "ImageLike",
    "Picture",
    "Pixels",
    "check_quality",
    "clean_xmp",
    "compose",
    "encode",
    "enlarge",
    "format_for",
    "from_canvas",
    "inside",
    "load",
    "on_white",
    "opaque",
    "over_source",
    "read_bytes",
    "rgb_of",
    "same_stream",
    "save",
    "to_canvas",
    "without_texts",
    "write_whole",
]
