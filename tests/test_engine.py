"""The promises of an engine, on the analytic family; the same on pocket in test_promises.py."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from partway import engine as engine_module
from partway import outline
from partway.denoiser import Array, Condition
from partway.engine import Engine
from partway.errors import Cancelled, ModelError, NonFinite, PartwayError, UnknownName
from partway.events import Done, Event, Failed, Preview, Queued, Started, Step, WasCancelled
from partway.families.analytic import PROFILE, Analytic
from partway.images import read_bytes
from partway.request import EditRequest
from partway.result import EditResult
from partway.samplers import SAMPLERS
from partway.schedule import Level


def request(icon: Image.Image, **fields: Any) -> EditRequest:
    fields = {"prompt": "navy, orange, white", "model": "analytic", "strength": 0.5} | fields
    return EditRequest(source=read_bytes(icon), **fields)


def pixels(result: EditResult) -> np.ndarray[Any, Any]:
    return np.asarray(result.image)


class Broken(Analytic):
    """NaN in every precision but those in `sound`."""

    sound: tuple[str, ...] = ()

    def __init__(self, precision: str) -> None:
        super().__init__(PROFILE)
        self.precision = "bf16" if precision == "auto" else precision

    def predict(self, x: Array, levels: Sequence[Level], conditions: Sequence[Condition]) -> Array:
        output = super().predict(x, levels, conditions)
        return output if self.precision in self.sound else output * np.float32(np.nan)


@pytest.mark.parametrize("mode", ["L", "P", "RGB", "RGBA", "1", "LA"])
def test_strength_0_is_the_source_and_loads_nothing(
    mode: str, icon: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any) -> None:
        raise AssertionError("a model was chosen or loaded")

    monkeypatch.setattr(engine_module, "load_family", refuse)
    monkeypatch.setattr(outline, "choose_model", refuse)
    source = icon.convert(mode)
    result = Engine().run(request(source, strength=0.0, model=None))
    assert result.image.mode == mode
    assert np.array_equal(pixels(result), np.asarray(source))
    assert (result.evaluations, result.model) == (0, None)
    assert result.kept is not None
    assert (result.kept.structure, result.kept.color) == (1.0, 1.0)


def test_strength_0_imports_no_runtime(icon_file: Path) -> None:
    code = (
        "import sys; from partway import edit; "
        f"edit({str(icon_file)!r}, 'x', strength=0); "
        "print([m for m in ('openvino', 'torch', 'tokenizers') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_strength_1_ignores_the_source_and_equals_text_to_image(icon: Image.Image) -> None:
    engine = Engine()
    edited = engine.run(request(icon, strength=1.0))
    other = engine.run(request(icon.rotate(180), strength=1.0))
    from_text = engine.run(
        EditRequest(prompt="navy, orange, white", model="analytic", size=icon.size)
    )
    assert np.array_equal(pixels(edited), pixels(from_text))
    assert np.array_equal(pixels(edited), pixels(other))
    assert from_text.kept is None


@pytest.mark.parametrize("steps", [{"steps": 1}, {"steps": 4}, {"full_steps": 1}, {}])
@pytest.mark.parametrize("sampler", sorted(SAMPLERS))
def test_neighbours_on_the_dial_differ(
    steps: dict[str, int], sampler: str, icon: Image.Image
) -> None:
    if sampler == "lcm" and not steps:
        pytest.skip("lcm draws towards the nearest colour at every step: many, and all agree")
    engine = Engine()
    dial = [i / 100 for i in range(5, 96, 10)]
    for strength in dial:
        a, b = (
            pixels(engine.run(request(icon, strength=s, sampler=sampler, **steps)))
            for s in (strength, round(strength + 0.01, 2))
        )
        assert not np.array_equal(a, b), strength


def test_same_request_same_bits_and_another_seed_another_picture(icon: Image.Image) -> None:
    first = pixels(Engine().run(request(icon)))
    assert np.array_equal(first, pixels(Engine().run(request(icon))))
    assert not np.array_equal(first, pixels(Engine().run(request(icon, seed=2))))
    assert not np.array_equal(first, pixels(Engine().run(request(icon, seed=0))))


@pytest.mark.parametrize("sampler", sorted(SAMPLERS))
@pytest.mark.parametrize("strength", [0.01, 0.5, 1.0])
def test_the_announced_evaluations_are_made(
    sampler: str, strength: float, icon: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    predict = Analytic.predict

    def counting(self: Analytic, x: Array, levels: Any, conditions: Any) -> Array:
        calls.append(len(x))
        return predict(self, x, levels, conditions)

    monkeypatch.setattr(Analytic, "predict", counting)
    events = list(Engine().stream(request(icon, strength=strength, sampler=sampler, full_steps=6)))
    started = next(event for event in events if isinstance(event, Started))
    done = events[-1]
    assert isinstance(done, Done)
    assert started.evaluations == done.result.evaluations == len(calls)
    steps = [(event.done, event.total) for event in events if isinstance(event, Step)]
    assert steps == [(i + 1, len(calls)) for i in range(len(calls))]
    per_step = SAMPLERS[sampler].per_step
    assert len(calls) == per_step * (done.result.plan.intervals - 1) + 1


@pytest.mark.parametrize("sampler", sorted(SAMPLERS))
def test_ends_are_exact_with_every_sampler(sampler: str, icon: Image.Image) -> None:
    engine = Engine()
    asked = request(icon, sampler=sampler, full_steps=5)
    assert np.array_equal(pixels(engine.run(asked.with_(strength=0.0))), np.asarray(icon))
    everything = pixels(engine.run(asked.with_(strength=1.0)))
    text = asked.with_(source=None, strength=None, size=icon.size)
    assert np.array_equal(everything, pixels(engine.run(text)))
    # towards 0 the source comes back
    change = [
        np.abs(pixels(engine.run(asked.with_(strength=s))).astype(int) - np.asarray(icon)).mean()
        for s in (0.001, 0.01, 0.1)
    ]
    assert change[0] < change[1] < change[2]
    assert change[0] < 1.0


def test_shared_batches_give_the_same_pictures(icon: Image.Image) -> None:
    engine = Engine()
    requests = [
        request(icon, strength=s, seed=i, steps=n, prompt=p, sampler=m)
        for i, (s, n, p, m) in enumerate(
            [
                (0.2, 3, "red", "euler"),
                (0.5, 6, "lime", "dpmpp_2m"),
                (1.0, 5, "", "euler_ancestral"),
            ]
        )
    ]
    shared = engine.run_many(requests)
    for one, outcome in zip(requests, shared, strict=True):
        assert isinstance(outcome, EditResult)
        assert outcome.mode == "shared"
        difference = pixels(outcome).astype(int) - pixels(engine.run(one)).astype(int)
        assert np.abs(difference).max() <= 1


def test_results_say_what_happened(icon: Image.Image) -> None:
    result = Engine().run(request(icon, strength=0.4, dial="noise", full_steps=10))
    assert result.plan.noise_fraction == 0.4
    assert result.evaluations == result.plan.intervals == 4
    assert (result.model, result.precision, result.mode) == ("analytic", "fp32", "exact")
    assert result.seconds > 0
    assert result.kept is not None
    assert result.kept.structure < 1.0


@pytest.mark.parametrize("size", [(1, 1), (1, 97), (97, 1), (13, 7), (64, 64), (300, 11)])
def test_output_size_is_input_size(size: tuple[int, int], icon: Image.Image) -> None:
    result = Engine().run(request(icon.resize(size), steps=2))
    assert result.image.size == size


def test_alpha_is_kept(icon: Image.Image) -> None:
    source = icon.convert("RGBA")
    alpha = Image.linear_gradient("L").resize(source.size)
    source.putalpha(alpha)
    result = Engine().run(request(source, steps=3))
    assert result.image.mode == "RGBA"
    assert np.array_equal(pixels(result)[..., 3], np.asarray(alpha))


def test_text_to_image_says_that_strength_has_no_effect() -> None:
    engine = Engine()
    plain = EditRequest(prompt="red", model="analytic", size=(20, 10))
    given = engine.run(plain.with_(strength=0.3))
    assert any("strength has no effect" in warning for warning in given.warnings)
    assert engine.run(plain).warnings == ()
    assert np.array_equal(pixels(engine.run(plain)), pixels(given))
    assert given.image.size == (20, 10)


def test_events_tell_the_story(icon: Image.Image) -> None:
    events = list(Engine().stream(request(icon, steps=4), preview_every=2))
    kinds = [type(event) for event in events]
    assert kinds == [Queued, Started, Step, Step, Preview, Step, Step, Done]
    steps = [event for event in events if isinstance(event, Step)]
    assert [(s.done, s.total) for s in steps] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    fractions = [s.level.noise_fraction for s in steps]
    assert fractions == sorted(fractions, reverse=True)
    assert fractions[-1] == 0.0
    preview = next(event for event in events if isinstance(event, Preview))
    assert preview.image.size == icon.size


def test_cancel_takes_effect_within_one_evaluation(icon: Image.Image) -> None:
    cancel = threading.Event()
    seen: list[Event] = []

    def listen(event: Event) -> None:
        seen.append(event)
        if isinstance(event, Step) and event.done == 2:
            cancel.set()

    with pytest.raises(Cancelled):
        Engine().run(request(icon, steps=50), on_event=listen, cancel=cancel)
    assert max(event.done for event in seen if isinstance(event, Step)) == 2
    assert isinstance(seen[-1], WasCancelled)


def test_closing_a_stream_stops_the_work(
    icon: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    predict = Analytic.predict

    def counting(self: Analytic, x: Array, levels: Any, conditions: Any) -> Array:
        calls.append(len(x))
        return predict(self, x, levels, conditions)

    monkeypatch.setattr(Analytic, "predict", counting)
    stream = Engine().stream(request(icon, steps=50))
    for event in stream:
        if isinstance(event, Step) and event.done == 3:
            break
    stream.close()
    assert len(calls) == 3


def test_an_error_in_one_job_harms_no_other(
    icon: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = request(icon, steps=3)
    requests = [
        good,
        EditRequest(source=b"not a picture", model="analytic"),
        good.with_(model="nope"),
        good.with_(sampler="nope"),
        good.with_(prompt="crash"),
        good.with_(seed=9),
    ]

    def crash(self: Analytic, prompt: str, encode: Any = Analytic.encode_prompt) -> Array:
        if prompt == "crash":
            raise RuntimeError("a library failed")
        return encode(self, prompt)

    monkeypatch.setattr(Analytic, "encode_prompt", crash)
    events: list[Event] = []
    outcomes = Engine().run_many(requests, on_event=events.append)
    assert [isinstance(outcome, EditResult) for outcome in outcomes] == [True, *[False] * 4, True]
    assert all(isinstance(o, (EditResult, PartwayError)) for o in outcomes)
    assert isinstance(outcomes[2], UnknownName)
    assert isinstance(outcomes[4], ModelError)
    assert "a library failed" in str(outcomes[4])
    assert sorted(e.index for e in events if isinstance(e, (Done, Failed))) == list(range(6))
    alone = Engine().run(good)
    assert isinstance(outcomes[0], EditResult)
    assert np.array_equal(pixels(outcomes[0]), pixels(alone))


def test_an_unknown_sampler_is_an_error_at_strength_0_too(icon: Image.Image) -> None:
    with pytest.raises(UnknownName):
        Engine().run(request(icon, strength=0.0, sampler="nope"))


def test_nan_is_retried_once_in_fp32(icon: Image.Image, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []

    def load(profile: object, precision: str) -> Broken:
        loaded.append(precision)
        return Broken(precision)

    monkeypatch.setattr(engine_module, "load_family", load)
    monkeypatch.setattr(Broken, "sound", ("fp32",))
    result = Engine().run(request(icon, steps=3))
    assert loaded == ["auto", "fp32"]
    assert result.precision == "fp32"
    assert result.request == request(icon, steps=3)
    assert any("repeated in fp32" in warning for warning in result.warnings)
    assert np.array_equal(pixels(result), pixels(Engine().run(request(icon, steps=3))))

    monkeypatch.setattr(Broken, "sound", ())
    with pytest.raises(NonFinite):
        Engine().run(request(icon, steps=3))


@pytest.mark.parametrize("place", ["encode", "decode"])
def test_nan_in_the_autoencoder_is_retried_and_then_a_typed_error(
    place: str, icon: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[str] = []

    def load(profile: object, precision: str) -> Broken:
        loaded.append(precision)
        return Broken(precision)

    def nan(self: Analytic, values: Array) -> Array:
        return values * np.float32(np.nan)

    monkeypatch.setattr(engine_module, "load_family", load)
    monkeypatch.setattr(Broken, "sound", ("bf16", "fp32"))
    monkeypatch.setattr(Analytic, place, nan)
    with pytest.raises(NonFinite):
        Engine().run(request(icon, steps=2))
    assert loaded == ["auto", "fp32"]


def test_nan_in_the_last_decoding_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def nan(self: Analytic, values: Array) -> Array:
        return values * np.float32(np.nan)

    monkeypatch.setattr(Analytic, "decode", nan)
    with pytest.raises(NonFinite, match="decoding"):  # no source: nothing was decoded before
        Engine().run(EditRequest(prompt="red", model="analytic", steps=2))


def test_the_negative_prompt_counts(icon: Image.Image) -> None:
    plain = request(icon, strength=0.9, guidance_scale=3.0)
    pushed = plain.with_(negative_prompt="navy")
    engine = Engine()
    assert not np.array_equal(pixels(engine.run(plain)), pixels(engine.run(pushed)))
    off = plain.with_(guidance_scale=1.0)
    assert np.array_equal(
        pixels(engine.run(off)), pixels(engine.run(off.with_(negative_prompt="navy")))
    )


def test_exact_mode_never_shares_a_call(icon: Image.Image, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    predict = Analytic.predict

    def counting(self: Analytic, x: Array, levels: Any, conditions: Any) -> Array:
        sizes.append(len(x))
        return predict(self, x, levels, conditions)

    monkeypatch.setattr(Analytic, "predict", counting)
    requests = [request(icon, seed=i, steps=3) for i in range(3)]
    Engine().run_many(requests, mode="exact")
    assert set(sizes) == {1}
    sizes.clear()
    Engine().run_many(requests)
    assert set(sizes) == {3}


def test_results_are_the_callers_own(icon: Image.Image) -> None:
    engine = Engine()
    asked = request(icon, strength=0.0)
    engine.run(asked).image.paste("red", (0, 0, 96, 64))
    assert np.array_equal(pixels(engine.run(asked)), np.asarray(icon))


@pytest.mark.parametrize("strength", [1e-320, 1e-45, 1e-12, 1 - 1e-12])
@pytest.mark.parametrize("steps", [1, 3])
def test_the_very_ends_of_the_dial(strength: float, steps: int, icon: Image.Image) -> None:
    for name, sampler in SAMPLERS.items():
        result = Engine().run(request(icon, strength=strength, steps=steps, sampler=name))
        assert result.evaluations == sampler.evaluations(steps)
        if strength < 0.5:
            difference = pixels(result).astype(int) - np.asarray(icon).astype(int)
            assert np.abs(difference).max() <= 1


def test_prompts_and_sources_are_encoded_once(
    icon: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = {"encode": 0, "encode_prompt": 0}
    for name in counts:
        original = getattr(Analytic, name)

        def counting(self: Analytic, value: Any, name: str = name, original: Any = original) -> Any:
            counts[name] += 1
            return original(self, value)

        monkeypatch.setattr(Analytic, name, counting)
    engine = Engine()
    engine.run_many([request(icon, strength=s) for s in (0.2, 0.5, 0.9)])
    engine.run(request(icon, strength=0.7))
    assert counts == {"encode": 1, "encode_prompt": 1}  # no negative prompt where none acts
    engine.run_many([request(icon, strength=s, guidance_scale=2.0) for s in (0.5, 0.9)])
    assert counts == {"encode": 1, "encode_prompt": 2}


def test_threads_share_one_engine(icon: Image.Image) -> None:
    engine = Engine()
    expected = [pixels(engine.run(request(icon, seed=i, steps=5))) for i in range(4)]
    got: dict[int, np.ndarray[Any, Any]] = {}

    def work(i: int) -> None:
        got[i] = pixels(engine.run(request(icon, seed=i, steps=5)))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(got[i], expected[i]) for i in range(4))


def test_much_enlarged_results_say_so(icon: Image.Image) -> None:
    large = Engine().run(request(icon.resize((900, 600)), steps=1))
    assert any("enlarged 12 times" in warning for warning in large.warnings)
    assert Engine().run(request(icon, steps=1)).warnings == ()


def test_kept_is_scored_before_the_residual_is_added(
    icon: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Coarse(Analytic):
        """Decodes blocks of 8 × 8: the residual brings the rest back."""

        def decode(self, latents: Array) -> Array:
            blocks = latents[:, ::8, ::8]
            return np.repeat(np.repeat(blocks, 8, 1), 8, 2)[:, : latents.shape[1]]

    def load(*args: Any) -> Coarse:
        return Coarse(PROFILE)

    monkeypatch.setattr(engine_module, "load_family", load)
    result = Engine().run(request(icon, strength=1e-6))
    assert np.abs(pixels(result).astype(float) - np.asarray(icon)).mean() < 1.0
    assert result.kept is not None
    assert result.kept.structure < 0.9
