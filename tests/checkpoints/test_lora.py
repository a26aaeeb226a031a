"""LoRA: what they change, what is refused, and how results remember them."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from shutil import copy
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.families import tiny

from partway.checkpoints.lora import Lora, parse
from partway.engine import Engine
from partway.errors import InputsDiffer, InvalidRequest, ModelError
from partway.families import load_family, profile_of, with_loras
from partway.images import read_bytes
from partway.metadata.describe import describe
from partway.metadata.document import from_json, to_json
from partway.metadata.replay import replay_of
from partway.request import EditRequest
from partway.result import EditResult


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.lora("sd1", tmp_path_factory.mktemp("lora") / "film.safetensors")


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


def edited(engine: Engine, icon: Image.Image, *loras: str, **fields: Any) -> EditResult:
    given: dict[str, Any] = {"strength": 0.8, "steps": 2, "sampler": "ddim", "dial": "noise"}
    return engine.run(
        EditRequest(
            source=read_bytes(icon), prompt="red", model=str(tiny.folder_of("sd1")),
            precision="fp32", loras=loras, **(given | fields),
        )
    )  # fmt: skip


def pixels(result: EditResult) -> np.ndarray[Any, Any]:
    return np.asarray(result.image).astype(int)


def test_files_and_weights_are_told_apart(file: Path) -> None:
    assert parse(f"{file}:0.8") == Lora(file, 0.8)
    assert parse(f"{file}:-1") == Lora(file, -1.0)
    assert parse(str(file)) == Lora(file, 1.0)
    for text, why in (
        (f"{file}:9", "allowed is -4"), (f"{file.parent}/film.pt:1", "is no LoRA that is read"),
        ("gone.safetensors:1", "there is no LoRA"), ("", "is no LoRA"), (f"{file}:much", "no LoRA"),
    ):  # fmt: skip
        with pytest.raises(InvalidRequest, match=why):
            parse(text)


def test_weights_act_and_nothing_is_left_of_them(
    engine: Engine, icon: Image.Image, file: Path
) -> None:
    plain = pixels(edited(engine, icon))
    half, whole = (pixels(edited(engine, icon, f"{file}:{weight}")) for weight in (0.5, 1.0))
    assert np.abs(whole - plain).mean() > np.abs(half - plain).mean() > 0.0
    assert np.array_equal(pixels(edited(engine, icon, f"{file}:0")), plain)
    twice = pixels(edited(engine, icon, f"{file}:0.5", f"{file}:0.5"))
    assert np.abs(twice - whole).max() <= 1  # weights add up
    assert np.array_equal(pixels(edited(engine, icon)), plain)


def test_it_is_the_picture_that_diffusers_makes(
    engine: Engine, icon: Image.Image, file: Path
) -> None:
    diffusers, torch = import_module("diffusers"), import_module("torch")
    pipe = diffusers.StableDiffusionImg2ImgPipeline.from_pretrained(str(tiny.folder_of("sd1")))
    pipe.load_lora_weights(str(file.parent), weight_name=file.name, adapter_name="film")
    pipe.set_adapters(["film"], [0.7])
    pipe.set_progress_bar_config(disable=True)
    theirs = pipe(
        "red", icon, strength=0.8, num_inference_steps=4, guidance_scale=3.0, output_type="np",
        generator=torch.Generator("cpu").manual_seed(1),
    ).images[0]  # fmt: skip
    ours = edited(
        engine, icon, f"{file}:0.7", dialect="diffusers", dial="standard", steps=4,
        guidance_scale=3.0,
    )  # fmt: skip
    assert np.abs(pixels(ours) - 255.0 * theirs).max() < 0.55


@pytest.mark.parametrize("kind", ["sd1", "sdxl", "flux-dev"])
def test_the_text_encoder_follows_too(kind: str, tmp_path: Path) -> None:
    """As most published ones ask, for FLUX as well, whose encoder diffusers would leave out."""
    torch, safetensors = import_module("torch"), import_module("safetensors.torch")
    plain = profile_of(str(tiny.folder_of(kind)))
    family: Any = load_family(plain, "fp32")
    before = family.encode_prompt("red")
    denoiser = "transformer" if kind == "flux-dev" else "unet"
    tensors: dict[str, Any] = {}
    for component, ending in ((denoiser, "to_q"), ("text_encoder", "q_proj")):
        network = getattr(family.pipe, component)
        name, layer = next(each for each in network.named_modules() if each[0].endswith(ending))
        rows, columns = layer.weight.shape
        draws = torch.Generator().manual_seed(11)
        up, down = (torch.randn(each, generator=draws) for each in ((rows, 2), (2, columns)))
        tensors[f"{component}.{name}.lora_B.weight"] = up
        tensors[f"{component}.{name}.lora_A.weight"] = down
        with torch.no_grad():
            layer.weight += 0.8 * up @ down  # what is wanted
    wanted = family.encode_prompt("red")
    safetensors.save_file(tensors, str(tmp_path / "both.safetensors"))
    found = load_family(with_loras(plain, [f"{tmp_path / 'both.safetensors'}:0.8"]), "fp32")
    made: Any = found.encode_prompt("red")
    for field in ("tokens", "pooled") if kind != "sd1" else ("T",):
        apart = np.abs(getattr(made, field) - getattr(wanted, field)).max()
        assert apart < 1e-4, field
    moved = "pooled" if kind == "flux-dev" else "T" if kind == "sd1" else "tokens"
    assert np.abs(getattr(made, moved) - getattr(before, moved)).max() > 1e-2


def test_what_does_not_fit_is_a_typed_error(engine: Engine, icon: Image.Image, file: Path) -> None:
    with pytest.raises(ModelError, match=r"film\.safetensors does not fit"):
        engine.run(
            EditRequest(
                source=read_bytes(icon), model=str(tiny.folder_of("sdxl")), loras=(str(file),)
            )
        )
    with pytest.raises(InvalidRequest, match="takes no LoRA"):
        engine.run(EditRequest(source=read_bytes(icon), model="pocket", loras=(str(file),)))
    with pytest.raises(InvalidRequest, match="allowed are 8"):
        EditRequest(loras=(str(file),) * 9)
    with pytest.raises(InvalidRequest, match="want several"):
        EditRequest(loras=str(file))  # pyright: ignore[reportArgumentType]


def test_a_record_names_files_and_finds_them_again(
    engine: Engine, icon: Image.Image, file: Path, tmp_path: Path
) -> None:
    result = edited(engine, icon, f"{file}:0.8")
    document = from_json(to_json(describe(result)))
    assert list(document.request["loras"]) == ["film.safetensors:0.8"]
    assert str(file.parent) not in to_json(document)
    given: dict[str, Any] = {"source": read_bytes(icon), "model": str(tiny.folder_of("sd1"))}
    with pytest.raises(InputsDiffer, match="--lora FILE"):
        replay_of(document, tmp_path, **given)
    again = replay_of(document, tmp_path, loras=[str(file)], **given).request
    assert again.loras == (f"{file}:0.8",)
    assert np.array_equal(pixels(engine.run(again)), pixels(result))
    copy(file, tmp_path / "renamed.safetensors")  # beside the picture, by its content
    beside = replay_of(document, tmp_path, **given).request
    assert beside.loras == (f"{tmp_path / 'renamed.safetensors'}:0.8",)
    other = tmp_path / "film.safetensors"
    other.write_bytes(file.read_bytes()[:-1] + b"?")
    with pytest.raises(InputsDiffer, match="film"):
        replay_of(document, tmp_path, loras=[str(other)], **given)
