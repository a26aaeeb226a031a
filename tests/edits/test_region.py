"""Masks and strength maps: what is left alone, what changes, and how far."""

from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from partway import images
from partway.edits.region import grown, region_of
from partway.edits.surroundings import continued
from partway.engine import Engine
from partway.errors import InvalidRequest
from partway.events import Step
from partway.request import EditRequest
from partway.strength_map import WIDE

SIZE = (72, 56)
ENGINE = Engine()


def png(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def noisy(mode: str = "RGB", size: tuple[int, int] = SIZE) -> Image.Image:
    bands = len(Image.new(mode, (1, 1)).getbands())
    shape = (size[1], size[0], bands) if bands > 1 else (size[1], size[0])
    levels = np.random.default_rng(5).integers(0, 256, shape, np.uint8)
    return Image.fromarray(levels, mode) if mode == "LAB" else Image.fromarray(levels)


def mask(box: tuple[int, int, int, int] = (20, 10, 50, 40)) -> Image.Image:
    image = Image.new("L", SIZE)
    ImageDraw.Draw(image).rectangle(box, fill=255)
    return image


def pixels(image: Image.Image) -> NDArray[np.int_]:
    return np.asarray(image.convert("RGB")).astype(int)


def edit(picture: Image.Image, **fields: object) -> Image.Image:
    plain = EditRequest(source=png(picture), model="analytic", prompt="red, blue", full_steps=8)
    return ENGINE.run(plain.with_(**fields)).image


@pytest.mark.parametrize("strength", [0.05, 0.6, 1.0])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
@pytest.mark.parametrize("only_masked", [False, True])
def test_outside_the_feathered_mask_every_pixel_is_the_sources(
    mode: str, strength: float, *, only_masked: bool
) -> None:
    source = noisy(mode)
    result = edit(
        source, mask=png(mask()), strength=strength, mask_feather=6.0, only_masked=only_masked,
        padding=4,
    )  # fmt: skip
    far = np.asarray(mask((13, 3, 57, 47))) == 0
    same = np.asarray(result.convert("RGBA")) == np.asarray(source.convert("RGBA"))
    assert same[far].all()
    inside = np.asarray(mask((28, 18, 42, 32))) > 0
    assert not same[inside].all()
    assert result.size == source.size


def test_ten_edits_in_a_row_leave_the_rest_alone() -> None:
    source = noisy()
    current = source
    for turn in range(10):
        box = (4 * turn, 10, 4 * turn + 12, 30)
        current = edit(current, mask=png(mask(box)), strength=0.7, seed=turn, mask_feather=0.0)
    never = np.ones((SIZE[1], SIZE[0]), bool)
    never[10:31, :50] = False
    assert np.array_equal(pixels(current)[never], pixels(source)[never])


def test_a_black_part_of_a_map_stays_and_a_white_one_is_a_whole_edit() -> None:
    source = noisy()
    half = Image.new("L", SIZE)
    half.paste(255, (36, 0, 72, 56))
    result = pixels(edit(source, strength_map=png(half), strength=0.6))
    whole = pixels(edit(source, strength=0.6))
    assert np.array_equal(result[:, :36], pixels(source)[:, :36])
    # Analytic pixels do not see their neighbours; only the scaling to the canvas mixes them.
    assert np.abs(result[:, 44:] - whole[:, 44:]).mean() < 1.0


def test_shades_of_a_map_change_the_picture_as_runs_of_their_strength_do() -> None:
    source = Image.new("RGB", (64, 64), (120, 110, 60))
    for share in (0.3, 0.5, 0.7):
        grey = Image.new("L", (64, 64), round(255 * share))
        options = {"strength": 1.0, "full_steps": 30, "sampler": "euler"}
        mapped = pixels(edit(source, strength_map=png(grey), **options))
        alone = pixels(edit(source, **(options | {"strength": round(255 * share) / 255})))
        change = np.abs(mapped - pixels(source)).mean()
        assert change == pytest.approx(np.abs(alone - pixels(source)).mean(), rel=0.1)


@pytest.mark.parametrize("steps", [4, 30])
def test_change_follows_a_gradient_as_whole_runs_would(steps: int) -> None:
    """Local change over 8 shades against whole runs of those strengths: correlation >= 0.97."""
    source = Image.new("RGB", (96, 48), (128, 128, 128))
    shades = np.linspace(0, 255, 8).round().astype(np.uint8)
    ramp = Image.fromarray(np.tile(np.repeat(shades, 12), (48, 1)))
    options: dict[str, object] = {
        "full_steps": None, "steps": steps, "sampler": "euler", "dial": "noise",
        "prompt": "gray, red, blue, lime",
    }  # fmt: skip
    result = edit(source, strength_map=png(ramp), strength=1.0, **options)
    change = np.abs(pixels(result) - pixels(source)).mean(axis=(0, 2)).reshape(8, 12).mean(axis=1)
    alone = [
        np.abs(pixels(edit(source, strength=shade / 255, **options)) - pixels(source)).mean()
        for shade in shades.tolist()
    ]
    assert np.corrcoef(change, alone)[0, 1] >= 0.97
    assert change[0] == 0.0
    assert (np.diff(change) > -6.0).all()
    assert change[2] < 0.5 * change[-1]


@pytest.mark.parametrize("strength", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("steps", [1, 4])
@pytest.mark.parametrize(
    ("shades", "more"), [((0, 255), 0), ((0, 26, 255), 1), ((0, 240, 255), 0), ((255,), 0)]
)
def test_only_what_is_fainter_than_the_last_step_asks_again(
    shades: tuple[int, ...], more: int, steps: int, strength: float
) -> None:
    """Announced and made; on a single step any shade is fainter than the edit."""
    grey = Image.new("L", SIZE)
    for number, shade in enumerate(shades):
        grey.paste(shade, (number * SIZE[0] // len(shades), 0, *SIZE))
    if steps == 1 and any(0 < shade < 255 for shade in shades):
        more = 1
    request = EditRequest(
        source=png(noisy()), prompt="red", model="analytic", seed=3, sampler="euler", dial="noise",
        strength=strength, steps=steps, strength_map=png(grey),
    )  # fmt: skip
    announced, done = 0, 0
    for event in Engine().stream(request):
        if isinstance(event, Step):
            announced, done = event.total, event.done
    assert announced == done == steps + (more if strength / steps > WIDE else 0)


def sky(kind: str) -> Image.Image:
    """A plain picture, or one that gets lighter downwards and redder to the right."""
    levels = np.full((SIZE[1], SIZE[0], 3), (70, 130, 200), np.uint8)
    if kind == "gradient":
        levels[..., 0] = np.linspace(40, 200, SIZE[0]).round()[None, :]
        levels[..., 1] = np.linspace(100, 220, SIZE[1]).round()[:, None]
    return Image.fromarray(levels)


@pytest.mark.parametrize("kind", ["flat", "gradient"])
@pytest.mark.parametrize("strength", [0.3, 0.6, 1.0])
def test_no_step_across_the_feather(kind: str, strength: float) -> None:
    """Towards quite another colour: it comes in from nothing, nowhere faster than evenly × 2.5.

    Mean change of a column, against the whole change inside.
    """
    source, feather, left = sky(kind), 12, 30
    half = Image.new("L", SIZE)
    half.paste(255, (left, 0, *SIZE))
    result = edit(source, mask=png(half), strength=strength, prompt="red", mask_feather=feather)
    change = (pixels(result) - pixels(source)).mean(axis=0)
    outermost = np.abs(change[left - feather - 1 : left - feather + 1])
    assert outermost[0].max() == 0.0
    assert outermost[1].max() < 1.0
    whole = np.abs(change[left + feather :]).max()
    assert whole > 20.0
    assert np.abs(np.diff(change, axis=0)).max() < 2.5 * whole / (2 * feather) + 1.0


def test_no_step_across_the_feather_where_nothing_changes() -> None:
    """On a plain picture, towards its own colour: under 1/255 on average."""
    plain = Image.new("RGB", SIZE, (128, 128, 128))
    result = edit(plain, mask=png(mask()), strength=0.5, prompt="gray", mask_feather=8.0)
    assert np.abs(pixels(result) - pixels(plain)).mean(axis=(0, 1)).max() < 1.0


def test_what_is_transparent_can_be_the_mask() -> None:
    source = noisy("RGB").convert("RGBA")
    hole = Image.new("L", SIZE, 255)
    hole.paste(0, (10, 10, 40, 40))
    source.putalpha(hole)
    result = edit(source, alpha_mask=True, strength=1.0)
    assert result.mode == "RGB"
    kept = np.asarray(hole) == 255
    assert np.array_equal(pixels(result)[kept], np.asarray(source)[..., :3][kept])
    hidden = source.copy()
    hidden.paste((0, 255, 0, 0), (10, 10, 40, 40))  # what hides under alpha 0 changes nothing
    assert np.array_equal(pixels(edit(hidden, alpha_mask=True, strength=0.6)),
                          pixels(edit(source, alpha_mask=True, strength=0.6)))  # fmt: skip


@pytest.mark.parametrize("reach", [{"mask_feather": 12.0}, {"mask_grow": -4}, {"mask_grow": 4}])
def test_what_hides_under_transparency_never_shows(reach: dict[str, object]) -> None:
    found: list[NDArray[np.int_]] = []
    for hidden in ((0, 0, 0, 0), (0, 255, 0, 0)):
        source = noisy("RGB").convert("RGBA")
        source.paste(hidden, (10, 10, 40, 40))
        found.append(pixels(edit(source, alpha_mask=True, strength=0.6, **reach)))
    assert np.array_equal(found[0], found[1])


def test_an_inverted_alpha_mask_repaints_what_is_seen_and_stays_transparent() -> None:
    source = noisy("RGB").convert("RGBA")
    source.paste((0, 255, 0, 0), (10, 10, 40, 40))
    result = edit(source, alpha_mask=True, mask_invert=True, strength=0.6)
    before, after = np.asarray(source), np.asarray(result)
    hole = before[..., 3] == 0
    assert np.array_equal(after[hole], before[hole])
    assert np.array_equal(after[..., 3], before[..., 3])
    assert (after[~hole] != before[~hole]).any(axis=-1).mean() > 0.9


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_what_is_transparent_in_a_mask_is_not_selected(mode: str) -> None:
    painted = Image.new(mode, SIZE, 0)
    painted.paste("white", (20, 10, 51, 41))
    one, other = (
        pixels(edit(noisy(), mask=png(each), strength=0.6, mask_feather=0.0))
        for each in (painted, mask())
    )
    assert np.array_equal(one, other)


def test_fills_start_repainting_from_other_things() -> None:
    source = noisy()
    results = [
        pixels(edit(source, mask=png(mask()), strength=0.5, fill=fill))
        for fill in ("source", "blur", "noise")
    ]
    for one, other in ((0, 1), (1, 2), (0, 2)):
        assert not np.array_equal(results[one], results[other])


def test_holes_are_continued_smoothly() -> None:
    ramp = np.tile(np.linspace(0, 255, 64).astype(np.uint8)[None, :, None], (64, 1, 3))
    known = np.ones((64, 64), np.float32)
    known[20:44, 20:44] = 0.0
    filled = continued(np.where(known[..., None] > 0, ramp, 0).astype(np.uint8), known)
    assert np.array_equal(filled[known > 0], ramp[known > 0])
    assert np.abs(filled[known == 0].astype(int) - ramp[known == 0]).mean() < 20


def test_only_the_masked_part_is_seen_with_its_padding() -> None:
    source = png(noisy())
    request = EditRequest(source=source, mask=png(mask()), mask_feather=0.0, padding=4)
    for more, box in (
        ({}, (0, 0, 72, 56)),
        ({"only_masked": True}, (16, 6, 55, 45)),
        ({"only_masked": True, "padding": 0}, (20, 10, 51, 41)),
        ({"only_masked": True, "padding": 30}, (0, 0, 72, 56)),
    ):
        region = region_of(request.with_(**more), images.load(source))
        assert region is not None
        assert region.box == box


def test_a_feather_is_a_64th_of_the_long_side_unless_asked() -> None:
    half = Image.new("L", (640, 40))
    half.paste(255, (320, 0, 640, 40))
    picture = images.load(png(noisy(size=half.size)))
    request = EditRequest(source=b"x", mask=png(half))
    widths: list[int] = []
    for feather in (None, 10.0, 30.0, 0.0):
        region = region_of(request.with_(mask_feather=feather), picture)
        assert region is not None
        row = region.opacity[20]
        widths.append(int(((row > 0.0) & (row < 1.0)).sum()))
    assert widths[0] == widths[1]
    assert widths[1] == pytest.approx(2 * 10, abs=4)
    assert widths[2] == pytest.approx(2 * 30, abs=4)
    assert widths[3] == 0


def test_masks_grow_and_shrink() -> None:
    spot = np.zeros((21, 21), np.float32)
    spot[8:13, 8:13] = 1.0
    assert grown(spot, 0) is spot
    assert grown(spot, 2).sum() == 81
    assert grown(spot, -2).sum() == 1
    assert grown(spot, -3).sum() == 0


def test_a_single_pixel_grows_as_far_as_any() -> None:
    spot = np.zeros((1201, 1201), np.float32)
    spot[600, 600] = 1.0
    assert grown(spot, 550).sum() == 1101**2


def test_a_style_picture_takes_a_mask() -> None:
    source = noisy()
    style = (png(noisy(size=(40, 40)).rotate(90)),)
    request = EditRequest(source=png(source), references=style, strength=0.5, full_steps=4)
    result = ENGINE.run(request.with_(mask=png(mask()), mask_feather=0.0)).image
    outside = np.asarray(mask()) == 0
    assert np.array_equal(pixels(result)[outside], pixels(source)[outside])
    assert not np.array_equal(pixels(result), pixels(source))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"mask": png(Image.new("L", (9, 9), 255))}, "9×9, the source 72×56"),
        ({"mask": png(Image.new("L", SIZE))}, "--mask-invert"),
        ({"strength_map": png(Image.new("L", SIZE))}, "black everywhere"),
        ({"mask": png(mask()), "strength_map": png(mask())}, "not both"),
        ({"mask": png(mask()), "source": None}, "needs a source"),
        ({"strength_map": png(mask()), "source": None}, "needs a source"),
        ({"strength_map": png(Image.new("L", (9, 9), 255))}, "9×9, the source 72×56"),
        ({"mask": png(mask()), "mask_grow": 5000}, "-1024 … 1024"),
        ({"mask": png(mask()), "mask_feather": -1.0}, "0 … 1024"),
        ({"mask": png(mask()), "mask_grow": -40}, "selects nothing"),
        ({"mask_invert": True}, "is for masks"),
        ({"strength_map": png(mask()), "fill": "blur"}, "is for masks"),
        ({"alpha_mask": True}, "no transparent part"),
    ],
)
def test_impossible_masks_are_refused_with_what_to_do(fields: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidRequest, match=said.replace("(", r"\(")):
        edit(noisy(), strength=0.5, **fields)
