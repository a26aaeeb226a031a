from __future__ import annotations

import io
from typing import TypeAlias

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from partway.domain import THRESHOLD, domain_of

Pixels: TypeAlias = NDArray[np.uint8]

# How far from the threshold the clear cases below must stay.
MARGIN = 0.05


def icon(side: int = 128, background: str = "white", *, shaded: bool = False) -> Image.Image:
    """A face-like drawing on a plain background, flat or shaded like a 3d rendering."""
    large = Image.new("RGB", (512, 512), background)
    draw = ImageDraw.Draw(large)
    draw.ellipse((60, 60, 452, 452), fill="orange")
    if shaded:
        y, x = np.mgrid[:512, :512] / 512
        light = 1 - 0.5 * np.hypot(x - 0.35, y - 0.3)[..., None]
        inside = np.asarray(large) != np.asarray(Image.new("RGB", (1, 1), background))
        lit = np.where(inside, np.asarray(large) * light, np.asarray(large)).astype(np.uint8)
        large = Image.fromarray(lit)
        draw = ImageDraw.Draw(large)
    draw.ellipse((150, 160, 210, 240), fill="black")
    draw.ellipse((300, 160, 360, 240), fill="black")
    draw.arc((150, 200, 360, 390), 20, 160, fill="brown", width=18)
    return large.resize((side, side), Image.Resampling.LANCZOS)


def line_drawing(side: int = 256) -> Image.Image:
    canvas = Image.new("RGB", (side, side), "white")
    draw = ImageDraw.Draw(canvas)
    for i in range(6):
        inset = side * (0.12 + 0.05 * i)
        draw.ellipse((inset, inset, side - inset, side - inset), outline="black", width=2)
    return canvas


def scene(side: int = 256, seed: int = 1) -> Image.Image:
    """A photograph-like scene: shading and texture at every scale (1 / f noise), and grain."""
    rng = np.random.RandomState(seed)
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side)[None]) + 1 / side
    spectrum = np.fft.fft2(rng.normal(size=(side, side))) / frequency
    smooth = np.fft.ifft2(spectrum).real
    levels = 128 + 50 * smooth / smooth.std()
    tinted = levels[..., None] * (1.0, 0.9, 0.8) + rng.normal(0, 2, (side, side, 3))
    return Image.fromarray(np.clip(tinted, 0, 255).astype(np.uint8))


def compressed(picture: Image.Image, quality: int = 75) -> Image.Image:
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=quality)
    return Image.open(stream).convert("RGB")


def pixels_of(picture: Image.Image) -> Pixels:
    return np.asarray(picture)


@pytest.mark.parametrize(
    "picture",
    [
        icon(),
        icon(shaded=True),
        icon(background="teal"),
        compressed(icon()),
        compressed(icon(shaded=True)),
        compressed(icon(background="teal")),
        icon().resize((512, 512), Image.Resampling.BICUBIC),
        compressed(icon(shaded=True).resize((1024, 1024), Image.Resampling.BICUBIC)),
        icon(40),
        line_drawing(),
        compressed(line_drawing()),
    ],
)
def test_artwork(picture: Image.Image) -> None:
    domain = domain_of(pixels_of(picture))
    assert not domain.photograph
    assert domain.score >= THRESHOLD + MARGIN


@pytest.mark.parametrize(
    "picture",
    [
        scene(),
        scene(1024),
        scene(96),
        scene(640).crop((0, 0, 640, 300)),
        compressed(scene(512)),
        scene().convert("L").convert("RGB"),
        scene(512).filter(ImageFilter.GaussianBlur(3)),
    ],
)
def test_photograph(picture: Image.Image) -> None:
    domain = domain_of(pixels_of(picture))
    assert domain.photograph
    assert domain.score < THRESHOLD - MARGIN


def test_a_grainy_studio_backdrop_is_a_photograph() -> None:
    """Plain all around, but nowhere exactly flat."""
    rng = np.random.RandomState(1)
    pixels = 220 + rng.normal(0, 2, (128, 128, 3))
    pixels[32:96, 32:96] = np.asarray(scene(64))
    assert domain_of(np.round(pixels).astype(np.uint8)).photograph


def test_artwork_without_a_border_counts_by_its_flat_areas() -> None:
    quilt = np.random.RandomState(1).randint(0, 256, (4, 4, 3)).astype(np.uint8)
    assert not domain_of(quilt.repeat(32, axis=0).repeat(32, axis=1)).photograph


@pytest.mark.parametrize("package", ["skimage", "sklearn"])
def test_shipped_photographs(package: str) -> None:
    if package == "skimage":
        data = pytest.importorskip("skimage.data")
        names = ("astronaut", "chelsea", "coffee", "rocket")
        photographs: list[Pixels] = [getattr(data, name)() for name in names]
    else:
        datasets = pytest.importorskip("sklearn.datasets")
        photographs = [datasets.load_sample_image(n) for n in ("china.jpg", "flower.jpg")]
    for photograph in photographs:
        small = Image.fromarray(photograph).resize((128, 96), Image.Resampling.BOX)
        for pixels in (photograph, np.asarray(small), np.asarray(compressed(small))):
            assert domain_of(pixels).photograph


def test_reasons_complete_the_sentence() -> None:
    photograph = domain_of(pixels_of(scene()))
    assert photograph.reason == "fine grain everywhere, no plain background"
    assert domain_of(pixels_of(icon())).reason == "flat areas, a plain background"


@given(st.integers(1, 300), st.integers(1, 300), st.integers(0, 100))
@settings(max_examples=60, deadline=None)
def test_any_size_gives_a_verdict_in_range(height: int, width: int, seed: int) -> None:
    pixels = np.random.RandomState(seed).randint(0, 256, (height, width, 3)).astype(np.uint8)
    domain = domain_of(pixels)
    assert 0 <= domain.score <= 1
    assert domain.photograph == (domain.score < THRESHOLD)
    assert domain.reason


@given(st.integers(1, 300), st.integers(1, 300))
@settings(max_examples=20, deadline=None)
def test_one_plain_colour_is_the_plainest_artwork(height: int, width: int) -> None:
    domain = domain_of(np.full((height, width, 3), 7, np.uint8))
    assert domain.score == 1
    assert not domain.photograph


@pytest.mark.parametrize(
    "pixels",
    [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8)],
)
def test_other_shapes_are_refused(pixels: Pixels) -> None:
    with pytest.raises(ValueError, match="must be"):
        domain_of(pixels)
