"""Upscales: exact ends, no seams, no dependence on tiles, and the source held below its detail."""

from __future__ import annotations

import threading
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from tests.images import icc

from partway import edit, images
from partway.edits import upscale
from partway.engine import Engine
from partway.errors import Cancelled, InvalidRequest
from partway.events import Done, Event, Preview, Step
from partway.families.analytic import PROFILE, Analytic
from partway.geometry import Extent
from partway.images import read_bytes
from partway.plan import plan_edit
from partway.request import EditRequest
from partway.result import EditResult

Pixels = NDArray[np.float64]


@pytest.fixture
def icon(icon: Image.Image) -> Image.Image:
    """A small one: still several tiles when it is enlarged."""
    return icon.resize((54, 36))


def gradient(width: int = 72, height: int = 48) -> Image.Image:
    """Smooth in every direction, in all channels differently."""
    y, x = np.mgrid[0:height, 0:width] / max(width, height)
    rgb = np.stack([40 + 160 * x, 220 - 150 * y, 90 + 60 * x + 60 * y], axis=-1)
    return Image.fromarray(np.rint(rgb).astype(np.uint8))


def upscaled(source: Image.Image, **fields: Any) -> EditResult:
    fields = {"prompt": "navy, orange, white", "model": "analytic", "scale": 2.0} | fields
    return Engine().run(EditRequest(source=read_bytes(source), **fields))


def pixels(result: EditResult | Image.Image) -> Pixels:
    image = result.image if isinstance(result, EditResult) else result
    return np.asarray(image.convert("RGB")).astype(float)


def lanczos(source: Image.Image, scale: float = 2.0) -> Image.Image:
    size = (round(source.width * scale), round(source.height * scale))
    return source.resize(size, Image.Resampling.LANCZOS)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "CMYK", "I;16"])
def test_at_strength_0_it_is_the_lanczos_enlargement(
    mode: str, icon: Image.Image, tmp_path: Path
) -> None:
    source = icon.convert("L").convert(mode) if mode == "I;16" else icon.convert(mode)
    if mode.endswith("A"):
        source.putalpha(Image.linear_gradient("L").resize(source.size))
    file = tmp_path / "source.tif"
    source.save(file)
    result = edit(file, "red", strength=0.0, scale=2.5)
    assert result.model is None
    assert result.image.mode == mode
    assert np.array_equal(np.asarray(result.image), np.asarray(lanczos(source, 2.5)))


def test_at_strength_0_a_palette_becomes_colours(icon: Image.Image) -> None:
    source = icon.quantize(16)
    result = upscaled(source, strength=0.0)
    assert np.array_equal(np.asarray(result.image), np.asarray(lanczos(source.convert("RGB"))))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "CMYK", "I;16", "P"])
@pytest.mark.parametrize(("scale", "apart"), [(2.0, 0), (3.0, 1), (1.7, 1)])
def test_windows_of_an_enlargement_are_those_of_the_whole(
    mode: str, scale: float, apart: int, icon: Image.Image
) -> None:
    """Cut out of the source with what they depend on; a grey level off at odd scales only."""
    source = icon.convert("L").convert(mode) if mode == "I;16" else icon.convert(mode)
    if mode.endswith("A"):
        source.putalpha(Image.linear_gradient("L").resize(source.size))
    large = images.enlarge(
        images.load(read_bytes(source)), upscale.extent_of(Extent(54, 36), scale)
    )
    whole = images.load(read_bytes(large.image()))
    for down, across in ((range(36), range(54)), (range(7, 20), range(31, large.extent.width))):
        here = (slice(down.start, down.stop), slice(across.start, across.stop))
        window = large.window(down, across)
        assert np.abs(window.rgb.astype(int) - whole.rgb[here]).max() <= apart
        if whole.alpha is not None:
            assert window.alpha is not None
            assert np.abs(window.alpha.astype(int) - whole.alpha[here]).max() <= apart


def test_a_part_without_transparency_has_the_alpha_of_the_whole(icon: Image.Image) -> None:
    source = icon.convert("RGBA")
    source.putpixel((2, 2), (0, 0, 0, 0))
    large = images.enlarge(images.load(read_bytes(source)), Extent(108, 72))
    alpha = large.window(range(40, 50), range(60, 70)).alpha
    assert alpha is not None
    assert (alpha == 255).all()


