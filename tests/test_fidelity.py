from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from partway.fidelity import (
    UNRELATED_COLOR,
    UNRELATED_GRADIENTS,
    UNRELATED_OCTAVES,
    Kept,
    describe,
    kept,
    percent,
)

Pixels: TypeAlias = NDArray[np.uint8]

LOWEST_STRUCTURE = 1 - (1 / UNRELATED_OCTAVES + 1 / UNRELATED_GRADIENTS) / 2
LOWEST_COLOR = 1 - 1 / UNRELATED_COLOR


# Yellow most often, as among emoji.
YELLOW = "#fcc21b"
PALETTE = (
    *(YELLOW, YELLOW, YELLOW, YELLOW, "#f5a623", "#e0405a", "#8d5a3b"),
    *("#6b7a8f", "#3a8fd0", "#5fae4b", "#d9dee4"),
)


def drawing(seed: int, side: int = 256) -> Pixels:
    """An icon-like drawing: a body near the middle of a white canvas, with details on it."""
    rng = np.random.RandomState(seed)
    canvas = Image.new("RGB", (side, side), "white")
    draw = ImageDraw.Draw(canvas)
    for extent, wander in ((0.34, 0.08), (0.2, 0.2), (0.14, 0.25), (0.1, 0.3), (0.07, 0.3)):
        x, y = side * (0.5 + rng.uniform(-1, 1, 2) * wander)
        w, h = side * extent * rng.uniform(0.6, 1.2, 2)
        fill = PALETTE[rng.randint(len(PALETTE))]
        box = (x - w, y - h, x + w, y + h)
        kind = rng.randint(3)
        if kind == 0:
            draw.ellipse(box, fill=fill)
        elif kind == 1:
            draw.rectangle(box, fill=fill)
        else:
            draw.polygon([(x - w, y + h), (x + w, y + h), (x, y - h)], fill=fill)
    return np.asarray(canvas)


def blurred(pixels: Pixels, sigma: float) -> Pixels:
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(sigma)))


def noisy(pixels: Pixels, sigma: float) -> Pixels:
    noise = np.random.RandomState(1).normal(0, sigma, pixels.shape)
    return np.clip(np.round(pixels + noise), 0, 255).astype(np.uint8)


def occluded(pixels: Pixels, side: float) -> Pixels:
    out = pixels.copy()
    half = round(side / 2)
    middle = pixels.shape[0] // 2
    out[middle - half : middle + half, middle - half : middle + half] = 128
    return out


def shifted(pixels: Pixels, by: float) -> Pixels:
    return np.roll(pixels, round(by), axis=1)


sizes = st.tuples(st.integers(1, 200), st.integers(1, 200))


def random_picture(size: tuple[int, int], seed: int) -> Pixels:
    return np.random.RandomState(seed).randint(0, 256, (*size, 3)).astype(np.uint8)


