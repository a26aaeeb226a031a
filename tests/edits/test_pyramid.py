"""Restyling after pictures: the dial's ends, what is refused, counts, shapes, full size."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from partway import batcher
from partway.choosing import choose_model
from partway.denoiser import Array, Row, Rows
from partway.edits import pyramid
from partway.engine import Engine
from partway.errors import Cancelled, InvalidRequest, PartwayError, UnreadableImage
from partway.events import Done, Preview, Started, Step
from partway.families import load_family, profile_of
from partway.images import read_bytes
from partway.outline import plan_request
from partway.request import EditRequest
from partway.samplers import SAMPLERS
from partway.schedule import Level
from partway.styles import style_file

QUICK = 3  # steps of a full run: enough for what these tests look at


def photograph(width: int = 120, height: int = 90, seed: int = 1) -> Image.Image:
    """Something with grain, shading and edges."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    rng = np.random.RandomState(seed)
    rgb = np.stack([80 + x, 200 - 1.4 * y, 60 + 0.8 * (x + y) / 2], axis=-1)
    rgb[(x - 50) ** 2 + (y - 45) ** 2 < 25**2] *= 0.35
    rgb += rng.normal(0, 6, rgb.shape)
    return Image.fromarray(np.clip(rgb, 0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


@pytest.fixture(scope="module")
def ask() -> Callable[..., EditRequest]:
    source, reference = read_bytes(photograph()), style_file("mosaic").read_bytes()

    def make(**fields: Any) -> EditRequest:
        given: dict[str, Any] = {"source": source, "references": (reference,), "full_steps": QUICK}
        return EditRequest(**(given | fields))

    return make


def pixels(image: Image.Image) -> NDArray[np.uint8]:
    return np.asarray(image)


def test_strength_zero_is_the_source(engine: Engine, ask: Callable[..., EditRequest]) -> None:
    result = engine.run(ask(strength=0.0))
    assert np.array_equal(pixels(result.image), pixels(photograph()))
    assert result.evaluations == 0


def test_strength_one_knows_only_the_source_s_size(
    engine: Engine, ask: Callable[..., EditRequest]
) -> None:
    one = engine.run(ask(strength=1.0))
    other = engine.run(ask(strength=1.0, source=read_bytes(photograph(seed=2).rotate(180))))
    none = engine.run(ask(source=None, size=(120, 90)))
    assert np.array_equal(pixels(one.image), pixels(other.image))
    assert np.array_equal(pixels(one.image), pixels(none.image))


def test_kept_falls_with_strength_and_tends_to_all(
    engine: Engine, ask: Callable[..., EditRequest]
) -> None:
    kept = [engine.run(ask(strength=s)).kept for s in (0.02, 0.3, 0.6, 0.8, 1.0)]
    structure = [each.structure for each in kept if each is not None]
    assert structure == sorted(structure, reverse=True)
    assert structure[0] > 0.99
    assert structure[1] > 0.85
    assert structure[-1] < 0.3


def test_the_same_request_gives_the_same_bits_and_a_seed_another_picture(
    engine: Engine, ask: Callable[..., EditRequest]
) -> None:
    first = pixels(engine.run(ask(strength=0.5)).image)
    assert np.array_equal(first, pixels(Engine().run(ask(strength=0.5)).image))
    assert not np.array_equal(first, pixels(engine.run(ask(strength=0.5, seed=2)).image))


def test_run_beside_others_it_gives_the_same_picture(
    engine: Engine, ask: Callable[..., EditRequest]
) -> None:
    """Rows of several scales wait at once; only rows of one shape share a call."""
    alone = pixels(engine.run(ask(strength=0.4)).image).astype(int)
    beside = engine.run_many([ask(strength=0.9), ask(strength=0.4), ask(size=None, strength=0.6)])
    assert not isinstance(beside[1], PartwayError)
    assert np.abs(pixels(beside[1].image).astype(int) - alone).max() <= 1


def test_rows_of_two_shapes_never_share_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[set[tuple[int, ...]]] = []

    def answer(network: object, rows: Sequence[Row]) -> list[Array]:
        asked.append({row.x.shape for row in rows})
        return [row.x for row in rows]

    def rows(side: int) -> Rows:
        x = np.zeros((3, side, side), np.float32)
        return (yield [Row(x, Level(0.5, 0.5), None)])[0]

    monkeypatch.setattr(batcher, "denoise", answer)
    serving = batcher.Batcher()
    network = load_family(profile_of("exemplar"))
    for index, side in enumerate((8, 9, 8)):
        serving.add(batcher.Job(index, "one key", network, rows(side)))
    while len(serving):
        serving.step()
    assert asked == [{(3, 8, 8)}, {(3, 9, 9)}]


@pytest.mark.parametrize("sampler", sorted(SAMPLERS))
def test_evaluations_are_told_before_and_true_after(
    engine: Engine, ask: Callable[..., EditRequest], sampler: str
) -> None:
    events = list(engine.stream(ask(strength=0.5, sampler=sampler), preview_every=2))
    told = next(event.evaluations for event in events if isinstance(event, Started))
    assert sum(isinstance(event, Step) for event in events) == told
    done = events[-1]
    assert isinstance(done, Done)
    assert done.result.evaluations == told
    previews = [event.image for event in events if isinstance(event, Preview)]
    assert previews
    assert all(image.size == (120, 90) for image in previews)


def test_every_step_count_and_exact_steps(engine: Engine, ask: Callable[..., EditRequest]) -> None:
    result = engine.run(ask(strength=0.5, full_steps=None, steps=2))
    assert result.plan.intervals == 2
    assert result.evaluations == 2 + 1 + 2


def test_keep_colors_changes_light_and_not_hues(
    engine: Engine, ask: Callable[..., EditRequest]
) -> None:
    taken = engine.run(ask(strength=0.6)).kept
    stays = engine.run(ask(strength=0.6, keep_colors=True)).kept
    assert taken is not None
    assert stays is not None
    assert stays.color > taken.color + 0.1


def test_recolor_takes_the_palette_at_once_and_leaves_structure_to_the_dial(
    engine: Engine, ask: Callable[..., EditRequest]
) -> None:
    plain = engine.run(ask(strength=0.1)).kept
    taken = engine.run(ask(strength=0.1, recolor=True)).kept
    far = engine.run(ask(strength=0.6)).kept
    assert plain is not None
    assert taken is not None
    assert far is not None
    assert taken.color < plain.color - 0.2
    assert taken.structure > far.structure
    nearly = engine.run(ask(strength=0.0005, recolor=True)).kept
    assert nearly is not None
    assert nearly.color > 0.98


def test_a_large_source_comes_back_at_its_own_size_with_alpha(
    engine: Engine, ask: Callable[..., EditRequest]
) -> None:
    large = photograph(900, 600).convert("RGBA")
    large.putalpha(Image.linear_gradient("L").resize((900, 600)))
    result = engine.run(ask(source=read_bytes(large), strength=0.3, full_steps=2))
    assert result.image.size == (900, 600)
    assert result.image.mode == "RGBA"
    assert np.array_equal(np.asarray(result.image)[..., 3], np.asarray(large)[..., 3])


@pytest.mark.parametrize("size", [(1, 1), (3, 400), (700, 20)])
def test_odd_sizes(engine: Engine, ask: Callable[..., EditRequest], size: tuple[int, int]) -> None:
    source = read_bytes(photograph(*size))
    assert engine.run(ask(source=source, strength=0.5, full_steps=1)).image.size == size


def test_a_cancelled_edit_stops(engine: Engine, ask: Callable[..., EditRequest]) -> None:
    cancel = threading.Event()

    def stop(event: object) -> None:
        if isinstance(event, Step):
            cancel.set()

    with pytest.raises(Cancelled):
        engine.run(ask(strength=0.9), on_event=stop, cancel=cancel)


def test_scales_grow_to_the_canvas_and_the_first_is_the_plan(
    ask: Callable[..., EditRequest],
) -> None:
    request, profile = ask(strength=0.5), profile_of("exemplar")
    plan = plan_request(request, profile)
    place = pyramid.at_side(pyramid.Extent(4000, 3000), 512)
    ladder = pyramid.scales(request, plan, profile.schedule, place)
    assert [max(scale.extent) for scale in ladder] == [96, 222, 512]
    assert ladder[-1].extent == place.fitted
    assert ladder[0].levels == plan.levels
    assert all(scale.levels[-1].sigma == 0.0 for scale in ladder)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"prompt": "a boat"}, "reads pictures, no words"),
        ({"negative_prompt": "rain"}, "reads pictures, no words"),
        ({"guidance_scale": 3.0}, "leave --guidance out"),
        ({"true_cfg_scale": 3.0}, "leave --true-cfg-scale out"),
        ({"model": "pocket"}, "has no use for a style picture"),
        ({"model": "analytic"}, "has no use for a style picture"),
        ({"model": "exemplar", "references": ()}, "--style watercolour"),
    ],
)
def test_what_it_cannot_follow_is_refused(
    engine: Engine, ask: Callable[..., EditRequest], fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidRequest, match=message):
        engine.run(ask(strength=0.5, **fields))


