"""Image files and arrays: bytes in, pixels out, and back.

What a model sees is 8-bit RGB, read as sRGB, with EXIF orientation applied and transparency
composited on white. Embedded colour profiles are not converted yet.
The source's own mode, pixels and alpha stay beside it: strength 0 returns them untouched, and a
result keeps the source's alpha.
"""

from __future__ import annotations

import hashlib
import io
import os
import secrets
import struct
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from partway.errors import InvalidRequest, OutputExists, UnreadableImage
from partway.geometry import Canvas, Extent

if TYPE_CHECKING:
    from partway.denoiser import Array

Pixels: TypeAlias = NDArray[np.uint8]
ImageLike: TypeAlias = (
    "Image.Image | str | os.PathLike[str] | bytes | io.BufferedIOBase | NDArray[np.uint8]"
)

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
SUFFIXES = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".tif": "TIFF",
            ".tiff": "TIFF", ".bmp": "BMP"}  # fmt: skip
MAX_BYTES = 64 * 2**20
MAX_PIXELS = 36_000_000
MAX_SIDE = 16_384
SAVE_OPTIONS = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"lossless": True}}
OPAQUE = {"JPEG", "BMP"}
STORABLE = {
    "PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
    "WEBP": ("RGB", "RGBA"),
}  # modes written as they are; others are converted

# What Pillow's decoders raise on broken files, beside OSError.
BROKEN = (OSError, ValueError, SyntaxError, EOFError, KeyError, IndexError, TypeError,
          OverflowError, MemoryError, RuntimeError, NotImplementedError, struct.error,
          UnidentifiedImageError, Image.DecompressionBombError,
          Image.DecompressionBombWarning)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Picture:
    """A decoded source.

    image    as in the file (own mode), first frame, orientation applied
    rgb      (H, W, 3) uint8, transparency composited on white
    alpha    (H, W) uint8, or None where the source is opaque
    digest   SHA-256 of the file's bytes
    notes    what was left out, for the person who asked
    """

    image: Image.Image
    rgb: Pixels
    alpha: Pixels | None
    digest: str
    notes: tuple[str, ...] = ()

    @property
    def nbytes(self) -> int:
        """Memory it takes, about."""
        area = self.image.width * self.image.height
        return self.rgb.nbytes + area * (4 if self.alpha is None else 5)

    @property
    def extent(self) -> Extent:
        """Width and height."""
        return Extent(*self.image.size)


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


