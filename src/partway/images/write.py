"""A picture to the bytes of an image file, in the format its name says.

PNG, TIFF    lossless; greys of 16 bits stay so
WebP         lossless, or lossy at a quality
JPEG, AVIF   lossy, at a quality
BMP          lossless, no alpha, nothing carried
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo

from partway.errors import InvalidRequest, OutputExists
from partway.images import color_profiles
from partway.images.carried import NOTHING, Carried
from partway.images.modes import on_white, split
from partway.images.whole_files import write_whole

SUFFIXES = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".avif": "AVIF",
            ".tif": "TIFF", ".tiff": "TIFF", ".bmp": "BMP"}  # fmt: skip
LOSSY = ("JPEG", "WEBP", "AVIF")  # what a quality can be asked of
OPAQUE = {"JPEG", "BMP"}
STORABLE = {
    "PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
    "JPEG": ("L", "RGB"),
    "WEBP": ("RGB", "RGBA"),
    "AVIF": ("RGB", "RGBA"),
    "TIFF": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16", "I;16B", "CMYK", "LAB", "I", "F"),
    "BMP": ("L", "RGB"),
}  # modes written as they are; others are converted
FINE = 90  # quality from which colour is kept at full resolution


def format_for(path: Path) -> str:
    """Pillow's format name for an output file; InvalidRequest for an unknown suffix."""
    if path.suffix.lower() not in SUFFIXES:
        raise InvalidRequest(
            f"{path.name!r} has no suffix that can be written: want one of {', '.join(SUFFIXES)}"
        )
    return SUFFIXES[path.suffix.lower()]


def check_quality(quality: int | None, format_name: str) -> None:
    """InvalidRequest for a quality out of range, or asked of a format that loses nothing."""
    if quality is None:
        return
    if not 1 <= quality <= 100:
        raise InvalidRequest(f"quality is {quality}, want 1 (smallest file) to 100 (best)")
    if format_name not in LOSSY:
        raise InvalidRequest(
            f"quality is for .jpg, .webp and .avif: {format_name} keeps every pixel"
        )


def encode(
    image: Image.Image,
    format_name: str,
    carried: Carried = NOTHING,
    *,
    quality: int | None = None,
    fast: bool = False,
) -> bytes:
    """The bytes of an image file, with what it carries beside its pixels.

    A mode the format cannot hold becomes RGB, or RGBA where it is transparent; formats without
    alpha get the picture on white. Where that leaves a profile's colour space (CMYK, grey), the
    pixels become sRGB. InvalidRequest where the format cannot hold that size.

    quality  1 … 100 of a lossy format; None is 95 for JPEG, 90 for AVIF, lossless for WebP
    fast     a PNG is written quickly and larger
    """
    check_quality(quality, format_name)
    icc = carried.icc or image.info.get("icc_profile")
    if image.mode not in STORABLE[format_name]:
        image, icc = _converted(image, format_name, icc)
    stream = io.BytesIO()
    options = _quality(format_name, quality) | _extras(format_name, carried)
    if fast and format_name == "PNG":
        options["compress_level"] = 1
    try:
        image.save(stream, format_name, icc_profile=icc, **options)
    except (OSError, ValueError) as error:
        raise InvalidRequest(
            f"{image.width}×{image.height} cannot be written as {format_name} ({error}): try .png"
        ) from error
    return stream.getvalue()


def _converted(
    image: Image.Image, format_name: str, icc: bytes | None
) -> tuple[Image.Image, bytes | None]:
    """An image in a mode that the format holds, and the profile it is in then."""
    colors, alpha = split(image)
    if colors.mode not in STORABLE[format_name]:
        stays = icc is not None and color_profiles.for_results(icc) == icc
        colors = color_profiles.to_srgb(colors, None if stays else icc)
        icc = icc if stays or icc is None else color_profiles.srgb()
    if alpha is not None and format_name in OPAQUE:
        colors = on_white(colors, alpha)
    elif alpha is not None:
        colors = colors.copy()
        colors.putalpha(alpha)
        if colors.mode not in STORABLE[format_name]:
            colors = colors.convert("RGBA")
    return colors, icc


def _quality(format_name: str, quality: int | None) -> dict[str, Any]:
    """How strongly a format compresses, as Pillow's options."""
    fine = quality is None or quality >= FINE
    if format_name == "JPEG":
        return {"quality": quality or 95, "subsampling": 0 if fine else 2}
    if format_name == "AVIF":
        colors = "4:4:4" if fine else "4:2:0"
        return {"quality": quality or 90, "subsampling": colors, "speed": 9}
    if format_name == "WEBP":
        return {"lossless": True} if quality is None else {"quality": quality}
    return {}


def _extras(format_name: str, carried: Carried) -> dict[str, Any]:
    """What a file carries, as Pillow's options of its format."""
    options: dict[str, Any] = {}
    if carried.dpi is not None:
        options["dpi"] = carried.dpi
    if format_name == "TIFF":
        return options | _tiff_tags(carried)
    if carried.exif is not None:
        options["exif"] = carried.exif
    if format_name == "PNG":  # has chunks of its own for text, and no option for XMP
        chunks = PngInfo()
        for key, value in carried.text.items():
            chunks.add_itxt(key, value)
        if carried.xmp is not None:
            chunks.add_itxt("XML:com.adobe.xmp", carried.xmp.decode("utf-8"))
        options["pnginfo"] = chunks
    elif carried.xmp is not None and format_name in {"JPEG", "WEBP", "AVIF"}:
        options["xmp"] = carried.xmp
    return options


def _tiff_tags(carried: Carried) -> dict[str, Any]:
    """EXIF and XMP as tags of a TIFF, and its compression.

    Pillow writes the directories of camera and place into uncompressed files only.
    """
    exif = Image.Exif()
    if carried.exif is not None:
        exif.load(carried.exif)
    nested = ExifTags.IFD.Exif in exif or ExifTags.IFD.GPSInfo in exif
    if carried.xmp is not None:
        exif[ExifTags.Base.XMLPacket] = carried.xmp
    return {"exif": exif, "compression": "raw" if nested else "tiff_adobe_deflate"}


def save(
    image: Image.Image,
    path: Path,
    *,
    overwrite: bool = False,
    carried: Carried = NOTHING,
    quality: int | None = None,
) -> None:
    """Write an image so that the file is either whole or not there.

    OutputExists where the file exists and `overwrite` is not set; InvalidRequest where the
    format cannot hold the picture or the folder cannot be written.
    """
    format_name = format_for(path)
    if path.exists() and not overwrite:
        raise OutputExists(f"{path} exists: choose another name or add --force")
    data = encode(image, format_name, carried, quality=quality)
    write_whole(data, path, overwrite=overwrite)
