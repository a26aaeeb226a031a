"""Outpainting: the source stays bit for bit, there is no seam, and the request says it all."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from tests.images.icc import DISPLAY_P3

from partway import edit
from partway.edits.surroundings import beyond, distance_beyond
from partway.engine import Engine
from partway.errors import InvalidRequest, UnknownName
from partway.geometry import Extent
from partway.margins import Margins
from partway.request import DEFAULT_EXTENDING, EditRequest

ENGINE = Engine()
MARGINS = Margins(24, 10, 17, 33)
SIZE = (72, 56)
widths = st.integers(0, 40)


def png(image: Image.Image, **info: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG", **info)
    return stream.getvalue()


def noisy(mode: str = "RGB", size: tuple[int, int] = SIZE) -> Image.Image:
    bands = len(Image.new(mode, (1, 1)).getbands())
    shape = (size[1], size[0], bands) if bands > 1 else (size[1], size[0])
    return Image.fromarray(np.random.default_rng(5).integers(0, 256, shape, np.uint8))


def sky(kind: str) -> Image.Image:
    """A plain picture, or one that gets lighter downwards and redder to the right."""
    width, height = SIZE
    levels = np.full((height, width, 3), (70, 130, 200), np.uint8)
    if kind == "gradient":
        levels[..., 1] = np.linspace(100, 220, height).round()[:, None]
        levels[..., 0] = np.linspace(40, 200, width).round()[None, :]
    return Image.fromarray(levels)


def extend(picture: Image.Image | bytes, **fields: Any) -> Image.Image:
    source = picture if isinstance(picture, bytes) else png(picture)
    plain = EditRequest(source=source, model="analytic", prompt="red, lime", full_steps=8)
    return ENGINE.run(plain.with_(**({"extend": MARGINS} | fields))).image


def inner(image: Image.Image, margins: Margins = MARGINS) -> NDArray[np.uint8]:
    size = Extent(
        image.width - margins.left - margins.right, image.height - margins.top - margins.bottom
    )
    return np.asarray(image.convert("RGBA").crop(margins.box(size)))


def steps_across(image: Image.Image, margins: Margins) -> list[float]:
    """Mean step from the source's outermost pixels to the ones beside them, of each side."""
    pixels = np.asarray(image.convert("RGB")).astype(int)
    left, top, right, bottom = margins.box(Extent(*SIZE))
    rows, columns = slice(top, bottom), slice(left, right)
    pairs = [
        (pixels[rows, left], pixels[rows, left - 1]),
        (pixels[top, columns], pixels[top - 1, columns]),
        (pixels[rows, right - 1], pixels[rows, right]),
        (pixels[bottom - 1, columns], pixels[bottom, columns]),
    ]
    return [float(np.abs(one - other).mean()) for one, other in pairs]


@pytest.mark.parametrize("strength", [0.0, 0.3, 0.85, 1.0])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA"])
def test_every_pixel_of_the_source_stays(mode: str, strength: float) -> None:
    source = noisy(mode)
    result = extend(source, strength=strength)
    assert result.size == (SIZE[0] + 41, SIZE[1] + 43)
    assert np.array_equal(inner(result), np.asarray(source.convert("RGBA")))


@settings(max_examples=25, deadline=None)
@given(
    sides=st.tuples(widths, widths, widths, widths).filter(any),
    only_masked=st.booleans(),
    feather=st.sampled_from([0.0, 3.0, 50.0, None]),
)
def test_whatever_the_margins(
    *, sides: tuple[int, int, int, int], only_masked: bool, feather: float | None
) -> None:
    margins = Margins(*sides)
    source = noisy(size=(33, 21))
    fields: dict[str, Any] = {"steps": 1, "full_steps": None, "padding": 3}
    fields |= {"only_masked": only_masked, "mask_feather": feather}
    result = extend(source, extend=margins, **fields)
    assert result.size == margins.around(Extent(33, 21))
    assert np.array_equal(inner(result, margins)[..., :3], np.asarray(source))


@pytest.mark.parametrize("strength", [0.0, 0.4, 0.85, 1.0])
@pytest.mark.parametrize("kind", ["flat", "gradient"])
def test_no_step_where_the_source_ends(kind: str, strength: float) -> None:
    """Towards quite another colour: under 1/255 on average on each side."""
    result = extend(sky(kind), strength=strength)
    assert max(steps_across(result, MARGINS)) < 1.0
    painted = np.asarray(result.convert("RGB")).astype(int)
    assert (np.abs(painted[0, 0] - (70, 130, 200)).max() > 60) == (strength > 0.0)


def test_a_gradient_goes_on_beyond_the_edge_as_it_is() -> None:
    left, _, _, _ = MARGINS
    result = np.asarray(extend(sky("gradient"), strength=0.0)).astype(int)
    rows = slice(MARGINS.top + 8, MARGINS.top + SIZE[1] - 8)
    assert np.abs(result[rows, left - 12] - result[rows, left]).max() <= 1


