"""Image files and arrays: bytes in, pixels out, and back.

What a model sees is 8-bit RGB, read as sRGB, with EXIF orientation applied and transparency
composited on white. Embedded colour profiles are not converted yet.
The source's own mode, pixels and alpha stay beside it: strength 0 returns them untouched, and a
result keeps the source's alpha.
"""

from __future__ import annotations

from partway.images.canvas import compose, from_canvas, to_canvas
from partway.images.carried import NOTHING, Carried
from partway.images.modes import rgb_of
from partway.images.picture import Picture, Pixels
from partway.images.read import FORMATS, MAX_BYTES, MAX_PIXELS, MAX_SIDE, load
from partway.images.sources import ImageLike, read_bytes
from partway.images.whole_files import write_whole
from partway.images.write import SUFFIXES, encode, format_for, save

__all__ = [
    "FORMATS",
    "MAX_BYTES",
    "MAX_PIXELS",
    "MAX_SIDE",
    "NOTHING",
    "SUFFIXES",
    "Carried",
    "ImageLike",
    "Picture",
    "Pixels",
    "compose",
    "encode",
    "format_for",
    "from_canvas",
    "load",
    "read_bytes",
    "rgb_of",
    "save",
    "to_canvas",
    "write_whole",
]
