"""What an image file carries beside its pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, eq=False)
class Carried:
    """What an image file carries beside its pixels.

    icc    colour profile the pixels are in
    exif   EXIF block; xmp: XMP packet, UTF-8
    dpi    resolution, (horizontal, vertical)
    text   keyword → text: PNG's text chunks; other formats have no place for it
    """

    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None
    text: Mapping[str, str] = field(default_factory=dict[str, str])


NOTHING = Carried()
