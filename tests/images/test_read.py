from __future__ import annotations

import contextlib
import io
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made import encoded
from PIL import Image

from partway import images
from partway.errors import UnreadableImage

# How a viewer turns what is stored, by EXIF orientation.
TURNS = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@pytest.mark.parametrize("format_name", ["PNG", "JPEG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", TURNS)
def test_orientation_is_applied_and_reset(
    orientation: int, format_name: str, icon: Image.Image
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(icon, format_name, exif=exif)
    picture = images.load(data)
    stored = Image.open(io.BytesIO(data)).convert("RGB")
    seen = icon if format_name == "TIFF" else stored  # Pillow turns TIFFs itself
    turn = TURNS[orientation]
    seen = seen if turn is None else seen.transpose(turn)
    assert np.array_equal(picture.rgb, np.asarray(seen))
    assert picture.image.getexif().get(0x0112, 1) == 1
    written = Image.open(io.BytesIO(images.encode(picture.image, "JPEG", picture.carried)))
    assert written.getexif().get(0x0112, 1) == 1


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


def test_heic_is_read_where_the_extra_is_installed() -> None:
    picture = images.load((Path(__file__).parent / "data" / "drawing.heic").read_bytes())
    assert picture.rgb.shape[2] == 3
    assert picture.rgb.std() > 10


def test_heic_without_the_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    data = (Path(__file__).parent / "data" / "drawing.heic").read_bytes()
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    with pytest.raises(UnreadableImage, match=r"pip install 'partway\[heif\]'"):
        images.load(data)
