from __future__ import annotations

import numpy as np
import pytest
from made import encoded
from PIL import Image

from partway import images


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
