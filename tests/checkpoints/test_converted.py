"""Checkpoints on OpenVINO: near torch, at every size, cached, and never in another precision."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.families import tiny

from partway.check import parity
from partway.checkpoints import converted
from partway.engine import Engine
from partway.errors import InvalidRequest, ModelError, UnknownName
from partway.families import load_family, profile_of, with_runtime
from partway.images import read_bytes
from partway.noise import Noise
from partway.request import EditRequest

NEAR = 1e-3  # of the largest value
KINDS = ("sd1", "sdxl-inpainting", "lcm")


def on(kind: str, runtime: str, precision: str = "fp32") -> Any:
    return load_family(with_runtime(profile_of(str(tiny.folder_of(kind))), runtime), precision)


@pytest.mark.parametrize("kind", KINDS)
def test_its_networks_are_torchs_at_every_size(kind: str) -> None:
    torch_one, family = on(kind, "auto"), on(kind, "openvino")
    assert family.precision == "fp32"
    words = [torch_one.encode_prompt(each) for each in ("red", "", "blue")]
    for found, wanted in zip(_parts(family.encode_prompt("red")), _parts(words[0]), strict=True):
        _near(found, wanted)
    for rows, height, width in ((1, 8, 8), (2, 7, 9), (3, 12, 5)):
        x = Noise(rows, (rows, 4, height, width))()
        levels = [family.schedule.level(fraction) for fraction in (0.1, 0.6, 0.9)[:rows]]
        _near(family.predict(x, levels, words[:rows]), torch_one.predict(x, levels, words[:rows]))
        _near(family.decode(x[0]), torch_one.decode(x[0]))
        image = np.tanh(Noise(4, (3, 8 * height, 8 * width))())
        _near(family.encode(image), torch_one.encode(image))
        draw = Noise(5, (4, height, width))()
        _near(
            family.encode(image, lambda draw=draw: draw),
            torch_one.encode(image, lambda draw=draw: draw),
        )


def _parts(words: Any) -> list[Any]:
    """Arrays of an encoded prompt."""
    return [words] if isinstance(words, np.ndarray) else [words.tokens, words.pooled]


def _near(found: np.ndarray[Any, Any], wanted: np.ndarray[Any, Any]) -> None:
    assert found.dtype == np.float32
    assert np.abs(found - wanted).max() <= NEAR * np.abs(wanted).max()
    assert not np.array_equal(found, wanted)  # else torch itself would have been asked


def test_precision_is_what_was_asked_of_every_network() -> None:
    """OpenVINO's own default is bf16 where a processor has it."""
    wanted = on("sd1", "auto")
    words = [wanted.encode_prompt(each) for each in ("red", "")]

    def answers(family: Any) -> list[Any]:
        levels = [family.schedule.level(fraction) for fraction in (0.3, 0.9)]
        return [
            family.predict(Noise(1, (2, 4, 8, 8))(), levels, words),
            family.encode(np.tanh(Noise(2, (3, 64, 64))())),
            family.decode(Noise(3, (4, 8, 8))()),
            family.encode_prompt("red"),
        ]

    capable = import_module("openvino").Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    whole = answers(wanted)
    for precision in ("fp32", "bf16"):
        for found, right in zip(answers(on("sd1", "openvino", precision)), whole, strict=True):
            error = np.abs(found - right).max() / np.abs(right).max()
            if precision == "fp32":
                assert error < 1e-4
            elif "BF16" in capable:
                assert 1e-4 < error < 0.1


def test_an_encoder_that_is_shown_a_mask_stays_on_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    def kept(network: object, _: str) -> object:
        return network

    for name in ("Denoiser", "ConvertedAutoencoder"):
        monkeypatch.setattr(converted, name, kept)
    pipe = tiny.KINDS["sd1"]()
    encoder = pipe.text_encoder
    encoder.config.use_attention_mask = True
    converted.convert(pipe, "fp32")
    assert pipe.text_encoder is encoder
    encoder.config.use_attention_mask = False
    converted.convert(pipe, "fp32")
    assert isinstance(pipe.text_encoder, converted.TextEncoder)


