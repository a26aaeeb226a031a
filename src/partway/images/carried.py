"""What an image file carries beside its pixels: read from a source, cleaned, for its results.

Cleaned means: no orientation (it is applied), no thumbnail and no maker note (they would be wrong),
no place unless it was asked for, nothing above a limit of size, nothing that cannot be parsed.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from PIL import ExifTags, Image

EXIF_IFD, GPS_IFD = ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo
MAX_BLOCK = 60_000  # bytes of EXIF or XMP: what one segment of a JPEG holds
MAX_TEXT = 2**20  # characters of text chunks together
MAX_KEYWORD = 79

# What describes the picture; the rest of a TIFF's own directory describes the file.
DESCRIPTIVE = {
    *(270, 271, 272, 305, 306, 315, 316),  # description, camera, software, date, artist, computer
    *(18246, 18249, 33432),  # ratings, copyright
    *range(40091, 40096),  # Windows' title, comment, author, keywords, subject
}
MAKER_NOTE, INTEROPERABILITY, WIDTH, HEIGHT = 0x927C, 0xA005, 0xA002, 0xA003

# Properties of an XMP packet that are no longer true of a result, and those that tell a place.
STALE = rb"tiff:Orientation|xmp:Thumbnails|xmpNote:HasExtendedXMP"
PLACE = rb"\w+:GPS\w*"

UNPARSABLE = (OSError, ValueError, TypeError, KeyError, IndexError, AttributeError, SyntaxError,
              OverflowError, ZeroDivisionError, RecursionError, struct.error)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Carried:
    """What an image file carries beside its pixels.

    icc    colour profile the pixels are in; None is the image's own, if any
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


def carried_by(image: Image.Image, *, keep_gps: bool = False) -> tuple[Carried, list[str]]:
    """What a decoded image of a file carries, and what had to be left behind, in words.

    The image is as in the file, not yet turned. The profile stays with the image itself.
    """
    lost: list[str] = []
    exif = xmp = None
    try:
        exif = _exif(image.getexif(), keep_gps=keep_gps)
    except UNPARSABLE:
        lost.append("its EXIF data are damaged")
    if exif is not None and len(exif) > MAX_BLOCK:
        exif = None
        lost.append(f"its EXIF data are larger than {MAX_BLOCK:,} bytes")
    packet = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    if packet:
        packet = packet.encode("utf-8", "replace") if isinstance(packet, str) else packet
        xmp = clean_xmp(packet, keep_gps=keep_gps)
        if xmp is None:
            lost.append("its XMP packet is damaged or too large")
    text = _text(image)
    if sum(map(len, text.values())) > MAX_TEXT:
        text = {}
        lost.append(f"its text is longer than {MAX_TEXT:,} characters")
    return Carried(exif=exif, xmp=xmp, dpi=_dpi(image.info.get("dpi")), text=text), lost


def _exif(exif: Image.Exif, *, keep_gps: bool) -> bytes | None:
    """A new EXIF block of what still holds; None where that is nothing."""
    turned = exif.get(ExifTags.Base.Orientation, 1) in {5, 6, 7, 8}
    kept = Image.Exif()
    for tag in DESCRIPTIVE & set(exif):
        kept[tag] = exif[tag]
    untrue = (MAKER_NOTE, INTEROPERABILITY, WIDTH, HEIGHT)[: 4 if turned else 2]
    camera = {tag: value for tag, value in exif.get_ifd(EXIF_IFD).items() if tag not in untrue}
    if camera:
        kept[EXIF_IFD] = camera
    place = exif.get_ifd(GPS_IFD) if keep_gps else {}
    if place:
        kept[GPS_IFD] = place
    return kept.tobytes() if len(kept) else None


def clean_xmp(packet: bytes, *, keep_gps: bool = False) -> bytes | None:
    """An XMP packet without what no longer holds; None for one that is no XMP or too large."""
    packet = packet.strip(b"\0")
    if len(packet) > MAX_BLOCK or b"xmpmeta" not in packet:
        return None
    try:
        packet.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return cut_properties(packet, STALE if keep_gps else STALE + b"|" + PLACE)


def cut_properties(packet: bytes, names: bytes, *, same_length: bool = False) -> bytes | None:
    """A packet without properties, as attributes and as elements; None where one never ends.

    names        a pattern of qualified names
    same_length  put spaces in their place instead of closing up
    """
    pattern = re.compile(
        rb"\s(?:%b)\s*=\s*(?:\"[^\"<]*\"|'[^'<]*')|<(%b)(?=[\s/>])[^<>]*>" % (names, names)
    )
    pieces: list[bytes] = []
    at = 0
    while (found := pattern.search(packet, at)) is not None:
        end = found.end()
        if found[1] is not None and not found[0].endswith(b"/>"):
            closing = b"</" + found[1] + b">"
            end = packet.find(closing, end) + len(closing)
            if end < found.end() + len(closing):
                return None
        pieces += [packet[at : found.start()], b" " * (end - found.start() if same_length else 0)]
        at = end
    return b"".join([*pieces, packet[at:]])


def _text(image: Image.Image) -> dict[str, str]:
    """The text chunks of a PNG, without those that hold other blocks in disguise."""
    chunks: Mapping[str, Any] = getattr(image, "text", {})
    return {
        key: str(value)
        for key, value in chunks.items()
        if 0 < len(key) <= MAX_KEYWORD
        and key != "XML:com.adobe.xmp"
        and not key.startswith("Raw profile type")
    }


def _dpi(value: Any) -> tuple[float, float] | None:
    """A resolution, where it is one."""
    try:
        horizontal, vertical = (float(each) for each in value)
    except UNPARSABLE:
        return None
    sane = all(math.isfinite(each) and 1.0 <= each <= 30_000.0 for each in (horizontal, vertical))
    return (horizontal, vertical) if sane else None
