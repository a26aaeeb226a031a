"""Whatever a program hands us as a picture, as the bytes of an image file."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from partway.errors import UnreadableImage
from partway.images.read import MAX_BYTES

ImageLike: TypeAlias = (
    "Image.Image | str | os.PathLike[str] | bytes | io.BufferedIOBase | NDArray[np.uint8]"
)


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