def test_edits_on_it_are_torchs(icon: Image.Image) -> None:
    engine = Engine()
    asked = EditRequest(
        source=read_bytes(icon), prompt="red", model=str(tiny.folder_of("sd1")), strength=0.6,
        steps=3, precision="fp32",
    )  # fmt: skip
    both = [engine.run(asked.with_(runtime=each)) for each in ("auto", "openvino")]
    one, other = (np.asarray(result.image).astype(int) for result in both)
    assert np.abs(one - other).max() <= 1
    on_torch = profile_of(str(asked.model))
    compared = asked.with_(runtime="openvino", steps=None, precision="bf16")
    for found in parity(engine, engine.run, on_torch, compared):  # diffusers' own, in fp32
        assert found.passed
        assert "dB in bf16" in found.detail
    again = np.asarray(engine.run(asked.with_(runtime="openvino")).image)
    assert np.array_equal(again, other)
    whole = engine.run(asked.with_(runtime="openvino", strength=1.0))
    alone = engine.run(asked.with_(runtime="openvino", strength=None, source=None, size=icon.size))
    assert np.array_equal(np.asarray(whole.image), np.asarray(alone.image))


def test_what_was_converted_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = tmp_path / "partway" / "converted"
    vae = tiny.autoencoder()
    first = converted.ConvertedAutoencoder(vae, "fp32")
    assert len(list(folder.glob("*/network.xml"))) == 2

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("converted again")

    z = import_module("torch").randn(1, 4, 5, 6)
    with monkeypatch.context() as patch:
        patch.setattr("openvino.convert_model", refuse)
        second = converted.ConvertedAutoencoder(vae, "fp32")
        assert first.decode(z)[0].equal(second.decode(z)[0])
        vae.decoder.conv_out.bias.data += 0.5  # other weights are another network
        with pytest.raises(AssertionError, match="converted again"):
            converted.ConvertedAutoencoder(vae, "fp32")
    # What was not used for longest goes when there is too much; a newcomer stays.
    monkeypatch.setattr(converted, "KEPT", 1)
    newest = converted.ConvertedAutoencoder(vae, "fp32")
    assert len(list(folder.glob("*/network.xml"))) == 1
    assert newest.decode(z)[0].isfinite().all()


def test_a_cache_that_cannot_be_written_only_costs_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "partway").write_text("a file where the folder would be")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    z = import_module("torch").randn(1, 4, 5, 6)
    vae = tiny.autoencoder()
    found = converted.ConvertedAutoencoder(vae, "fp32").decode(z)[0]
    assert (found - vae.decode(z, return_dict=False)[0]).abs().max() < NEAR


def test_large_pictures_stay_in_tiles() -> None:
    z = import_module("torch").randn(1, 4, 8, 8)
    vae = tiny.autoencoder()
    found = converted.ConvertedAutoencoder(vae, "fp32")
    found.enable_tiling()
    assert vae.use_tiling
    assert found.decode(z)[0].equal(vae.decode(z, return_dict=False)[0])
    found.disable_tiling()
    assert not vae.use_tiling


def test_where_it_cannot_run_is_said(icon: Image.Image, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine()
    asked = EditRequest(source=read_bytes(icon), prompt="red", steps=1, runtime="openvino")
    assert engine.run(asked.with_(model="pocket")).model == "pocket"  # runs on it anyway
    with pytest.raises(InvalidRequest, match="analytic does not run on openvino"):
        engine.run(asked.with_(model="analytic"))
    with pytest.raises(InvalidRequest, match="where Partway loads them"):
        Engine.from_pipeline(tiny.KINDS["sd1"]()).run(asked)
    with pytest.raises(UnknownName, match="auto, openvino"):
        asked.with_(runtime="onnx")

    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("no such operation")

    monkeypatch.setattr(converted, "Denoiser", broken)
    with pytest.raises(ModelError, match="cannot convert this checkpoint: no such operation"):
        engine.run(asked.with_(model=str(tiny.folder_of("sd1"))))