@given(sizes, st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_identical_is_exactly_one_at_any_size(size: tuple[int, int], seed: int) -> None:
    picture = random_picture(size, seed)
    assert kept(picture, picture.copy()) == Kept(structure=1.0, color=1.0)


@given(sizes, st.integers(0, 1000), st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_symmetric_and_within_range(size: tuple[int, int], one: int, other: int) -> None:
    a, b = random_picture(size, one), random_picture(size, other)
    score = kept(a, b)
    assert score == kept(b, a)
    assert LOWEST_STRUCTURE <= score.structure <= 1
    assert LOWEST_COLOR <= score.color <= 1


@pytest.mark.parametrize(
    ("source", "result"),
    [
        (np.zeros((4, 4, 3), np.uint8), np.zeros((4, 5, 3), np.uint8)),
        (np.zeros((4, 4), np.uint8), np.zeros((4, 4), np.uint8)),
        (np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8)),
        (np.zeros((4, 4, 3), np.float32), np.zeros((4, 4, 3), np.float32)),
        (np.zeros((0, 4, 3), np.uint8), np.zeros((0, 4, 3), np.uint8)),
    ],
)
def test_other_shapes_are_refused(source: Pixels, result: Pixels) -> None:
    with pytest.raises(ValueError, match="must"):
        kept(source, result)


@pytest.mark.parametrize(
    ("change", "amounts"),
    [
        (blurred, (1, 3, 6, 12, 24)),
        (noisy, (10, 30, 60, 120)),
        (occluded, (24, 60, 110, 180)),
        (shifted, (1, 3, 6, 12)),
    ],
)
def test_more_change_keeps_less(
    change: Callable[[Pixels, float], Pixels], amounts: tuple[float, ...]
) -> None:
    sources = [drawing(seed) for seed in range(8)]
    scores = [[kept(s, change(s, amount)) for s in sources] for amount in amounts]
    structure = [1.0, *(float(np.mean([k.structure for k in row])) for row in scores)]
    color = [1.0, *(float(np.mean([k.color for k in row])) for row in scores)]
    assert all(np.diff(structure) < 0), structure
    assert all(np.diff(color) < 0), color


def test_small_changes_keep_nearly_all() -> None:
    source = drawing(3)
    for result in (blurred(source, 1), noisy(source, 8), shifted(source, 1)):
        assert kept(source, result).structure > 0.9
        assert kept(source, result).color > 0.9


def test_recolouring_keeps_structure_and_loses_color() -> None:
    sources = [drawing(seed) for seed in range(12)]
    turned = [kept(source, source[..., [2, 0, 1]]) for source in sources]
    negative = [kept(source, 255 - source) for source in sources]
    assert np.mean([score.structure for score in turned]) > 0.8
    assert min(score.structure for score in turned) > 0.6
    assert np.mean([score.color for score in turned]) < 0.3
    assert min(score.structure for score in negative) > 0.85
    assert max(score.color for score in negative) < 0.1


def test_unrelated_drawings_score_zero_on_average() -> None:
    rng = np.random.RandomState(5)
    drawings = [drawing(seed) for seed in range(80)]
    partners = [(i + int(rng.randint(1, 80))) % 80 for i in range(300)]
    scores = [kept(drawings[i % 80], drawings[j % 80]) for i, j in enumerate(partners)]
    assert abs(np.mean([score.structure for score in scores])) < 0.05
    assert abs(np.mean([score.color for score in scores])) < 0.05


def test_a_shared_white_background_does_not_count_as_kept() -> None:
    def small_disc(x: int, y: int, fill: str) -> Pixels:
        canvas = Image.new("RGB", (128, 128), "white")
        ImageDraw.Draw(canvas).ellipse((x - 12, y - 12, x + 12, y + 12), fill=fill)
        return np.asarray(canvas)

    score = kept(small_disc(32, 32, "red"), small_disc(96, 96, "blue"))
    assert score.structure < 0.25
    assert score.color < 0.1


def test_a_recoloured_background_does_count() -> None:
    source = drawing(2)
    result = source.copy()
    result[np.all(source == 255, axis=-1)] = (40, 60, 160)
    assert kept(source, result).color < 0.3


def test_another_style_lies_between_identical_and_unrelated() -> None:
    """The same shapes, outlined, tinted and nudged, against other shapes."""
    styled: list[float] = []
    unrelated: list[float] = []
    for seed in range(10):
        source = drawing(seed)
        edges = Image.fromarray(source).filter(ImageFilter.FIND_EDGES).convert("L")
        lines = np.asarray(edges, np.int16)[..., None]
        style = np.clip(source * 0.6 + 80 - lines, 0, 255).astype(np.uint8)
        styled.append(kept(source, shifted(style, 3)).structure)
        unrelated.append(kept(source, drawing(seed + 500)).structure)
    assert np.mean(unrelated) + 0.2 < np.mean(styled) < 0.9


def test_flat_against_flat_keeps_structure_and_flat_against_textured_does_not() -> None:
    red = np.full((64, 64, 3), (200, 30, 30), np.uint8)
    blue = np.full((64, 64, 3), (30, 30, 200), np.uint8)
    assert kept(red, blue).structure == pytest.approx(1, abs=0.01)
    assert kept(red, blue).color < 0
    assert kept(red, drawing(1, 64)).structure < 0


def test_size_hardly_matters() -> None:
    a, b = drawing(4, 1024), blurred(drawing(4, 1024), 24)
    large = kept(a, b)
    for side in (128, 256, 512):
        small_a, small_b = (
            np.asarray(Image.fromarray(p).resize((side, side), Image.Resampling.BOX))
            for p in (a, b)
        )
        small = kept(small_a, small_b)
        assert small.structure == pytest.approx(large.structure, abs=0.01)
        assert small.color == pytest.approx(large.color, abs=0.01)


def test_golden_numbers() -> None:
    source = drawing(11)
    softened = kept(source, blurred(source, 6))
    other = kept(source, drawing(12))
    assert softened.structure == pytest.approx(GOLDEN[0], abs=2e-3)
    assert softened.color == pytest.approx(GOLDEN[1], abs=2e-3)
    assert other.structure == pytest.approx(GOLDEN[2], abs=2e-3)
    assert other.color == pytest.approx(GOLDEN[3], abs=2e-3)


GOLDEN = (0.7944, 0.9024, -0.0261, 0.0680)


@pytest.mark.parametrize(
    ("share", "printed"),
    [(1.0, 100), (0.9999, 99), (0.706, 71), (0.0, 0), (-0.2, 0)],
)
def test_percent_is_clipped_and_100_means_identical(share: float, printed: int) -> None:
    assert percent(share) == printed


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (1.0, "kept 100 % of the structure: almost the same picture"),
        (0.896, "kept 90 % of the structure: almost the same picture"),
        (0.71, "kept 71 % of the structure: same composition"),
        (0.5, "kept 50 % of the structure: composition loosened"),
        (0.2, "kept 20 % of the structure: loose echo"),
        (-0.1, "kept 0 % of the structure: a new picture"),
    ],
)
def test_describe(share: float, words: str) -> None:
    assert describe(Kept(structure=share, color=0.5)) == words
