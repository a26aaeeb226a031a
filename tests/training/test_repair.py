"""Pocket's decoder learns from what the denoiser gets wrong; held-out pictures stay out of what is
measured."""

from __future__ import annotations

from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")


def script(name: str) -> Any:
    return import_module(name)


@pytest.mark.parametrize("guidance", [1.0, 1.75])
def test_an_edit_ends_where_every_estimate_says(guidance: float) -> None:
    torch.manual_seed(0)
    target, other = torch.randn(2, 3, 48, 16, 16).unbind(0)
    levels = torch.tensor([0.1, 0.4, 0.7])
    batch = script("batches").Batch(
        target, other, torch.ones(3, 24).long(), torch.ones(3, 64, 256), levels, levels
    )
    seen: list[Any] = []

    def denoiser(x: Any, timestep: Any, context: Any) -> Any:
        seen.append(timestep)
        return target

    networks: dict[str, Any] = {"denoiser": denoiser}
    networks["text_encoder"] = torch.nn.Embedding(4, 256)
    generator = torch.Generator().manual_seed(1)
    made = script("redraw").redraw(networks, batch, guidance, generator)
    torch.testing.assert_close(made, target)
    torch.testing.assert_close(seen[0], 1000 * levels)
    assert all((later <= sooner).all() for sooner, later in pairwise(seen))


def test_only_what_lies_well_on_its_target_crosses(monkeypatch: pytest.MonkeyPatch) -> None:
    class Planned:
        def plan(self, size: int, seed: int, step: int) -> dict[str, Any]:
            return {
                "start": np.array([0.4, 0.4, 0.9, 1.0, 0.5]),
                "t": np.array([0.2, 0.2, 0.5, 0.5, 0.1]),
                "score": np.array([1.0, 0.6, 1.0, 1.0, 0.9]),
            }

    plan = script("redraw").plan_of(Planned(), 5, 0)
    assert plan["start"].tolist() == [0.4, 1.0, 1.0, 1.0, 0.5]
    assert plan["t"][[0, 4]].tolist() == [0.4, 0.5]
    assert ((plan["t"] >= 0.05) & (plan["t"] <= 0.75)).all()


def test_pieces_of_latents_and_pictures_are_of_one_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = script("train_decoder")
    monkeypatch.setattr(trainer, "DATA", tmp_path)
    place = np.arange(256, dtype=np.uint8).reshape(16, 16)
    latents = np.broadcast_to(place, (2, 48, 16, 16)).astype(np.float16)
    pictures = np.broadcast_to(np.kron(place, np.ones((16, 16), np.uint8)), (2, 3, 256, 256))
    np.savez(tmp_path / "redrawn.npz", latents=latents, pictures=pictures)
    made, true = trainer.Redrawn(np.random.default_rng(0)).batch(20)
    assert made.shape == (20, 48, 8, 8)
    assert true.shape == (20, 3, 128, 128)
    torch.testing.assert_close((true[:, 0, ::16, ::16] + 1) * 127.5, made[:, 0])
    assert len({float(part[0, 0, 0]) for part in made}) > 5


def test_held_out_pictures_of_a_library_are_barred(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")  # a package of the training's own environment
    folder = tmp_path / "model"
    folder.mkdir()
    penalty = onnx.numpy_helper.from_array(np.zeros(6, np.float16), "finder.penalty_fp16")
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    graph = onnx.helper.make_graph([], "text", [value], [value], [penalty])
    onnx.save(onnx.helper.make_model(graph), folder / "text_encoder.onnx")
    script("evaluate").barred(folder, tmp_path / "without", 4)
    written = onnx.load(tmp_path / "without" / "text_encoder.onnx").graph.initializer[0]
    assert onnx.numpy_helper.to_array(written).tolist() == [0, 0, 0, 0, 1e4, 1e4]


def test_small_words_are_dropped_and_words_of_no_caption_unknown() -> None:
    captions = script("captions")
    words = ["cat", "face", "ofen", "bouquet", "of", "flowers", "a", "button"]
    tokenizer = captions.quiet(captions.build_tokenizer(words))

    def kept(prompt: str) -> list[str]:
        found = tokenizer.encode(prompt)
        return [word for word, place in zip(found.tokens, found.ids, strict=True) if place]

    assert kept("A face of the Cat") == ["face", "cat"]
    assert kept("ofen, spaceship") == ["ofen", "[unknown]"]
    assert kept("a bouquet of flowers") == ["bouquet", "of", "flowers"]
    assert kept("a button") == ["a", "button"]
