"""Engine.from_pipeline: a loaded diffusers pipeline on the dial, its components shared."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.families import tiny

from partway.checkpoints.autoencoder import Autoencoder
from partway.engine import Engine
from partway.errors import InvalidRequest, ModelError
from partway.images import read_bytes
from partway.request import EditRequest


def pipeline(kind: str, name: str | None = None, **options: Any) -> Any:
    """A tiny pipeline as a script loads it."""
    diffusers = import_module("diffusers")
    owner = diffusers.DiffusionPipeline if name is None else getattr(diffusers, name)
    pipe = owner.from_pretrained(str(tiny.folder_of(kind)), local_files_only=True, **options)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def pixels(engine: Engine, request: EditRequest) -> np.ndarray[Any, Any]:
    return np.asarray(engine.run(request).image).astype(int)


@pytest.mark.parametrize("kind", ["sd1", "sdxl", "inpainting"])
def test_the_same_picture_as_from_its_files(kind: str, icon: Image.Image) -> None:
    pipe = pipeline(kind)
    weights = {name: id(weight) for name, weight in pipe.unet.named_parameters()}
    engine = Engine.from_pipeline(pipe)
    asked = EditRequest(source=read_bytes(icon), prompt="red", strength=0.6, steps=3)
    result = engine.run(asked)
    model = str(tiny.folder_of(kind))
    from_files = Engine().run(
        asked.with_(model=model, precision="fp32", sampler=result.request.sampler)
    )
    assert np.abs(np.asarray(result.image).astype(int) - np.asarray(from_files.image)).max() <= 1
    assert (result.model, result.precision) == (kind, "fp32")
    assert result.request.sampler == ("euler" if kind == "sdxl" else "ddim")
    assert result.request.guidance_scale == (5.0 if kind == "sdxl" else 7.5)
    assert {name: id(weight) for name, weight in pipe.unet.named_parameters()} == weights
    named = engine.run(asked.with_(model="analytic"))  # a request may name another
    assert named.model == "analytic"


@pytest.mark.parametrize("kind", ["sd1", "sdxl"])
def test_as_diffusers_it_is_the_pipelines_own_picture(kind: str, icon: Image.Image) -> None:
    """With the scheduler it was given; and the pipeline makes it before and afterwards alike."""
    diffusers, torch = import_module("diffusers"), import_module("torch")
    xl = "XL" * (kind == "sdxl")
    pipe = pipeline(kind, f"StableDiffusion{xl}Img2ImgPipeline")
    scheduler = diffusers.EulerAncestralDiscreteScheduler
    pipe.scheduler = scheduler.from_config(pipe.scheduler.config, prediction_type="v_prediction")

    def theirs() -> np.ndarray[Any, Any]:
        made = pipe(
            "red", image=icon, strength=0.6, num_inference_steps=5, guidance_scale=3.0,
            generator=torch.Generator("cpu").manual_seed(9), output_type="np",
        )  # fmt: skip
        return made.images[0]

    before = theirs()
    ours = pixels(
        Engine.from_pipeline(pipe),
        EditRequest(
            source=read_bytes(icon), prompt="red", strength=0.6, steps=5, guidance_scale=3.0,
            seed=9, dialect="diffusers",
        ),
    )  # fmt: skip
    assert np.abs(ours / 255.0 - before).max() < 0.52 / 255.0
    assert np.array_equal(theirs(), before)


def test_its_lora_is_there(icon: Image.Image, tmp_path: Path) -> None:
    file = tiny.lora("sd1", tmp_path / "film.safetensors")
    asked = EditRequest(source=read_bytes(icon), prompt="red", strength=0.9, steps=2)
    pipe = pipeline("sd1")
    plain = pixels(Engine.from_pipeline(pipe), asked)
    pipe.load_lora_weights(str(tmp_path), weight_name=file.name, adapter_name="film")
    pipe.set_adapters(["film"], [0.7])
    with_it = Engine.from_pipeline(pipe)
    found = pixels(with_it, asked)
    named = asked.with_(
        model=str(tiny.folder_of("sd1")), precision="fp32", sampler="ddim", loras=(f"{file}:0.7",)
    )
    assert np.abs(found - pixels(Engine(), named)).max() <= 1
    assert np.abs(found - plain).max() > 5
    with pytest.raises(InvalidRequest, match="load_lora_weights"):
        with_it.run(asked.with_(loras=(str(file),)))


def test_its_precision_stays(icon: Image.Image) -> None:
    torch = import_module("torch")
    asked = EditRequest(source=read_bytes(icon), prompt="red", strength=0.6, steps=2)
    exact = pixels(Engine.from_pipeline(pipeline("sd1")), asked)
    for dtype, name in ((torch.bfloat16, "bf16"), (torch.float16, "fp16")):
        pipe = pipeline("sd1", dtype=dtype)
        engine = Engine.from_pipeline(pipe)
        result = engine.run(asked)
        assert result.precision == name
        assert np.abs(np.asarray(result.image).astype(int) - exact).mean() < 4.0
        assert {part.dtype for part in (pipe.unet, pipe.vae, pipe.text_encoder)} == {dtype}
        with pytest.raises(InvalidRequest, match=f"computes in {name}, asked was fp32"):
            engine.run(asked.with_(precision="fp32"))


def test_its_tiling_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    vae = tiny.autoencoder()
    autoencoder = Autoencoder(vae)
    image = np.zeros((3, 64, 64), np.float32)
    for tiled in (True, False):
        vae.use_tiling = tiled
        for limit in (10, 10**9):
            monkeypatch.setattr("partway.checkpoints.autoencoder.TILED_FROM", limit)
            autoencoder.decode(autoencoder.encode(image))
            assert vae.use_tiling is tiled


def test_what_cannot_be_wrapped_is_said() -> None:
    pipe = pipeline("sd1")
    with pytest.raises(ModelError, match="this is a str: want a loaded pipeline"):
        Engine.from_pipeline("sd1")
    parts = {"components": pipe.components, "config": pipe.config, "_execution_device": "cpu"}
    for kind, why in (
        ("FluxKontextPipeline", "starts from pure noise"),
        ("StableDiffusionControlNetPipeline", "Partway runs .*StableDiffusionXLPipeline"),
    ):
        other = type(kind, (SimpleNamespace,), {})(**parts)
        with pytest.raises(ModelError, match=why):
            Engine.from_pipeline(other)
    pipe.text_encoder = None
    with pytest.raises(ModelError, match="has no text_encoder"):
        Engine.from_pipeline(pipe)
    pipe = pipeline("sd1")
    pipe.unet.register_to_config(encoder_hid_dim_type="ip_image_proj")
    with pytest.raises(ModelError, match="unload_ip_adapter"):
        Engine.from_pipeline(pipe)
