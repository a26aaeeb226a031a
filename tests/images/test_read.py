from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made import encoded
from PIL import Image

from partway import images
from partway.errors import UnreadableImage


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied(orientation: int, icon: Image.Image) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = images.load(encoded(icon, exif=exif))
    assert picture.extent == ((96, 64) if orientation < 5 else (64, 96))
    corner = {1: (0, 0), 2: (0, 95), 3: (63, 95), 4: (63, 0)}
    if orientation in corner:
        y, x = corner[orientation]
        assert np.array_equal(picture.rgb[0, 0], np.asarray(icon)[y, x])
    assert picture.image.getexif().get(0x0112, 1) == 1


def test_animations_give_their_first_frame_and_say_so(icon: Image.Image) -> None:
    stream = io.BytesIO()
    icon.save(stream, "GIF", save_all=True, append_images=[icon.rotate(90), icon.rotate(180)])
    picture = images.load(stream.getvalue(), "fun.gif")
    assert picture.notes == ("fun.gif is animated: only its first frame is used",)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is empty"),
        (b"hello", "no picture that can be read: want PNG"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 40, "x.png is"),
        (b"%PDF-1.4", "no picture"),
    ],
)
def test_unreadable(data: bytes, says: str) -> None:
    with pytest.raises(UnreadableImage, match=says):
        images.load(data, "x.png")


def test_truncated_files_are_refused(icon: Image.Image) -> None:
    for format_name in ("PNG", "JPEG", "WEBP"):
        data = encoded(icon, format_name)
        with pytest.raises(UnreadableImage):
            images.load(data[: len(data) // 2])


@given(st.binary(max_size=200), st.integers(0, 400))
def test_mutants_give_a_picture_or_a_typed_error(noise: bytes, at: int) -> None:
    good = bytearray(encoded(Image.new("RGB", (9, 7), "teal")))
    good[at : at + len(noise)] = noise
    with contextlib.suppress(UnreadableImage):
        assert images.load(bytes(good)).rgb.ndim == 3


def test_too_many_pixels_are_refused_before_decoding() -> None:
    data = encoded(Image.new("1", (7000, 7000)))
    with pytest.raises(UnreadableImage, match=r"7000×7000 = 49 megapixels, allowed are 36"):
        images.load(data)


def test_long_strips_are_refused_before_decoding() -> None:
    with pytest.raises(UnreadableImage, match="each side may have 16384"):
        images.load(encoded(Image.new("1", (20_000, 1))))
