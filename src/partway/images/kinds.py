"""What bytes are, by how they begin: formats that are read, and others by name with what to do.

Names of files say nothing: a .png that holds a web page is a web page.
"""

from __future__ import annotations

import re

HEAD = 4096  # bytes looked at

HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
AVIF_BRANDS = {b"avif", b"avis"}

SIGNATURES = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
}

EXPORT = "open it in the program that made it and export a PNG"
DEVELOP = "develop it in a RAW converter and export a TIFF or JPEG"
CONVERT = "convert it to PNG"
OTHERS = {
    b"%PDF": ("a PDF document", "export the page as a PNG"),
    b"%!PS": ("a PostScript drawing", "render it as a PNG"),
    b"\xc5\xd0\xd3\xc6": ("a PostScript drawing", "render it as a PNG"),
    b"8BPS": ("a Photoshop document", EXPORT),
    b"gimp xcf": ("a GIMP document", EXPORT),
    b"PK\x03\x04": ("a ZIP archive (or a Krita or OpenRaster document)", EXPORT),
    b"\x1f\x8b": ("a gzip archive", "unpack it first"),
    b"\xff\x0a": ("a JPEG XL picture", CONVERT),
    b"\0\0\0\x0cJXL ": ("a JPEG XL picture", CONVERT),
    b"\0\0\0\x0cjP  ": ("a JPEG 2000 picture", CONVERT),
    b"\xff\x4f\xff\x51": ("a JPEG 2000 picture", CONVERT),
    b"FUJIFILMCCD-RAW": ("a RAW photograph", DEVELOP),
    b"IIRO": ("a RAW photograph", DEVELOP),
    b"IIU\0": ("a RAW photograph", DEVELOP),
    b"\0MRM": ("a RAW photograph", DEVELOP),
    b"FOVb": ("a RAW photograph", DEVELOP),
    b"v/1\x01": ("an OpenEXR picture", CONVERT),
    b"#?RADIANCE": ("a Radiance picture", CONVERT),
    b"DDS ": ("a DDS texture", CONVERT),
    b"qoif": ("a QOI picture", CONVERT),
    b"\0\0\x01\0": ("an icon file", CONVERT),
    b"\x1aE\xdf\xa3": ("a video", "cut out one frame and save it as a PNG"),
    b"version https://git-lfs": ("a Git LFS pointer", "fetch the file itself: git lfs pull"),
}
PORTABLE = re.compile(rb"P[1-7]\s")
MARKUP = re.compile(
    rb"(?:\s|<\?xml[^>]*>|<!--.*?-->|<!DOCTYPE[^>]*>)*<(svg|html)", re.DOTALL | re.IGNORECASE
)
WORDS = {
    b"svg": ("an SVG drawing", "render it as a PNG"),
    b"html": ("a web page", "the download went wrong: save the picture itself"),
}
VIDEO = ("a video", "cut out one frame and save it as a PNG")
RAW = ("a RAW photograph", DEVELOP)


def format_of(data: bytes) -> str | None:
    """The format that will be tried, by signature: Pillow's name, "HEIF", or None for no picture.

    MPO, a JPEG with more pictures behind it, is "JPEG".
    """
    for signature, name in SIGNATURES.items():
        if data.startswith(signature):
            return name if data[8:10] != b"CR" else None  # Canon's RAW begins like a TIFF
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    brands = _brands(data)
    if brands & AVIF_BRANDS:
        return "AVIF"
    return "HEIF" if brands & HEIC_BRANDS else None


def other_kind(data: bytes) -> tuple[str, str] | None:
    """What bytes that are no picture are, and what to do about them; None where nobody knows."""
    brands = _brands(data)
    if brands:
        return RAW if b"crx " in brands else VIDEO
    if data[8:10] == b"CR":
        return RAW
    markup = MARKUP.match(data[:HEAD].removeprefix(b"\xef\xbb\xbf"))
    if markup is not None:
        return WORDS[markup[1].lower()]
    if PORTABLE.match(data):
        return "a portable anymap (PNM)", CONVERT
    return next((kind for start, kind in OTHERS.items() if data.startswith(start)), None)


def _brands(data: bytes) -> set[bytes]:
    """Major and compatible brands of an ISO base media file."""
    if data[4:8] != b"ftyp":
        return set()
    end = min(int.from_bytes(data[:4], "big"), 256, len(data))
    return {data[8:12]} | {data[at : at + 4] for at in range(16, end - 3, 4)}
