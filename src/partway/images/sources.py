"""Whatever a program hands us as a picture, as the bytes of an image file."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from partway.errors import InvalidRequest, UnreadableImage
from partway.images.carried import carried_by
from partway.images.read import MAX_BYTES, check_bytes, check_size
from partway.images.write import STORABLE, encode

ImageLike: TypeAlias = (
    "Image.Image | str | os.PathLike[str] | bytes | io.BufferedIOBase | NDArray[np.uint8]"
)


def read_bytes(source: ImageLike) -> bytes:
    """The bytes of an image file, for a path, bytes, an open file, a PIL image or a uint8 array.

    Arrays are (H, W), (H, W, 3) or (H, W, 4). Images and arrays are encoded without loss, with
    the profile and what else they carry. UnreadableImage where there is no such file, where the
    array is of another kind, and for anything beyond the limits, before it takes memory.
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        check_bytes(len(memoryview(source).cast("B")), "the source")
        return bytes(source)
    if isinstance(source, io.BufferedIOBase):
        return source.read(MAX_BYTES + 1)
    if isinstance(source, (str, os.PathLike)):
        return _read_file(Path(source))
    if isinstance(source, np.ndarray):
        return _encoded(_image_of(source))
    if not isinstance(source, Image.Image):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise UnreadableImage(
            f"a {type(source).__name__} is no picture: want a path, bytes, a PIL image or an array"
        )
    return _encoded(source)


def _image_of(array: NDArray[np.uint8]) -> Image.Image:
    """An array as an image."""
    if array.dtype != np.uint8 or array.ndim not in {2, 3}:
        raise UnreadableImage(
            f"array of {array.dtype} with shape {array.shape}: want uint8 (H, W), "
            "(H, W, 3) or (H, W, 4)"
        )
    check_size((array.shape[1], array.shape[0]), "the array")
    try:
        return Image.fromarray(array)
    except (TypeError, ValueError) as error:
        raise UnreadableImage(f"array of shape {array.shape} is no picture") from error


def _encoded(image: Image.Image) -> bytes:
    """An image as a file that loses nothing of it: PNG, or TIFF for what PNG cannot hold."""
    check_size(image.size, "the image")
    try:
        upright = ImageOps.exif_transpose(image)
        carried, _ = carried_by(image)
        format_name = "TIFF" if image.mode in set(STORABLE["TIFF"]) - {*STORABLE["PNG"]} else "PNG"
        return encode(upright, format_name, carried, fast=True)
    except (OSError, ValueError, InvalidRequest) as error:
        raise UnreadableImage(f"a {image.mode} image cannot be read: convert it to RGB") from error


def _read_file(path: Path) -> bytes:
    """Read a file within the byte limit, however large it says it is."""
    try:
        with path.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            if size > MAX_BYTES:
                raise UnreadableImage(f"{path} has {size:,} bytes, allowed are {MAX_BYTES:,}")
            return stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise UnreadableImage(f"{path} cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # a NUL in the name
        raise UnreadableImage(f"{str(path)!r} cannot be a file name: {error}") from error
