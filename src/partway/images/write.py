"""A picture to the bytes of an image file, in the format its name says."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from partway.errors import InvalidRequest, OutputExists
from partway.images.carried import NOTHING, Carried
from partway.images.modes import eight_bit, rgb_of
from partway.images.whole_files import write_whole

SUFFIXES = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".tif": "TIFF",
            ".tiff": "TIFF", ".bmp": "BMP"}  # fmt: skip
SAVE_OPTIONS = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"lossless": True}}
OPAQUE = {"JPEG", "BMP"}
STORABLE = {
    "PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
    "WEBP": ("RGB", "RGBA"),
}  # modes written as they are; others are converted


def format_for(path: Path) -> str:
    """Pillow's format name for an output file; InvalidRequest for an unknown suffix."""
    if path.suffix.lower() not in SUFFIXES:
        raise InvalidRequest(
            f"{path.name!r} has no suffix that can be written: want one of {', '.join(SUFFIXES)}"
        )
    return SUFFIXES[path.suffix.lower()]


def encode(image: Image.Image, format_name: str, carried: Carried = NOTHING) -> bytes:
    """The bytes of an image file, with what it carries beside its pixels.

    A mode the format cannot hold becomes RGB, or RGBA where it is transparent; formats without
    alpha get the picture on white. InvalidRequest where the format cannot hold that size.
    """
    if format_name in OPAQUE and image.mode not in {"L", "RGB"}:
        image = Image.fromarray(rgb_of(image))
    elif image.mode not in STORABLE.get(format_name, (image.mode,)):
        if image.mode in {"I", "F"}:
            image = eight_bit(image)
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    stream = io.BytesIO()
    options = SAVE_OPTIONS.get(format_name, {}) | _extras(format_name, carried)
    try:
        image.save(stream, format_name, **options)
    except (OSError, ValueError) as error:
        raise InvalidRequest(
            f"{image.width}×{image.height} cannot be written as {format_name} ({error}): try .png"
        ) from error
    return stream.getvalue()


def _extras(format_name: str, carried: Carried) -> dict[str, Any]:
    """What a file carries, as Pillow's options of its format."""
    options: dict[str, Any] = {}
    if carried.icc is not None:
        options["icc_profile"] = carried.icc
    if carried.exif is not None:
        options["exif"] = carried.exif
    if carried.dpi is not None:
        options["dpi"] = carried.dpi
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


def save(
    image: Image.Image, path: Path, *, overwrite: bool = False, carried: Carried = NOTHING
) -> None:
    """Write an image so that the file is either whole or not there.

    OutputExists where the file exists and `overwrite` is not set; InvalidRequest where the
    format cannot hold the picture or the folder cannot be written.
    """
    format_name = format_for(path)
    if path.exists() and not overwrite:
        raise OutputExists(f"{path} exists: choose another name or add --force")
    write_whole(encode(image, format_name, carried), path, overwrite=overwrite)
