"""Stable Diffusion's own: precisions, promises of the dial, what an LCM is told."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from shutil import copytree
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from PIL import Image
from tests.families import tiny

from partway.engine import Engine
from partway.errors import ModelError, NonFinite
from partway.families import load_family, profile_of
from partway.families.stable_diffusion import DISTILLED_GUIDANCE, built_in_guidance
from partway.images import read_bytes
from partway.noise import Noise
from partway.request import EditRequest
from partway.result import EditResult


@pytest.mark.parametrize("kind", ["sd1", "sdxl"])
def test_bf16_is_near_fp32(kind: str) -> None:
    profile = profile_of(str(tiny.folder_of(kind)))
    exact, fast = load_family(profile, "fp32"), load_family(profile, "bf16")
    assert (exact.precision, fast.precision) == ("fp32", "bf16")
    levels = [profile.schedule.level(f) for f in (0.1, 0.9)]
    x = Noise(1, (2, 4, 8, 8))()
    words = [exact.encode_prompt(prompt) for prompt in ("red", "")]
    wanted, got = exact.predict(x, levels, words), fast.predict(x, levels, words)
    assert np.abs(got - wanted).max() < 0.05 * np.abs(wanted).max()
    assert not np.array_equal(got, wanted)
    assert np.array_equal(fast.decode(x[0]), exact.decode(x[0]))  # fp32 in both


EVERY = ("sd1", "sd2-v", "zero-snr", "sdxl", "lcm", "inpainting", "sdxl-inpainting")


@pytest.mark.parametrize("kind", EVERY)
def test_the_dial_is_exact_and_continuous(kind: str, icon: Image.Image) -> None:
    engine = Engine()
    asked = EditRequest(
        source=read_bytes(icon), prompt="red", model=str(tiny.folder_of(kind)), steps=2,
        precision="fp32",
    )  # fmt: skip

    def pixels(**fields: Any) -> np.ndarray[Any, Any]:
        return np.asarray(engine.run(asked.with_(**fields)).image)

    assert np.array_equal(pixels(strength=0.0), np.asarray(icon))
    other = icon.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    whole = pixels(strength=1.0)
    assert np.array_equal(pixels(strength=1.0, source=read_bytes(other)), whole)
    assert np.array_equal(pixels(source=None, strength=None, size=icon.size), whole)
    near, nearer = pixels(strength=0.5), pixels(strength=0.51)
    assert not np.array_equal(near, nearer)


@pytest.mark.parametrize("kind", ["inpainting", "sdxl-inpainting"])
def test_inpainting_checkpoints_see_what_surrounds_a_mask(kind: str, icon: Image.Image) -> None:
    """Also from pure noise; not what the mask hides; and every other pixel stays as it is."""
    engine = Engine()
    mask = Image.new("L", icon.size)
    mask.paste(255, (32, 16, 64, 48))  # the canvas is the source's, two thirds of its size
    asked = EditRequest(
        source=read_bytes(icon), prompt="red", model=str(tiny.folder_of(kind)), steps=2, seed=5,
        precision="fp32", mask=read_bytes(mask), mask_feather=0.0, strength=1.0, sampler="euler",
    )  # fmt: skip
    shown: list[np.ndarray[Any, Any]] = []
    family: Any = engine.family(profile_of(str(tiny.folder_of(kind))), "fp32")
    real = family.predict

    def spying(x: Any, levels: Any, conditions: Any) -> Any:
        shown.append(family.seen(x, conditions)[0])
        return real(x, levels, conditions)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(family, "predict", spying)
        results = [np.asarray(engine.run(asked.with_(source=read_bytes(each))).image)
                   for each in _variants(icon)]  # fmt: skip
    outside = np.asarray(mask) == 0
    for result, each in zip(results, _variants(icon), strict=True):
        assert np.array_equal(result[outside], np.asarray(each)[outside])
    one, hidden, around = (shown[index] for index in (0, 2, 4))  # two steps each
    assert one.shape[0] == 9
    assert 0.0 < one[4].mean() < 0.5
    assert np.isin(one[4], (0.0, 1.0)).all()
    assert np.array_equal(one[4:], hidden[4:])
    assert not np.array_equal(one[5:], around[5:])
    assert not np.array_equal(results[0][~outside], results[2][~outside])
    # Shown nothing, the same network makes another picture.
    blank = family.seen(np.zeros_like(one[None, :4]), [None])[0, 4:]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine._remembered, "beside", Mock(return_value=blank))
        alone = np.asarray(engine.run(asked).image)
    assert not np.array_equal(alone, results[0])


def _variants(icon: Image.Image) -> list[Image.Image]:
    """A picture; another under the mask; another round it."""
    hidden, around = icon.copy(), icon.copy()
    hidden.paste((255, 0, 255), (38, 22, 58, 42))
    around.paste((0, 0, 90), (0, 0, 96, 12))
    return [icon, hidden, around]


def test_gain_follows_the_latents() -> None:
    """At the size of Stable Diffusion 1.x it is 1."""
    profile = profile_of(str(tiny.folder_of("sd1")))
    assert profile.gain == pytest.approx(np.sqrt((64 / 8) ** 2 / 64**2))


def test_an_lcm_is_told_its_guidance_as_diffusers_does() -> None:
    family: Any = load_family(profile_of(str(tiny.folder_of("lcm"))), "fp32")
    torch = import_module("torch")
    pipe = import_module("diffusers").StableDiffusionPipeline
    wanted = pipe.get_guidance_scale_embedding(None, torch.tensor([DISTILLED_GUIDANCE - 1.0]), 16)
    got = built_in_guidance(family.pipe.unet, 2)
    assert np.abs(got[1].numpy() - wanted[0].numpy()).max() < 1e-3


@pytest.mark.parametrize("kind", ["sd1", "sdxl"])
def test_shared_calls_agree_with_single_ones(kind: str, icon: Image.Image) -> None:
    """Several strengths, prompts and guidances in one network call: within rounding."""
    engine = Engine()
    asked = EditRequest(
        source=read_bytes(icon), model=str(tiny.folder_of(kind)), precision="fp32", full_steps=5
    )
    requests = [
        asked.with_(prompt="red", strength=0.4),
        asked.with_(prompt="a blue house", strength=0.9, guidance_scale=1.0),
        asked.with_(strength=1.0, sampler="euler_ancestral", negative_prompt="red"),
    ]
    for request, shared in zip(requests, engine.run_many(requests), strict=True):
        assert isinstance(shared, EditResult)
        alone = np.asarray(engine.run(request).image).astype(int)
        assert np.abs(np.asarray(shared.image) - alone).max() <= 1


def test_damaged_weights_are_typed_errors(icon: Image.Image, tmp_path: Path) -> None:
    safetensors = import_module("safetensors.torch")
    folder = tmp_path / "sd1"
    copytree(tiny.folder_of("sd1"), folder)
    file = folder / "unet" / "diffusion_pytorch_model.safetensors"
    whole = file.read_bytes()
    tensors = safetensors.load(whole)
    asked = EditRequest(source=read_bytes(icon), model=str(folder), steps=1, precision="fp32")

    def replace(data: bytes) -> None:
        """By another file: one that is mapped into memory must not change."""
        file.with_suffix(".part").write_bytes(data)
        file.with_suffix(".part").replace(file)

    replace(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match="sd1 cannot be loaded"):
        Engine().run(asked)
    narrow = tensors["conv_in.weight"][:3].clone()
    replace(safetensors.save(tensors | {"conv_in.weight": narrow}))
    with pytest.raises(ModelError, match="sd1 cannot be loaded"):
        Engine().run(asked)
    nothing = tensors["conv_in.bias"] * np.nan
    replace(safetensors.save(tensors | {"conv_in.bias": nothing}))
    with pytest.raises(NonFinite):
        Engine().run(asked)


def test_a_folder_has_its_own_name_from_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tiny.folder_of("sd1"))
    assert profile_of(".").name == "sd1"


@pytest.mark.parametrize("kind", ["sd1", "sdxl"])
def test_a_prompt_that_is_cut_is_said(
    kind: str, icon: Image.Image, capfd: pytest.CaptureFixture[str]
) -> None:
    """As a note with the result, and not with its words in a log."""
    asked = EditRequest(
        source=read_bytes(icon), model=str(tiny.folder_of(kind)), precision="fp32", steps=1
    )
    engine = Engine()
    engine.run(asked)
    capfd.readouterr()
    note = f"the prompt has 102 tokens, {kind} reads the first 77"
    assert note in engine.run(asked.with_(prompt="secret" * 16 + "word")).warnings
    assert note not in engine.run(asked.with_(prompt="short")).warnings
    assert capfd.readouterr().err == ""