def read_bytes(source: ImageLike) -> bytes:
    """The bytes of an image file, for a path, bytes, an open file, a PIL image or a uint8 array.

    Arrays are (H, W), (H, W, 3) or (H, W, 4). Images and arrays are encoded as PNG, which keeps
    their pixels. UnreadableImage where there is no such file or the array is of another kind.
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        return bytes(source)
    if isinstance(source, io.BufferedIOBase):
        return source.read(MAX_BYTES + 1)
    if isinstance(source, (str, os.PathLike)):
        return _read_file(Path(source))
    if isinstance(source, np.ndarray):
        if source.dtype != np.uint8 or source.ndim not in {2, 3}:
            raise UnreadableImage(
                f"array of {source.dtype} with shape {source.shape}: want uint8 (H, W), "
                "(H, W, 3) or (H, W, 4)"
            )
        try:
            source = Image.fromarray(source)
        except (TypeError, ValueError) as error:
            raise UnreadableImage(f"array of shape {source.shape} is no picture") from error
    if not isinstance(source, Image.Image):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise UnreadableImage(
            f"a {type(source).__name__} is no picture: want a path, bytes, a PIL image or an array"
        )
    stream = io.BytesIO()
    try:
        ImageOps.exif_transpose(source).save(stream, "PNG", compress_level=1)
    except (OSError, ValueError) as error:
        raise UnreadableImage(f"a {source.mode} image cannot be read: convert it to RGB") from error
    return stream.getvalue()


def _read_file(path: Path) -> bytes:
    """Read a file within the byte limit."""
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise UnreadableImage(f"{path} has {size:,} bytes, allowed are {MAX_BYTES:,}")
        return path.read_bytes()
    except OSError as error:
        raise UnreadableImage(f"{path} cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # a NUL in the name
        raise UnreadableImage(f"{str(path)!r} cannot be a file name: {error}") from error


def load(data: bytes, name: str = "the source") -> Picture:
    """Decode the bytes of an image file.

    PNG, JPEG, WebP, GIF, BMP, TIFF and AVIF up to 64 MiB and 36 megapixels; of animations the
    first frame. UnreadableImage says what was wrong with anything else.
    """
    if len(data) > MAX_BYTES:
        raise UnreadableImage(f"{name} has {len(data):,} bytes, allowed are {MAX_BYTES:,}")
    if not data:
        raise UnreadableImage(f"{name} is empty: no bytes in it")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # metadata oddities; bombs are refused by size below
            image = Image.open(io.BytesIO(data), formats=FORMATS)
            width, height = image.size
            if max(width, height) > MAX_SIDE:
                raise UnreadableImage(
                    f"{name} is {width}×{height}, each side may have {MAX_SIDE} pixels: "
                    "scale it down or cut it first"
                )
            if width * height > MAX_PIXELS:
                raise UnreadableImage(
                    f"{name} is {width}×{height} = {width * height / 1e6:.0f} megapixels, "
                    f"allowed are {MAX_PIXELS / 1e6:.0f}: scale it down first"
                )
            frames = getattr(image, "n_frames", 1)
            image.load()
            image = ImageOps.exif_transpose(image)
            rgb, alpha = _decompose(image)
    except UnreadableImage:
        raise
    except UnidentifiedImageError as error:
        raise UnreadableImage(
            f"{name} is no picture that can be read: want {', '.join(FORMATS)}"
        ) from error
    except BROKEN as error:
        raise UnreadableImage(f"{name} is damaged or not supported: {error}") from error
    notes = (f"{name} is animated: only its first frame is used",) if frames > 1 else ()
    return Picture(image, rgb, alpha, hashlib.sha256(data).hexdigest(), notes)


def _decompose(image: Image.Image) -> tuple[Pixels, Pixels | None]:
    """8-bit RGB on white, and alpha where anything is transparent."""
    if image.mode.startswith("I") or image.mode == "F":
        image = _eight_bit(image)
    if not image.has_transparency_data:
        return np.asarray(image.convert("RGB")), None
    rgba = np.asarray(image.convert("RGBA"))
    alpha = rgba[..., 3]
    if alpha.min() == 255:
        return np.ascontiguousarray(rgba[..., :3]), None
    share = alpha[..., None].astype(np.float32) / 255.0
    white = 255.0 - share * (255.0 - rgba[..., :3].astype(np.float32))
    return np.rint(white).astype(np.uint8), np.ascontiguousarray(alpha)


def _eight_bit(image: Image.Image) -> Image.Image:
    """16-bit greys scaled to 8 bit; wider types are clipped to 16 bit first."""
    values = np.asarray(image, dtype=np.float64)
    scaled = np.rint(np.clip(np.nan_to_num(values), 0, 65535) / 257.0)
    grey = Image.fromarray(scaled.astype(np.uint8))
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):  # one grey value is the background
        grey.putalpha(Image.fromarray(np.where(values == transparent, 0, 255).astype(np.uint8)))
    return grey


def to_canvas(rgb: Pixels, canvas: Canvas) -> Array:
    """(H, W, 3) uint8 → (3, h, w) float32 in [-1, 1] on the canvas, padded by reflection."""
    scaled = _resize(rgb, canvas.fitted)
    pad_x = canvas.padded.width - canvas.fitted.width
    pad_y = canvas.padded.height - canvas.fitted.height
    if pad_x or pad_y:
        scaled = np.pad(scaled, ((0, pad_y), (0, pad_x), (0, 0)), mode="symmetric")
    return np.ascontiguousarray(scaled.transpose(2, 0, 1)).astype(np.float32) / 127.5 - 1.0


def from_canvas(image: Array, canvas: Canvas) -> Array:
    """(3, h, w) in [-1, 1] on the canvas → (H, W, 3) float32 in 0 … 255 at the source's size."""
    cropped = image[:, : canvas.fitted.height, : canvas.fitted.width].transpose(1, 2, 0)
    values = np.clip((cropped + 1.0) * 127.5, 0.0, 255.0).astype(np.float32)
    if canvas.fitted == canvas.source:
        return values
    channels = [
        np.asarray(
            Image.fromarray(np.ascontiguousarray(values[..., c])).resize(
                canvas.source, Image.Resampling.LANCZOS
            )
        )
        for c in range(3)
    ]
    return np.clip(np.stack(channels, axis=-1), 0.0, 255.0)


def _resize(rgb: Pixels, size: Extent) -> Pixels:
    """Lanczos to `size`; the same array where it already fits."""
    if (rgb.shape[1], rgb.shape[0]) == size:
        return rgb
    return np.asarray(Image.fromarray(rgb).resize(size, Image.Resampling.LANCZOS))


def compose(values: Array, picture: Picture | None) -> Image.Image:
    """(H, W, 3) result in 0 … 255 as an image carrying the source's alpha.

    The model saw the source on white; what shows through an alpha a is un-mixed from it,
    rgb = 255 - (255 - value) / a. Where a is 0 the source's own hidden colours stay.
    """
    if picture is None or picture.alpha is None:
        return Image.fromarray(np.rint(values).astype(np.uint8))
    share = picture.alpha[..., None].astype(np.float32) / 255.0
    unmixed = 255.0 - (255.0 - values) / np.maximum(share, 1 / 255.0)
    hidden = np.asarray(picture.image.convert("RGBA"))[..., :3]
    rgb = np.where(share > 0.0, np.clip(unmixed, 0.0, 255.0), hidden)
    return Image.fromarray(np.dstack([np.rint(rgb).astype(np.uint8), picture.alpha]))


def rgb_of(image: Image.Image) -> Pixels:
    """(H, W, 3) uint8 of a result, transparency composited on white."""
    return _decompose(image)[0]


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
            image = _eight_bit(image)
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


def write_whole(data: bytes, path: Path, *, overwrite: bool = False) -> None:
    """Write a file through a temporary one in the same folder, flushed to disk, then renamed."""
    temporary = path.parent / f".partway-{secrets.token_hex(8)}.tmp"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("xb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            _publish(temporary, path, overwrite=overwrite)
        finally:
            temporary.unlink(missing_ok=True)
    except FileExistsError as error:
        raise OutputExists(f"{path} exists: choose another name or add --force") from error
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be written: {error.strerror or error}") from error


def _publish(temporary: Path, path: Path, *, overwrite: bool) -> None:
    """Give a finished temporary file its name; never replaces a file unasked, even in a race."""
    if overwrite:
        temporary.replace(path)
        return
    try:
        os.link(temporary, path)  # fails where the name is taken
    except FileExistsError:
        raise
    except OSError:  # no hard links on this file system: reserve the name, then fill it
        path.touch(exist_ok=False)
        temporary.replace(path)
