from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from partway import images
from partway.errors import InvalidRequest


def test_formats_by_suffix(icon: Image.Image, tmp_path: Path) -> None:
    for suffix in images.SUFFIXES:
        path = tmp_path / f"x{suffix}"
        images.save(icon.convert("RGBA"), path)
        with Image.open(path) as written:
            assert written.size == (96, 64)
    with pytest.raises(InvalidRequest, match=r"want one of \.png"):
        images.save(icon, tmp_path / "x.gif")


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "LAB", "F", "I", "YCbCr"]
)
@pytest.mark.parametrize("format_name", ["PNG", "JPEG", "WEBP", "TIFF", "BMP"])
def test_every_mode_can_be_written(mode: str, format_name: str, icon: Image.Image) -> None:
    source = icon.convert("L").convert(mode) if mode in {"F", "I"} else icon.convert(mode)
    assert images.load(images.encode(source, format_name)).extent == (96, 64)


def test_what_a_format_cannot_hold_is_a_typed_error(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match=r"20000×1 cannot be written as WEBP.*try \.png"):
        images.save(Image.new("RGB", (20_000, 1)), tmp_path / "x.webp")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("format_name", ["PNG", "JPEG", "WEBP"])
def test_files_carry_what_they_are_given(format_name: str, icon: Image.Image) -> None:
    exif = Image.Exif()
    exif[0x013B] = "an artist"
    packet = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"
    carried = images.Carried(exif=exif.tobytes(), xmp=packet, dpi=(300, 300), text={"a": "é"})
    again = Image.open(io.BytesIO(images.encode(icon, format_name, carried)))
    assert again.getexif()[0x013B] == "an artist"
    found = again.info["XML:com.adobe.xmp"] if format_name == "PNG" else again.info["xmp"]
    assert found in {packet, packet.decode()}
    if format_name == "PNG":
        assert again.info["a"] == "é"
    if format_name != "WEBP":
        assert round(again.info["dpi"][0]) == 300
