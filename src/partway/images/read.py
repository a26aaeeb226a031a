"""Bytes to a picture: an allow-list of formats, limits before memory is spent, typed errors."""

from __future__ import annotations

import hashlib
import io
import struct
import warnings
from collections.abc import Collection, Generator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from partway.errors import UnreadableImage
from partway.images import color_profiles, modes
from partway.images.carried import carried_by
from partway.images.kinds import format_of, other_kind
from partway.images.picture import Picture

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
MAX_BYTES = 64 * 2**20
MAX_UPLOAD = 20 * 2**20  # bytes of a picture that strangers may send
MAX_PIXELS = 36_000_000
MAX_SIDE = 16_384
MAX_SCANS = 200  # of a progressive JPEG; encoders write about ten, each costs a pass over it
MAX_FRAMES = 20_000
GIF_FRAME = b"\0,"  # the end of a block and an image's beginning: rare in compressed data

DNG_VERSION, NEW_SUBFILE_TYPE, SUB_IFDS = 50706, 254, 330  # tags of a TIFF

# What Pillow's decoders raise on broken files, beside OSError.
BROKEN = (OSError, ValueError, SyntaxError, EOFError, KeyError, IndexError, TypeError,
          AttributeError, ArithmeticError, MemoryError, RuntimeError, NotImplementedError,
          struct.error, UnidentifiedImageError,
          Image.DecompressionBombWarning)  # fmt: skip


def load(data: bytes, name: str = "the source", *, keep_gps: bool = False) -> Picture:
    """Decode the bytes of an image file.

    PNG, JPEG, WebP, GIF, BMP, TIFF and AVIF up to 64 MiB and 36 megapixels, HEIC with the extra
    for it; of animations of up to 20,000 frames the first. UnreadableImage says what was wrong
    with anything else.

    keep_gps  the picture's `carried` tells the place it was taken at
    """
    check_bytes(len(data), name)
    with _typed(name):
        image = _open(data, name)
        check_size(image.size, name)
        _check_frames(image, data, name)
        notes = _left_out(image, name)
        deep = _is_deep(image)
        image.load()
        check_size(image.size, name)
        carried, lost = carried_by(image, keep_gps=keep_gps)
        notes += [f"{name}: {each}, left out of the result" for each in lost]
        image = ImageOps.exif_transpose(image)
        colors, alpha = modes.split(image)
        icc = image.info.get("icc_profile")
        if icc and not color_profiles.suits(icc, colors.mode):
            notes += [f"{name}: its colour profile is broken or of another kind, read as sRGB"]
            icc = None
        image.info["icc_profile"] = icc or None
        rgb = np.asarray(modes.on_white(color_profiles.to_srgb(colors, icc or None), alpha))
        return Picture(
            image=image,
            rgb=rgb,
            alpha=None if alpha is None else np.asarray(alpha),
            digest=hashlib.sha256(data).hexdigest(),
            notes=tuple(notes),
            profile=color_profiles.for_results(icc) if icc else None,
            carried=carried,
            deep=deep,
        )


@contextmanager
def opened(data: bytes, name: str = "the file") -> Generator[Image.Image]:
    """The bytes of an image file opened, not decoded, within the limits of `load`.

    Whatever Pillow raises on it inside the block becomes UnreadableImage.
    """
    check_bytes(len(data), name)
    with _typed(name), _open(data, name) as image:
        check_size(image.size, name)
        yield image


def check_bytes(count: int, name: str) -> None:
    """UnreadableImage for a file of no bytes or too many."""
    if count > MAX_BYTES:
        raise UnreadableImage(f"{name} has {count:,} bytes, allowed are {MAX_BYTES:,}")
    if not count:
        raise UnreadableImage(f"{name} is empty: no bytes in it")


def check_size(size: tuple[int, int], name: str) -> None:
    """UnreadableImage for a picture of no pixels or too many."""
    width, height = size
    if min(size) < 1:
        raise UnreadableImage(f"{name} is {width}×{height}: no pixels in it")
    if max(size) > MAX_SIDE:
        raise UnreadableImage(
            f"{name} is {width}×{height}, each side may have {MAX_SIDE} pixels: "
            "scale it down or cut it first"
        )
    if width * height > MAX_PIXELS:
        raise UnreadableImage(
            f"{name} is {width}×{height} = {width * height / 1e6:.0f} megapixels, "
            f"allowed are {MAX_PIXELS / 1e6:.0f}: scale it down first"
        )


