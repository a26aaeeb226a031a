from __future__ import annotations

import icc
import numpy as np
import pytest
from made import encoded
from numpy.typing import NDArray
from PIL import Image, ImageCms

from partway import edit, images


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


def test_sixteen_bit_grey_is_scaled_not_cut() -> None:
    values = np.array([[0, 257, 32896, 65535]], np.uint16)
    picture = images.load(encoded(Image.fromarray(values)))
    assert picture.rgb[0, :, 0].tolist() == [0, 1, 128, 255]


def test_sixteen_bit_grey_with_a_transparent_value() -> None:
    values = np.array([[0, 257, 65535]], np.uint16)
    picture = images.load(encoded(Image.fromarray(values), transparency=257))
    assert picture.alpha is not None
    assert picture.alpha.tolist() == [[255, 0, 255]]


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGB", "RGBA", "CMYK", "LAB"])
def test_strength_zero_gives_every_mode_back(mode: str, icon: Image.Image) -> None:
    source = _in_mode(icon, mode)
    picture = images.load(encoded(source, "TIFF"))
    assert picture.image.mode == mode
    assert np.array_equal(np.asarray(picture.image), np.asarray(source))
    again = images.load(images.encode(picture.image, "TIFF"))
    assert np.array_equal(again.rgb, picture.rgb)
    assert (again.alpha is None) == (picture.alpha is None)


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "PA", "RGB", "RGBA", "CMYK", "LAB"])
@pytest.mark.parametrize("format_name", ["PNG", "JPEG", "WEBP", "AVIF", "TIFF"])
def test_an_edited_picture_of_every_mode_can_be_written(
    mode: str, format_name: str, icon: Image.Image
) -> None:
    picture = images.load(images.read_bytes(_in_mode(icon, mode)))
    result = images.compose(picture.rgb.astype(np.float32), picture, 0.5)
    again = images.load(images.encode(result, format_name))
    assert again.extent == picture.extent
    assert np.abs(again.rgb.astype(int) - picture.rgb).mean() < 6
    transparent = picture.alpha is not None and format_name != "JPEG"
    assert (again.alpha is not None) == transparent


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_transparency_hides_never_bleeds(mode: str, icon: Image.Image) -> None:
    """Two pictures that differ only where nothing is seen give the same visible pixels."""
    alpha = np.zeros((64, 96), np.uint8)
    alpha[8:40, 8:70] = 255
    results: list[NDArray[np.uint8]] = []
    for hidden in ((255, 0, 255), (0, 255, 0)):
        rgb = np.where(alpha[..., None] > 0, np.asarray(icon), np.array(hidden, np.uint8))
        source = Image.fromarray(np.dstack([rgb, alpha]))
        if mode == "LA":
            grey = np.where(alpha > 0, np.asarray(icon.convert("L")), np.uint8(hidden[0]))
            source = Image.fromarray(np.dstack([grey, alpha]), "LA")
        elif mode == "P":
            source = Image.fromarray(np.where(alpha > 0, 1, 0).astype(np.uint8), "P")
            source.putpalette([*hidden, 30, 90, 160])
            source.info["transparency"] = 0
        result = edit(source, "red", strength=0.5, model="analytic", steps=2).image
        results.append(np.asarray(result.convert("RGBA")))
    seen = alpha > 0
    assert np.array_equal(results[0][seen], results[1][seen])
    assert np.array_equal(results[0][..., 3], alpha)


def _in_mode(icon: Image.Image, mode: str) -> Image.Image:
    """The icon in a mode, half transparent in those that can be."""
    if mode == "LAB":
        lab = ImageCms.profileToProfile(
            icon, icc.built_in("sRGB"), icc.built_in("LAB"), outputMode="LAB"
        )
        assert lab is not None
        return lab
    if mode in {"LA", "RGBA", "PA"}:
        source = icon.convert(mode[:-1])
        source.putalpha(Image.linear_gradient("L").resize(icon.size))
        return source
    return icon.convert(mode)
