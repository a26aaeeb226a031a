"""Colour profiles, measured against littleCMS's own way from a profile to Lab."""

from __future__ import annotations

import io
from typing import Any

import icc
import numpy as np
import pytest
from made import encoded
from numpy.typing import NDArray
from PIL import Image, ImageCms
from skimage import color

from partway import images
from partway.images import color_profiles
from partway.images.canvas import compose

RGB_PROFILES = {"p3": icc.DISPLAY_P3, "adobe": icc.ADOBE_RGB, "prophoto": icc.PROPHOTO}


def lab_of(image: Image.Image) -> NDArray[np.float64]:
    """What a colour-managed viewer shows: an image's pixels through its profile, in Lab."""
    space = image.info.get("icc_profile") or color_profiles.srgb()
    assert isinstance(space, bytes)
    transform = ImageCms.buildTransform(
        ImageCms.ImageCmsProfile(io.BytesIO(space)),
        icc.built_in("LAB"),
        image.mode,
        "LAB",
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    seen = ImageCms.applyTransform(image, transform)
    assert seen is not None
    lab = np.asarray(seen).astype(np.float64)
    lab[..., 0] *= 100 / 255
    signed = np.asarray(seen)[..., 1:].view(np.int8).astype(np.float64)
    return np.dstack([lab[..., 0], signed])


def apart(a: Image.Image, b: Image.Image) -> NDArray[np.float64]:
    measure: Any = color
    return measure.deltaE_ciede2000(lab_of(a), lab_of(b))


def chart() -> Image.Image:
    """Every 17th level of each channel: the whole cube, saturated corners included."""
    steps = np.arange(0, 256, 17, dtype=np.uint8)
    cube = np.stack(np.meshgrid(steps, steps, steps), axis=-1)
    return Image.fromarray(cube.reshape(64, 64, 3))


@pytest.mark.parametrize("name", RGB_PROFILES)
def test_what_the_model_sees_is_the_references_srgb(name: str) -> None:
    space = RGB_PROFILES[name]
    picture = images.load(encoded(chart(), icc_profile=space))
    reference = ImageCms.profileToProfile(
        chart(),
        ImageCms.ImageCmsProfile(io.BytesIO(space)),
        icc.built_in("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    assert reference is not None
    assert np.abs(picture.rgb.astype(int) - np.asarray(reference)).max() <= 1
    assert np.abs(picture.rgb.astype(int) - np.asarray(chart())).mean() > 2  # something was done


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("name", RGB_PROFILES)
def test_an_unedited_area_looks_the_same(name: str, mode: str) -> None:
    """Also where sRGB has no such colour: mean ΔE2000 at most 1, and no pixel above 3."""
    source = chart().convert(mode)
    if mode == "RGBA":
        source.putalpha(
            Image.linear_gradient("L").resize((64, 64)).point([128 + v // 2 for v in range(256)])
        )
    space = RGB_PROFILES[name]
    picture = images.load(encoded(source, icc_profile=space))
    result = compose(picture.rgb.astype(np.float32), picture, share=0.95)
    assert result.info["icc_profile"] == space
    written = Image.open(io.BytesIO(images.encode(result, "PNG")))
    assert written.info["icc_profile"] == space
    assert written.mode == mode
    tagged = chart()
    tagged.info["icc_profile"] = space
    seen = written.convert("RGB")
    seen.info["icc_profile"] = space
    difference = apart(tagged, seen)
    assert difference.mean() <= 1.0
    assert difference.max() <= 3.0
    wrong = apart(tagged, Image.fromarray(picture.rgb))  # pixels of sRGB, unconverted, in its place
    assert wrong.mean() < 20  # the measure itself is sane
    untouched = Image.fromarray(picture.rgb)
    untouched.info["icc_profile"] = space
    assert apart(tagged, untouched).mean() > 1.0  # and would notice a conversion left out


def test_at_strength_one_nothing_of_the_source_comes_back() -> None:
    first = images.load(encoded(chart(), icc_profile=icc.DISPLAY_P3))
    other = images.load(encoded(chart().rotate(90), icc_profile=icc.DISPLAY_P3))
    values = np.full((64, 64, 3), 120, np.float32)
    one, two = compose(values, first, 0.0), compose(values, other, 0.0)
    assert np.array_equal(np.asarray(one), np.asarray(two))


def test_lost_colours_do_not_come_back_where_content_changed() -> None:
    picture = images.load(encoded(chart(), icc_profile=icc.PROPHOTO))
    values = 255.0 - picture.rgb.astype(np.float32)
    changed = np.abs(values - picture.rgb).max(axis=-1) > 100
    with_share = np.asarray(compose(values, picture, 0.95))[changed]
    without = np.asarray(compose(values, picture, 0.0))[changed]
    assert np.array_equal(with_share, without)


def test_a_profile_that_means_srgb_changes_no_pixel() -> None:
    space = color_profiles.srgb()
    picture = images.load(encoded(chart(), icc_profile=space))
    assert np.array_equal(picture.rgb, np.asarray(chart()))
    result = compose(picture.rgb.astype(np.float32), picture, 0.5)
    assert np.array_equal(np.asarray(result), np.asarray(chart()))
    assert result.info["icc_profile"] == space


def test_srgb_with_a_coarse_curve_changes_no_pixel_either() -> None:
    levels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    source = Image.fromarray(levels)
    direct = ImageCms.profileToProfile(
        source, ImageCms.ImageCmsProfile(io.BytesIO(icc.ROUNDED_SRGB)), icc.built_in("sRGB")
    )
    assert not np.array_equal(np.asarray(direct), levels)  # rounding would show
    picture = images.load(encoded(source, icc_profile=icc.ROUNDED_SRGB))
    assert np.array_equal(picture.rgb, levels)


def test_a_profile_a_little_off_srgb_is_not_taken_for_it() -> None:
    near = icc.rgb_profile(icc.SRGB, icc.D65_XY, 2.2)
    picture = images.load(encoded(chart(), icc_profile=near))
    assert 1 < np.abs(picture.rgb.astype(int) - np.asarray(chart())).max() <= 8


def test_no_profile_stays_no_profile() -> None:
    picture = images.load(encoded(chart()))
    result = compose(picture.rgb.astype(np.float32), picture, 0.5)
    assert "icc_profile" not in Image.open(io.BytesIO(images.encode(result, "PNG"))).info


@pytest.mark.parametrize("format_name", ["JPEG", "TIFF"])
def test_cmyk_goes_through_its_profile(format_name: str) -> None:
    inks = np.stack(np.meshgrid(*[np.arange(0, 256, 51, dtype=np.uint8)] * 3), axis=-1)
    source = Image.fromarray(
        np.dstack([inks.reshape(24, 9, 3), np.full((24, 9), 20, np.uint8)]), "CMYK"
    ).resize((72, 192), Image.Resampling.NEAREST)
    options = {"quality": 100, "subsampling": 0} if format_name == "JPEG" else {}
    picture = images.load(encoded(source, format_name, icc_profile=icc.PRESS, **options))
    assert picture.image.mode == "CMYK"
    seen = Image.fromarray(picture.rgb)
    tagged = picture.image.copy()
    gamut = apart(tagged, seen)
    assert np.median(gamut) <= 1.0  # what sRGB can show is right; the rest is clipped
    plain = Image.fromarray(np.asarray(picture.image.convert("RGB")))
    assert apart(tagged, plain).mean() > 3.0  # which the plain formula is not
    result = compose(picture.rgb.astype(np.float32), picture, 0.5)
    assert result.info["icc_profile"] == color_profiles.srgb()  # no press is written for
    assert np.array_equal(np.asarray(result), picture.rgb)


def test_paper_is_white_and_the_deepest_black_is_black() -> None:
    """Relative colorimetric with black point compensation."""
    inks = Image.new("CMYK", (2, 1), (0, 0, 0, 0))
    inks.putpixel((1, 0), (0, 0, 0, 255))
    picture = images.load(encoded(inks, "TIFF", icc_profile=icc.GREY_PRESS))
    paper, black = picture.rgb[0].astype(int)
    assert paper.min() >= 254
    assert black.max() <= 3


def test_a_profile_without_a_way_back_is_not_written() -> None:
    picture = images.load(encoded(chart(), icc_profile=icc.CAMERA))
    assert not np.array_equal(picture.rgb, np.asarray(chart()))
    result = compose(picture.rgb.astype(np.float32), picture, 0.5)
    assert result.info["icc_profile"] == color_profiles.srgb()
    assert np.array_equal(np.asarray(result), picture.rgb)


def test_a_profile_may_be_large_but_not_huge() -> None:
    large = icc.DISPLAY_P3 + bytes(color_profiles.MAX_BYTES - len(icc.DISPLAY_P3))
    assert color_profiles.suits(large, "RGB")
    assert not color_profiles.suits(large + b"\0", "RGB")


def test_cmyk_written_as_rgb_is_converted_by_its_profile() -> None:
    source = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    picture = images.load(encoded(source, "TIFF", icc_profile=icc.PRESS))
    written = Image.open(io.BytesIO(images.encode(picture.image, "PNG")))
    assert np.array_equal(np.asarray(written), picture.rgb)
    assert written.info["icc_profile"] == color_profiles.srgb()
    kept = Image.open(io.BytesIO(images.encode(picture.image, "TIFF")))
    assert kept.mode == "CMYK"
    assert kept.info["icc_profile"] == icc.PRESS


def test_grey_goes_through_its_curve() -> None:
    ramp = Image.linear_gradient("L").resize((64, 64))
    picture = images.load(encoded(ramp, icc_profile=icc.GRAY_18))
    linear = (np.asarray(ramp).astype(float) / 255) ** 1.8
    srgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    assert picture.rgb[..., 1] == pytest.approx(srgb * 255, abs=1.5)  # steep near black
    result = compose(picture.rgb.astype(np.float32), picture, 0.5)
    assert result.info["icc_profile"] == color_profiles.srgb()
    written = Image.open(io.BytesIO(images.encode(picture.image, "PNG")))
    assert (written.mode, written.info["icc_profile"]) == ("L", icc.GRAY_18)


def test_a_grey_picture_with_a_colour_profile_is_read_through_it() -> None:
    ramp = Image.linear_gradient("L").resize((64, 64))
    picture = images.load(encoded(ramp, "JPEG", icc_profile=icc.PROPHOTO))
    colour = images.load(encoded(picture.image.convert("RGB"), icc_profile=icc.PROPHOTO))
    assert picture.notes == ()
    assert np.array_equal(picture.rgb, colour.rgb)


@pytest.mark.parametrize(
    "broken",
    [b"junk", icc.DISPLAY_P3[:300], icc.PRESS, icc.GRAY_18, b"\0" * 9_000_000],
    ids=["junk", "cut", "of another mode", "grey", "huge"],
)
def test_broken_profiles_are_said_and_left_out(broken: bytes) -> None:
    data = encoded(chart(), "TIFF", icc_profile=broken)
    picture = images.load(data, "x.tif")
    assert picture.notes == (
        "x.tif: its colour profile is broken or of another kind, read as sRGB",
    )
    assert np.array_equal(picture.rgb, np.asarray(chart()))
    result = compose(picture.rgb.astype(np.float32), picture, 0.5)
    assert result.info.get("icc_profile") is None
    assert (
        Image.open(io.BytesIO(images.encode(picture.image, "PNG"))).info.get("icc_profile") is None
    )


def test_lab_pictures_are_converted() -> None:
    colour = chart()
    lab = ImageCms.profileToProfile(
        colour, icc.built_in("sRGB"), icc.built_in("LAB"), outputMode="LAB"
    )
    assert lab is not None
    picture = images.load(encoded(lab, "TIFF"))
    assert picture.image.mode == "LAB"
    assert np.abs(picture.rgb.astype(int) - np.asarray(colour)).mean() < 2.5


def test_a_profiled_result_is_measured_in_srgb() -> None:
    picture = images.load(encoded(chart(), icc_profile=icc.PROPHOTO))
    result = compose(picture.rgb.astype(np.float32), picture, 0.95)
    apart_by = np.abs(images.rgb_of(result).astype(int) - picture.rgb).mean()
    unconverted = np.abs(np.asarray(result).astype(int) - picture.rgb).mean()
    assert apart_by < 1.0 < unconverted / 5