def test_bands_and_pieces_of_them_do_not_show(
    icon: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same picture and score in one piece and in many."""
    source = icon.convert("RGBA")
    source.putalpha(Image.linear_gradient("L").resize(source.size))
    whole = upscaled(source, strength=0.5, steps=3, scale=2.0)
    monkeypatch.setattr(upscale, "PIECE", 23)
    monkeypatch.setattr(upscale, "BAND", 19)
    pieces = upscaled(source, strength=0.5, steps=3, scale=2.0)
    shown, again = (images.rgb_of(each.image).astype(int) for each in (whole, pieces))
    assert np.abs(shown - again).max() <= 1
    assert np.array_equal(np.asarray(whole.image)[..., 3], np.asarray(pieces.image)[..., 3])
    assert whole.kept is not None
    assert pieces.kept is not None
    assert abs(whole.kept.structure - pieces.kept.structure) < 1e-3


class Coarse:
    """An autoencoder without weights: every eighth pixel."""

    profile = replace(PROFILE, stride=8, native_size=128)

    def latent_shape(self, width: int, height: int) -> tuple[int, int, int]:
        return 3, height // 8, width // 8

    def encode(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        return image[:, ::8, ::8]

    def decode(self, latents: NDArray[np.float32]) -> NDArray[np.float32]:
        return latents.repeat(8, 1).repeat(8, 2)


def test_memory_is_flat(monkeypatch: pytest.MonkeyPatch) -> None:
    """Arrays beside the source, its latents and the result: four times as high or wide, the same.

    Pillow's own memory is not counted: the result, and windows of the enlarged source.
    """
    monkeypatch.setattr(upscale, "PIECE", 256)

    def peak(width: int, height: int) -> int:
        small = Image.linear_gradient("L").convert("RGB").resize((width // 2, height // 2))
        large = images.enlarge(images.load(read_bytes(small)), Extent(width, height))
        family: Any = Coarse()
        ground = upscale.ground_of(EditRequest(source=b"x", scale=2.0), family, large.extent)
        plan = plan_edit(0.5, PROFILE.schedule, steps=2)
        tracemalloc.start()
        latents = upscale.encode(family, large, ground)
        result, _, _ = upscale.finish(plan, 2.0, family, ground, latents, large, latents)
        most = tracemalloc.get_traced_memory()[1] - latents.nbytes
        tracemalloc.stop()
        assert result.size == large.extent
        return most

    least = peak(400, 300)
    assert peak(400, 1200) < 1.25 * least
    assert peak(1600, 300) < 1.25 * least


def test_a_lossy_source_is_enlarged_too(icon: Image.Image, tmp_path: Path) -> None:
    """At strength 0 an edit's file may be the source's own; an upscale's never is."""
    file = tmp_path / "icon.jpg"
    icon.save(file)
    edit(file, "", strength=0.0, scale=2.0).save(tmp_path / "large.jpg")
    with Image.open(tmp_path / "large.jpg") as large:
        assert large.size == (108, 72)


def test_towards_0_it_tends_to_the_enlargement(icon: Image.Image) -> None:
    plain = pixels(lanczos(icon))
    changes = [
        np.abs(pixels(upscaled(icon, strength=s, steps=3)) - plain).mean()
        for s in (0.001, 0.05, 0.3, 0.7)
    ]
    assert changes == sorted(changes)
    assert changes[0] < 0.1


def test_at_strength_1_the_source_is_ignored(icon: Image.Image) -> None:
    upside_down = upscaled(icon.rotate(180), strength=1.0, steps=4)
    assert np.array_equal(pixels(upscaled(icon, strength=1.0, steps=4)), pixels(upside_down))


@pytest.mark.parametrize("strength", [0.25, 0.6, 1.0])
def test_the_result_does_not_depend_on_the_tiles(strength: float, icon: Image.Image) -> None:
    """Noise is one field, and a denoiser that knows no tiles gives one picture: within rounding."""
    small, large = (
        upscaled(icon, strength=strength, steps=4, scale=3.0, working_multiple=multiple)
        for multiple in (1, 4)
    )
    assert small.evaluations > large.evaluations
    assert np.abs(pixels(small) - pixels(large)).max() <= 1.0


def make_biased(monkeypatch: pytest.MonkeyPatch) -> None:
    """A denoiser that gives every tile a tone of its own and dirties its border, as networks do."""
    exact = Analytic.predict

    def predict(self: Analytic, x: Any, levels: Any, conditions: Any) -> Any:
        answer = exact(self, x, levels, conditions)
        rows, columns = np.mgrid[0 : x.shape[2], 0 : x.shape[3]]
        edge = np.minimum(rows, columns)
        edge = np.minimum(edge, np.minimum(x.shape[2] - 1 - rows, x.shape[3] - 1 - columns))
        tones = 0.06 * (-1.0) ** np.arange(len(answer))
        return answer + tones[:, None, None, None] + 0.1 * np.exp(-edge / 2.0)

    monkeypatch.setattr(Analytic, "predict", predict)


@pytest.mark.parametrize("strength", [0.1, 0.3, 0.5])
def test_no_seam_shows_on_a_gradient(strength: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between neighbouring rows and columns nothing steps by 1/255 that one tile would not have.

    The model's answers differ by 15/255 from tile to tile, and by 12/255 towards their borders.
    """
    asked: dict[str, Any] = {"strength": strength, "prompt": "gray", "steps": 5}
    whole = pixels(upscaled(gradient(), working_multiple=4, **asked))
    make_biased(monkeypatch)
    apart = (pixels(upscaled(gradient(), **asked)) - whole)[8:-8, 8:-8]
    assert apart.any()
    for axis in (0, 1):
        steps = np.diff(apart.mean(axis=axis), axis=0)
        assert np.abs(steps).max() < 1.0, axis


def test_what_the_source_can_say_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a half as large picture shows is the source's; without the hold it is the model's."""
    source, plain = gradient(), lanczos(gradient())

    def apart() -> float:
        result = upscaled(source, strength=0.25, steps=4, prompt="gray")
        assert np.abs(pixels(result) - pixels(plain)).mean() > 3.0
        down, own = (
            pixels(each.resize((source.width // 2, source.height // 2), Image.Resampling.BOX))
            for each in (result.image, plain)
        )
        return float(np.abs(down - own).mean())

    held = apart()
    monkeypatch.setattr(upscale, "FALL", 0)
    assert held < 1.0
    assert apart() > 3.0 * held


def test_size_and_alpha(icon: Image.Image) -> None:
    source = icon.resize((61, 23)).convert("RGBA")
    source.putalpha(Image.linear_gradient("L").resize(source.size))
    result = upscaled(source, strength=0.4, steps=2, scale=1.7)
    assert result.image.size == (104, 39)
    alpha = np.asarray(lanczos(source, 1.7))[..., 3]
    assert np.array_equal(np.asarray(result.image)[..., 3], alpha)


def test_profiles_stay(icon: Image.Image) -> None:
    """In the source's own colours: in Display P3 the enlargement is that of P3's numbers."""
    icon.info["icc_profile"] = icc.DISPLAY_P3
    result = upscaled(icon, strength=0.001, steps=1)
    assert result.image.info["icc_profile"] == icon.info["icc_profile"]
    assert np.abs(pixels(result) - pixels(lanczos(icon))).mean() < 1.0


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"scale": 1.0}, "above 1"),
        ({"scale": 0.5}, "an upscale enlarges"),
        ({"scale": 17.0}, "above 1 … 16"),
        ({"scale": float("nan")}, "scale"),
        ({"scale": 2.0, "source": None}, "needs a source"),
        ({"scale": 2.0, "mask": b"x"}, "a mask"),
        ({"scale": 2.0, "strength_map": b"x"}, "a strength map"),
        ({"scale": 2.0, "references": (b"x",)}, "a style picture"),
        ({"scale": 2.0, "dialect": "diffusers"}, "exactly"),
    ],
)
def test_what_a_scale_cannot_be(fields: dict[str, Any], said: str, icon: Image.Image) -> None:
    with pytest.raises(InvalidRequest, match=said):
        EditRequest(source=read_bytes(icon)).with_(**fields)


def test_too_large_a_result_is_refused_with_the_largest_scale() -> None:
    with pytest.raises(InvalidRequest, match=r"36 and 16384 .*try -x 3\.46"):
        upscale.extent_of(Extent(2000, 1500), 4.0)
    assert upscale.extent_of(Extent(2000, 1500), 3.46) == (6920, 5190)
    with pytest.raises(InvalidRequest, match="as large as"):
        upscale.extent_of(Extent(6000, 6000), 1.5)
    with pytest.raises(InvalidRequest, match=r"try -x 1\.02"):
        upscale.extent_of(Extent(16000, 10), 2.0)


def test_progress_counts_every_network_call_and_previews_are_whole(icon: Image.Image) -> None:
    asked = EditRequest(source=read_bytes(icon), model="analytic", scale=3.0, strength=0.4, steps=3)
    events: list[Event] = list(Engine().stream(asked, preview_every=4))
    steps = [each for each in events if isinstance(each, Step)]
    assert [each.done for each in steps] == list(range(1, steps[0].total + 1))
    assert len(steps) > 3  # several calls a step
    shown = [each.image for each in events if isinstance(each, Preview)]
    assert {image.size for image in shown} == {(162, 108)}
    done = next(each.result for each in events if isinstance(each, Done))
    assert np.abs(pixels(shown[-1]) - pixels(done)).mean() < 25  # the whole, not one tile


def test_a_preview_before_the_first_whole_estimate(icon: Image.Image) -> None:
    asked = EditRequest(source=read_bytes(icon), model="analytic", scale=3.0, strength=1.0, steps=1)
    events = list(Engine().stream(asked, preview_every=1))
    assert isinstance(events[-1], Done)
    assert {each.image.size for each in events if isinstance(each, Preview)} == {(162, 108)}


def test_cancel_is_heard_within_one_call(icon: Image.Image) -> None:
    cancel, heard = threading.Event(), 0

    def listen(event: Event) -> None:
        nonlocal heard
        heard += isinstance(event, Step)
        if heard == 2:
            cancel.set()

    asked = EditRequest(source=read_bytes(icon), model="analytic", scale=6.0, strength=0.3, steps=2)
    with pytest.raises(Cancelled):
        Engine().run(asked, on_event=listen, cancel=cancel)
    assert heard == 2


def test_shared_runs_give_the_same_picture(icon: Image.Image) -> None:
    asked = [
        EditRequest(source=read_bytes(icon), model="analytic", scale=x, strength=s, steps=3)
        for x, s in ((2.0, 0.3), (2.0, 0.6), (3.0, 0.3))
    ]
    for request, outcome in zip(asked, Engine().run_many(asked), strict=True):
        assert isinstance(outcome, EditResult)
        assert np.array_equal(pixels(outcome), pixels(Engine().run(request)))
