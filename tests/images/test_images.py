from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from partway import images
from partway.errors import InvalidRequest, OutputExists, UnreadableImage
from partway.geometry import Extent, canvas_for


def encoded(image: Image.Image, format_name: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format_name, **options)
    return stream.getvalue()


def test_common_modes_become_rgb_on_white(icon: Image.Image) -> None:
    for mode in ("RGB", "L", "P", "1", "CMYK", "YCbCr"):
        format_name = "JPEG" if mode in {"CMYK", "YCbCr"} else "PNG"
        picture = images.load(encoded(icon.convert(mode), format_name))
        assert picture.rgb.shape == (64, 96, 3)
        assert picture.rgb.dtype == np.uint8
        assert picture.alpha is None
        assert picture.extent == (96, 64)


def test_transparency_is_kept_apart(icon: Image.Image) -> None:
    rgba = icon.convert("RGBA")
    alpha = np.zeros((64, 96), np.uint8)
    alpha[:, 48:] = 255
    alpha[:, 40:48] = 128
    rgba.putalpha(Image.fromarray(alpha))
    picture = images.load(encoded(rgba))
    assert picture.alpha is not None
    assert np.array_equal(picture.alpha, alpha)
    assert (picture.rgb[:, :40] == 255).all()
    assert np.array_equal(picture.rgb[:, 48:], np.asarray(icon)[:, 48:])
    half = np.asarray(icon)[:, 40:48].astype(float) * (128 / 255) + 255 * (127 / 255)
    assert picture.rgb[:, 40:48] == pytest.approx(half, abs=0.51)


def test_opaque_alpha_is_no_alpha(icon: Image.Image) -> None:
    assert images.load(encoded(icon.convert("RGBA"))).alpha is None


def test_palette_transparency(icon: Image.Image) -> None:
    palette = icon.convert("P", palette=Image.Palette.ADAPTIVE)
    picture = images.load(encoded(palette, transparency=0))
    assert picture.alpha is not None
    assert picture.image.mode == "P"  # strength 0 returns the source in its own mode


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


def test_sixteen_bit_grey_is_scaled_not_cut() -> None:
    values = np.array([[0, 257, 32896, 65535]], np.uint16)
    picture = images.load(encoded(Image.fromarray(values)))
    assert picture.rgb[0, :, 0].tolist() == [0, 1, 128, 255]


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


def test_canvas_and_back_is_the_identity_at_native_size(icon: Image.Image) -> None:
    rgb = np.asarray(icon)
    canvas = canvas_for(Extent(96, 64), 78, 1)
    canvas = type(canvas)(canvas.source, Extent(96, 64), Extent(128, 64))
    tensor = images.to_canvas(rgb, canvas)
    assert tensor.shape == (3, 64, 128)
    assert -1.0 <= tensor.min() <= tensor.max() <= 1.0
    assert np.array_equal(tensor[:, :, 96:], tensor[:, :, 95:63:-1])  # reflected
    assert np.array_equal(np.rint(images.from_canvas(tensor, canvas)).astype(np.uint8), rgb)


def test_compose_gives_the_source_back_under_its_alpha(icon: Image.Image) -> None:
    rgba = icon.convert("RGBA")
    alpha = np.tile(np.linspace(0, 255, 96).astype(np.uint8), (64, 1))
    rgba.putalpha(Image.fromarray(alpha))
    picture = images.load(encoded(rgba))
    result = np.asarray(images.compose(picture.rgb.astype(np.float32), picture))
    assert np.array_equal(result[..., 3], alpha)
    # hidden colours stay, visible ones come back within what the mixing rounded away
    assert np.array_equal(result[:, 0], np.asarray(rgba)[:, 0])
    visible = alpha > 40
    difference = np.abs(result[..., :3].astype(int) - np.asarray(icon).astype(int))
    assert difference[visible].max() <= 255 / 40 / 2 + 1


def test_save_is_whole_or_nothing(icon: Image.Image, tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.png"
    images.save(icon, path)
    assert np.array_equal(images.load(path.read_bytes()).rgb, np.asarray(icon))
    before = path.read_bytes()
    with pytest.raises(OutputExists, match="--force"):
        images.save(icon.rotate(90), path)
    assert path.read_bytes() == before
    images.save(icon.rotate(180), path, overwrite=True)
    assert path.read_bytes() != before
    assert [p.name for p in path.parent.iterdir()] == ["a.png"]


def test_a_failing_write_leaves_the_old_file(
    icon: Image.Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.png"
    images.save(icon, path)
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InvalidRequest, match="No space left"):
        images.save(icon.rotate(180), path, overwrite=True)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_formats_by_suffix(icon: Image.Image, tmp_path: Path) -> None:
    for suffix in images.SUFFIXES:
        path = tmp_path / f"x{suffix}"
        images.save(icon.convert("RGBA"), path)
        with Image.open(path) as written:
            assert written.size == (96, 64)
    with pytest.raises(InvalidRequest, match=r"want one of \.png"):
        images.save(icon, tmp_path / "x.gif")


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


def test_sixteen_bit_grey_with_a_transparent_value() -> None:
    values = np.array([[0, 257, 65535]], np.uint16)
    picture = images.load(encoded(Image.fromarray(values), transparency=257))
    assert picture.alpha is not None
    assert picture.alpha.tolist() == [[255, 0, 255]]


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


def test_long_strips_are_refused_before_decoding() -> None:
    with pytest.raises(UnreadableImage, match="each side may have 16384"):
        images.load(encoded(Image.new("1", (20_000, 1))))


def test_file_systems_without_hard_links(
    icon: Image.Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", refuse)
    path = tmp_path / "a.png"
    images.save(icon, path)
    assert images.load(path.read_bytes()).extent == (96, 64)
    with pytest.raises(OutputExists):
        images.write_whole(b"other", path)
    assert images.load(path.read_bytes()).extent == (96, 64)
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_a_name_taken_meanwhile_is_not_replaced(icon: Image.Image, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"somebody else's")
    with pytest.raises(OutputExists):
        images.write_whole(b"ours", path)  # as after a check that found nothing
    assert path.read_bytes() == b"somebody else's"


def test_files_get_the_users_permissions(icon: Image.Image, tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        images.save(icon, tmp_path / "a.png")
    finally:
        os.umask(before)
    assert (tmp_path / "a.png").stat().st_mode & 0o777 == 0o640


def test_names_as_long_as_the_file_system_allows(icon: Image.Image, tmp_path: Path) -> None:
    path = tmp_path / ("n" * 250 + ".png")
    images.save(icon, path)
    assert path.exists()


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