def test_bad_references_are_typed_errors(engine: Engine, ask: Callable[..., EditRequest]) -> None:
    with pytest.raises(UnreadableImage, match="style picture"):
        engine.run(ask(references=(b"no picture",)))
    with pytest.raises(InvalidRequest, match="allowed are 8"):
        ask(references=(b"",) * 9)
    with pytest.raises(InvalidRequest, match="keep-colors needs"):
        ask(references=(), keep_colors=True)


def shaded(size: tuple[int, int], shades: int) -> Image.Image:
    """Grey stripes from black to white, of one width."""
    levels = np.linspace(0, 255, shades).round().astype(np.uint8)
    return Image.fromarray(np.tile(np.repeat(levels, size[0] // shades), (size[1], 1)))


@pytest.mark.parametrize("strength", [0.7, 1.0])
def test_change_follows_a_map_as_whole_edits_would(
    engine: Engine, ask: Callable[..., EditRequest], strength: float
) -> None:
    """In stripes of 4 shades: black is the source, the others as edits of their strength there."""
    size = (144, 72)
    source = photograph(*size)

    def change(**fields: Any) -> NDArray[np.float64]:
        request = ask(source=read_bytes(source), sampler="euler", **fields)
        apart = np.abs(pixels(engine.run(request).image).astype(int) - pixels(source))
        return apart.mean(axis=(0, 2)).reshape(4, 36).mean(axis=1)

    mapped = change(strength=strength, strength_map=read_bytes(shaded(size, 4)))
    alone = [change(strength=strength * share)[i] for i, share in enumerate((0, 1 / 3, 2 / 3, 1))]
    assert mapped[0] == 0.0
    assert mapped == pytest.approx(np.asarray(alone), rel=0.3)
    assert np.corrcoef(mapped, alone)[0, 1] > 0.98


def test_a_black_part_of_a_map_stays_and_a_grey_one_does_not(
    engine: Engine, ask: Callable[..., EditRequest]
) -> None:
    grey = Image.new("L", (120, 90))
    grey.paste(128, (60, 0, 120, 90))
    source = pixels(photograph())
    for fields in ({"keep_colors": True}, {"recolor": True}):
        request = ask(strength=0.8, strength_map=read_bytes(grey), **fields)
        result = pixels(engine.run(request).image)
        assert np.array_equal(result[:, :60], source[:, :60])
        assert np.abs(result[:, 70:].astype(int) - source[:, 70:]).mean() > 1.0


def test_references_choose_the_family() -> None:
    assert choose_model(None, None, with_references=True).name == "exemplar"