@contextmanager
def _typed(name: str) -> Generator[None]:
    """Whatever a decoder raises as UnreadableImage; its warnings are not for the user."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # metadata oddities; bombs are refused by size
            yield
    except UnreadableImage:
        raise
    except Image.DecompressionBombError as error:
        raise UnreadableImage(
            f"{name} is far too large: {error}. Allowed are {MAX_PIXELS / 1e6:.0f} megapixels: "
            "scale it down first"
        ) from error
    except BROKEN as error:
        reason = "the file is cut short or garbled" if _says_nothing(error) else str(error)
        raise UnreadableImage(
            f"{name} is damaged or not supported: {reason}; "
            "open it in an image editor and save it as a new PNG"
        ) from error


def _says_nothing(error: BaseException) -> bool:
    """Whether an error's text would only puzzle a person."""
    return isinstance(error, (UnidentifiedImageError, struct.error)) or not str(error).strip()


def _open(data: bytes, name: str) -> Image.Image:
    """The opened, undecoded image."""
    format_name = format_of(data)
    if format_name is None:
        readable = f"want {', '.join(FORMATS)}"
        kind = other_kind(data)
        if kind is None:
            raise UnreadableImage(f"{name} is no picture that can be read: {readable}")
        raise UnreadableImage(f"{name} is {kind[0]}, no picture that can be read: {kind[1]}")
    if format_name == "HEIF":
        _register_heif(name)
    elif format_name == "WEBP":  # its decoder takes memory when it is opened
        check_size(_webp_size(data), name)
    elif format_name == "JPEG" and data.count(b"\xff\xda") > MAX_SCANS:
        raise UnreadableImage(
            f"{name} has {data.count(bytes((0xFF, 0xDA)))} scans, allowed are {MAX_SCANS}: "
            "save it anew as a JPEG that is not progressive"
        )
    image = _decoder(data, format_name)
    tags = getattr(image, "tag_v2", {})
    if DNG_VERSION in tags or (tags.get(NEW_SUBFILE_TYPE) == 1 and SUB_IFDS in tags):
        raise UnreadableImage(
            f"{name} is a RAW photograph: develop it in a RAW converter and export a TIFF or JPEG"
        )
    return image


def _decoder(data: bytes, format_name: str) -> Image.Image:
    """Pillow's image of the file; one with more text than Pillow reads is opened without it."""
    try:
        return Image.open(io.BytesIO(data), formats=[format_name])
    except ValueError as error:
        if format_name != "PNG" or "MAX_TEXT" not in str(error):
            raise
        return Image.open(io.BytesIO(without_text(data)), formats=[format_name])


def _register_heif(name: str) -> None:
    """Teach Pillow HEIC, the first time one comes."""
    try:
        heif: Any = import_module("pi_heif")
    except ImportError as error:
        raise UnreadableImage(
            f"{name} is a HEIC photograph, which needs an extra: pip install 'partway[heif]', "
            "or export it as a JPEG"
        ) from error
    heif.register_heif_opener(thumbnails=False)


def without_text(png: bytes, keywords: Collection[str] | None = None) -> bytes:
    """A PNG without its text chunks: all, or those of these keywords."""
    pieces, at = [png[:8]], 8
    while at < len(png):
        end = at + 12 + int.from_bytes(png[at : at + 4], "big")
        keyword = png[at + 8 : end - 4].partition(b"\0")[0].decode("latin-1")
        text = png[at + 4 : at + 8] in {b"tEXt", b"zTXt", b"iTXt"}
        if not text or (keywords is not None and keyword not in keywords):
            pieces.append(png[at:end])
        at = end
    return b"".join(pieces)


def _webp_size(data: bytes) -> tuple[int, int]:
    """Width and height of a WebP by its first chunk; (1, 1) where that is cut short."""
    kind, body = data[12:16], data[20:30]
    if len(body) < 10:
        return 1, 1
    if kind == b"VP8X":
        return int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return struct.unpack("<H", body[6:8])[0] & 0x3FFF, struct.unpack("<H", body[8:10])[0] & 0x3FFF


def _check_frames(image: Image.Image, data: bytes, name: str) -> None:
    """UnreadableImage for an animation of far too many frames, counted without decoding any."""
    frames = 1
    if image.format == "GIF":
        frames = data.count(GIF_FRAME)
    elif image.format in {"PNG", "WEBP", "AVIF"}:  # have the number in their heads
        frames = int(getattr(image, "n_frames", 1))
    if frames > MAX_FRAMES:
        raise UnreadableImage(
            f"{name} has about {frames:,} frames, allowed are {MAX_FRAMES:,}: "
            "save its first frame as a PNG"
        )


def _left_out(image: Image.Image, name: str) -> list[str]:
    """A note where a file holds more pictures than one. Frames are never counted: that decodes."""
    if image.format == "MPO" or not getattr(image, "is_animated", False):
        return []
    if image.format == "TIFF":
        return [f"{name} has several pages: only the first is used"]
    return [f"{name} is animated: only its first frame is used"]


def _is_deep(image: Image.Image) -> bool:
    """Whether the file has more than 8 bits per channel."""
    if image.mode in {"I", "F"} or image.mode.startswith("I;16"):
        return True
    tiles = getattr(image, "tile", [])
    return any(";16" in str(tile[3]) for tile in tiles)
