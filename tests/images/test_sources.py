from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from made import encoded
from PIL import Image

from partway import images
from partway.errors import UnreadableImage


def test_read_bytes_of_everything(icon: Image.Image, icon_file: Path) -> None:
    array = np.asarray(icon)
    opened = io.BytesIO(icon_file.read_bytes())
    for source in (icon_file, str(icon_file), icon_file.read_bytes(), opened, icon, array):
        assert np.array_equal(images.load(images.read_bytes(source)).rgb, array)
    grey = images.load(images.read_bytes(array[..., 0])).rgb
    assert np.array_equal(grey[..., 1], array[..., 0])


@pytest.mark.parametrize(
    "array",
    [np.zeros((4, 4, 3), np.float32), np.zeros((4,), np.uint8), np.zeros((4, 4, 7), np.uint8)],
)
def test_arrays_of_other_kinds(array: np.ndarray) -> None:
    with pytest.raises(UnreadableImage, match="array of"):
        images.read_bytes(array)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UnreadableImage, match="No such file"):
        images.read_bytes(tmp_path / "none.png")
    with pytest.raises(UnreadableImage, match="directory"):
        images.read_bytes(tmp_path)


def test_a_pil_image_keeps_its_orientation(icon: Image.Image) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(icon, "JPEG", exif=exif)
    with Image.open(io.BytesIO(data)) as opened:
        assert images.load(images.read_bytes(opened)).extent == images.load(data).extent == (64, 96)


@pytest.mark.parametrize("source", [None, 5, object(), io.StringIO("x")])
def test_things_that_are_no_picture(source: object) -> None:
    with pytest.raises(UnreadableImage, match="is no picture"):
        images.read_bytes(source)  # pyright: ignore[reportArgumentType]


def test_a_path_with_a_nul() -> None:
    with pytest.raises(UnreadableImage, match="cannot be a file name"):
        images.read_bytes("a\0b.png")
