"""Strength 0: the file itself where writing it anew would lose something, without the place."""

from __future__ import annotations

import io
import zlib

import numpy as np
import pytest
from made import chunk, encoded, png
from numpy.typing import NDArray
from PIL import Image
from test_carried import photo

from partway import edit, images
from partway.images.carried import GPS_IFD


@pytest.mark.parametrize("format_name", ["JPEG", "WEBP", "AVIF"])
@pytest.mark.parametrize("keep_gps", [False, True])
def test_a_lossy_file_comes_back_as_it_was(format_name: str, *, keep_gps: bool) -> None:
    source = photo(format_name)
    data = edit(source, "anything", strength=0).encode(format_name, keep_gps=keep_gps)[0]
    assert len(data) == len(source)
    assert (data == source) == keep_gps
    was, now = Image.open(io.BytesIO(source)), Image.open(io.BytesIO(data))
    assert np.array_equal(np.asarray(was), np.asarray(now))
    assert now.getexif()[0x013B] == "an artist"
    assert (48.0, 12.0, 0.0) in was.getexif().get_ifd(GPS_IFD).values()
    place = now.getexif().get_ifd(GPS_IFD)
    assert place == (was.getexif().get_ifd(GPS_IFD) if keep_gps else {})
    assert (b"48,12N" in data) == (b"16,22E" in data) == keep_gps


def test_a_quality_or_another_format_is_written_anew() -> None:
    source = photo()
    result = edit(source, "anything", strength=0)
    small = result.encode("JPEG", quality=10, metadata=False)[0]
    assert len(small) < len(source)
    assert Image.open(io.BytesIO(small)).size == (64, 96)  # turned
    png = images.load(result.encode("PNG")[0])
    assert np.array_equal(png.rgb, images.load(source).rgb)


@pytest.mark.parametrize("keep_gps", [False, True])
def test_sixteen_bits_per_colour_come_back(*, keep_gps: bool) -> None:
    levels = np.arange(64 * 64 * 3, dtype=np.uint16).reshape(64, 64, 3) * 5
    source = _png16(levels)
    result = edit(source, "anything", strength=0)
    assert result.encode("PNG", keep_gps=keep_gps)[0] == source
    assert images.load(source).deep


def test_a_lossless_file_is_written_anew_without_its_place() -> None:
    data = edit(photo("PNG"), "anything", strength=0).encode("PNG")[0]
    assert not Image.open(io.BytesIO(data)).getexif().get_ifd(GPS_IFD)


def test_results_carry_the_photographs_facts() -> None:
    result = edit(photo(), "red", strength=0.4, model="analytic", steps=2)
    for keep_gps in (False, True):
        exif = Image.open(io.BytesIO(result.encode("JPEG", keep_gps=keep_gps)[0])).getexif()
        assert exif[0x013B] == "an artist"
        assert bool(exif.get_ifd(GPS_IFD)) == keep_gps


def test_what_is_no_such_file_is_not_copied(icon: Image.Image) -> None:
    assert images.same_stream(encoded(icon), "PNG", deep=False, keep_gps=True) is None
    assert images.same_stream(encoded(icon, "JPEG"), "PNG", deep=True, keep_gps=True) is None


def _png16(levels: NDArray[np.uint16]) -> bytes:
    """A PNG of 16 bits per colour, which Pillow itself cannot write."""
    height, width, _ = levels.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in levels)
    return png(width, height, chunk(b"IDAT", zlib.compress(rows)), bits=16)