def test_strength_one_ignores_what_is_around_but_for_the_fade() -> None:
    wide = Margins(right=60)
    options = {"extend": wide, "strength": 1.0, "mask_feather": 4.0}
    one, other = (extend(sky(kind), **options) for kind in ("flat", "gradient"))
    far = slice(SIZE[0] + 8, None)
    # Analytic pixels do not see their neighbours; only the scaling to the canvas mixes them.
    assert np.array_equal(np.asarray(one)[:, far], np.asarray(other)[:, far])


def test_the_default_strength_is_high_and_noise_is_another_beginning() -> None:
    source = sky("flat")
    assert extend(source).tobytes() == extend(source, strength=DEFAULT_EXTENDING).tobytes()
    assert extend(source, strength=0.5).tobytes() != extend(source).tobytes()
    assert (
        extend(source, strength=0.5).tobytes()
        != extend(source, strength=0.5, fill="noise").tobytes()
    )


def test_the_profile_stays_and_its_colours_are_continued() -> None:
    """Colours that sRGB does not hold are continued too: no step, and none is moved."""
    icc = DISPLAY_P3
    source = Image.new("RGB", SIZE, (10, 250, 20))
    result = extend(png(source, icc_profile=icc), strength=0.85)
    assert result.info["icc_profile"] == icc
    assert np.array_equal(inner(result)[..., :3], np.asarray(source))
    assert max(steps_across(result, MARGINS)) < 1.0
    assert not np.array_equal(np.asarray(result)[0, 0], np.asarray(source)[0, 0])


def test_what_is_added_to_a_transparent_source_is_opaque() -> None:
    source = noisy("RGBA")
    source.putalpha(0)
    result = np.asarray(extend(source, strength=0.0))
    assert (result[: MARGINS.top, :, 3] == 255).all()
    assert (result[: MARGINS.top, :, :3] == 255).all()  # what shows through it is white
    assert np.array_equal(inner(Image.fromarray(result)), np.asarray(source))


@given(st.integers(1, 30), st.integers(1, 30), widths, widths, widths, widths)
def test_continuing_changes_nothing_inside(
    width: int, height: int, left: int, top: int, right: int, bottom: int
) -> None:
    margins = Margins(left, top, right, bottom)
    rgb = np.asarray(noisy(size=(width, height)))
    whole = beyond(rgb, margins)
    distance = distance_beyond(Extent(width, height), margins)
    assert whole.shape == (*distance.shape, 3) == (top + height + bottom, left + width + right, 3)
    assert np.array_equal(whole[distance == 0.0].reshape(rgb.shape), rgb)
    assert (distance == 0.0).sum() == width * height
    if left:
        assert np.array_equal(whole[top : top + height, left - 1], rgb[:, 0])
        assert distance[top, 0] == left


def test_python_says_it_in_words_too() -> None:
    def sides(asked: Any) -> tuple[int, int]:
        return edit(sky("flat"), extend=asked, strength=0.0).image.size

    assert sides("2:1") == (112, 56)
    assert sides({"left": "25%", "bottom": 4}) == (90, 60)
    assert sides((1, 2, 3, 4)) == (76, 62)
    with pytest.raises(UnknownName, match="did you mean 'left'"):
        sides({"lift": 3})


def test_nothing_is_said_to_be_kept() -> None:
    assert edit(sky("flat"), "red", extend=MARGINS, model="analytic").kept is None
    with pytest.raises(InvalidRequest, match="extended is kept as it is"):
        edit(sky("flat"), "red", extend=MARGINS, model="analytic", keep=0.7)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"extend": (0, 0, 0, 0)}, "nothing to paint"),
        ({"extend": (0, 0, -2, 0)}, "right is -2"),
        ({"extend": (20_000, 0, 0, 0)}, "left is 20000, allowed is 0 … 16384"),
        ({"extend": (16_384, 16_384, 16_384, 16_384)}, "extended picture would be"),
        ({"mask": png(Image.new("L", SIZE, 255))}, "not both: only what is added .* extend first"),
        ({"strength_map": png(Image.new("L", SIZE, 255))}, "not both: .* then edit the result"),
        ({"alpha_mask": True}, "not both"),
        ({"mask_grow": 3}, "mask grow is for masks"),
        ({"mask_invert": True}, "mask invert is for masks"),
        ({"source": None}, "needs a source"),
        ({"dialect": "diffusers", "full_steps": None}, "extend is not diffusers's"),
        ({"size": (99, 99)}, "size is for text-to-image"),
    ],
)
def test_what_cannot_be_is_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidRequest, match=said):
        extend(noisy(), **fields)


def test_a_style_picture_paints_what_is_added() -> None:
    source = noisy()
    style = (png(noisy(size=(40, 40)).rotate(90)),)
    request = EditRequest(source=png(source), references=style, extend=MARGINS, full_steps=4)
    result = ENGINE.run(request).image
    assert np.array_equal(inner(result)[..., :3], np.asarray(source))
    assert not np.array_equal(np.asarray(result), np.asarray(extend(source, strength=0.0)))
