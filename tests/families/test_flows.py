"""Rectified flows: precisions, promises of the dial, what guidance costs, shift and packing."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from shutil import copytree, rmtree
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.families import tiny

from partway.check import parity
from partway.denoiser import norm_kept
from partway.dialects import kind_of
from partway.engine import Engine
from partway.errors import InvalidRequest, ModelError
from partway.families import load_family, profile_of
from partway.families.flow import pack, unpack
from partway.families.flux import positions
from partway.images import read_bytes
from partway.noise import Noise
from partway.outline import plan_request
from partway.request import EditRequest
from partway.result import EditResult
from partway.strength import start_noise_fraction

KINDS = ("flux-dev", "sd3", "z-image", "qwen-image")


def asked(kind: str, picture: Image.Image, **fields: Any) -> EditRequest:
    model = str(tiny.folder_of(kind))
    given: dict[str, Any] = {"prompt": "red", "steps": 2, "source": read_bytes(picture)} | fields
    return EditRequest(model=model, precision="fp32", **given)


def changed(kind: str, folder: Path, component: str, **values: Any) -> str:
    """A copy of a checkpoint with other settings of one component; None removes one."""
    place = folder / kind
    copytree(tiny.folder_of(kind), place)
    name = "scheduler_config.json" if component == "scheduler" else "config.json"
    file = place / component / name
    config = json.loads(file.read_text()) | values
    kept = {key: value for key, value in config.items() if value is not None}
    file.unlink()
    file.write_text(json.dumps(kept))
    return str(place)


@pytest.mark.parametrize("kind", KINDS)
def test_bf16_is_near_fp32(kind: str) -> None:
    profile = profile_of(str(tiny.folder_of(kind)))
    exact, fast = load_family(profile, "fp32"), load_family(profile, "bf16")
    levels = [profile.schedule.level(f) for f in (0.1, 0.9)]
    x = Noise(1, (2, *exact.latent_shape(64, 64)))()
    words = [exact.encode_prompt(prompt) for prompt in ("red", "")]
    wanted, got = exact.predict(x, levels, words), fast.predict(x, levels, words)
    assert np.abs(got - wanted).max() < 0.05 * np.abs(wanted).max()
    assert not np.array_equal(got, wanted)
    assert np.array_equal(fast.decode(x[0]), exact.decode(x[0]))  # fp32 in both


@pytest.mark.parametrize("kind", KINDS)
def test_the_dial_is_exact_and_continuous(kind: str, icon: Image.Image) -> None:
    engine = Engine()

    def pixels(**fields: Any) -> np.ndarray[Any, Any]:
        return np.asarray(engine.run(asked(kind, icon).with_(**fields)).image)

    assert np.array_equal(pixels(strength=0.0), np.asarray(icon))
    other = icon.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    whole = pixels(strength=1.0)
    assert np.array_equal(pixels(strength=1.0, source=read_bytes(other)), whole)
    assert np.array_equal(pixels(source=None, strength=None, size=icon.size), whole)
    near, nearer = pixels(strength=0.5), pixels(strength=0.51)
    assert not np.array_equal(near, nearer)


@pytest.mark.parametrize("kind", KINDS)
def test_shared_calls_agree_with_single_ones(kind: str, icon: Image.Image) -> None:
    """Several strengths, prompts and guidances in one network call: within rounding."""
    engine = Engine()
    requests = [
        asked(kind, icon, strength=0.4),
        asked(kind, icon, strength=0.9, prompt="a blue house", guidance_scale=1.0),
        asked(kind, icon, strength=1.0, sampler="heun", guidance_scale=6.0),
    ]
    for request, shared in zip(requests, engine.run_many(requests), strict=True):
        assert isinstance(shared, EditResult)
        alone = np.asarray(engine.run(request).image).astype(int)
        assert np.abs(np.asarray(shared.image) - alone).max() <= 1


@pytest.mark.parametrize("kind", KINDS)
def test_check_compares_with_diffusers_at_two_guidances(kind: str, icon: Image.Image) -> None:
    engine, profile = Engine(), profile_of(str(tiny.folder_of(kind)))
    found = list(parity(engine, engine.run, profile, asked(kind, icon, steps=None)))
    assert [each.passed for each in found] == [True, True], found


@pytest.mark.parametrize("kind", ["flux-dev", "qwen-image"])
def test_a_loaded_pipeline_is_the_same_model(kind: str, icon: Image.Image) -> None:
    folder = str(tiny.folder_of(kind))
    pipe: Any = import_module("diffusers").DiffusionPipeline.from_pretrained(
        folder, local_files_only=True
    )
    request = asked(kind, icon, strength=0.6)
    one = Engine.from_pipeline(pipe).run(request.with_(model=None, precision="auto"))
    other = Engine().run(request)
    assert one.request.sampler == "euler"
    assert np.abs(np.asarray(one.image).astype(int) - np.asarray(other.image)).max() <= 1


def test_a_shift_moves_steps_and_no_strength(tmp_path: Path, icon: Image.Image) -> None:
    """Where an edit starts is a level; only the steps after it crowd towards noise."""
    plain = profile_of(changed("flux-schnell", tmp_path / "a", "scheduler", shift=1.0))
    shifted = profile_of(changed("flux-schnell", tmp_path / "b", "scheduler", shift=3.0))
    request = asked("flux-schnell", icon, strength=0.45, steps=2)
    even, bent = (plan_request(request, profile).levels for profile in (plain, shifted))
    start = start_noise_fraction(0.45, gain=plain.gain)
    assert even[0].noise_fraction == bent[0].noise_fraction == start
    assert bent[1].noise_fraction > even[1].noise_fraction
    assert even[-1] == bent[-1]
    assert kind_of(shifted.schedule, "flux").shift == 3.0


def test_packing_is_that_of_diffusers() -> None:
    torch: Any = import_module("torch")
    pipeline: Any = import_module("diffusers").FluxPipeline
    x = Noise(1, (2, 16, 6, 10))()
    theirs = pipeline._pack_latents(torch.from_numpy(x), 2, 16, 6, 10)
    assert np.array_equal(pack(x), theirs.numpy())
    assert np.array_equal(unpack(pack(x), 6, 10), x)
    ids = pipeline._prepare_latent_image_ids(1, 3, 5, "cpu", torch.float32)
    assert np.array_equal(positions(3, 5), ids.numpy())


def test_flux_dev_is_told_its_guidance(icon: Image.Image) -> None:
    """One evaluation a step, whatever the number; a negative prompt has nothing to act through."""
    engine = Engine()
    profile = profile_of(str(tiny.folder_of("flux-dev")))
    assert (profile.built_in_guidance, profile.default_guidance) == (True, 3.5)
    rows: list[int] = []
    family: Any = engine.family(profile, "fp32")
    real = family.predict

    def counting(x: Any, *rest: Any) -> Any:
        rows.append(len(x))
        return real(x, *rest)

    family.predict = counting
    made = engine.run(asked("flux-dev", icon, negative_prompt="blue"))
    assert rows == [1, 1]
    assert any("negative prompt acts only with --true-cfg-scale" in each for each in made.warnings)
    plain, other = (
        engine.run(asked("flux-dev", icon, guidance_scale=scale)) for scale in (None, 30.0)
    )
    assert made.image.tobytes() == plain.image.tobytes() != other.image.tobytes()


def test_true_cfg_beside_a_built_in_guidance(icon: Image.Image) -> None:
    """Two evaluations a step, both told the guidance; the negative prompt acts."""
    engine = Engine()
    family: Any = engine.family(profile_of(str(tiny.folder_of("flux-dev"))), "fp32")
    told: list[list[float]] = []
    real = family.predict

    def listening(x: Any, levels: Any, conditions: Any) -> Any:
        told.append([words.guidance for words in conditions])
        return real(x, levels, conditions)

    family.predict = listening
    changes: list[dict[str, Any]] = [{}, {"negative_prompt": "blue"}, {"true_cfg_scale": 1.0}]
    pictures = [
        engine.run(asked("flux-dev", icon, **{"true_cfg_scale": 4.0, "guidance_scale": 2.0} | more))
        for more in changes
    ]
    assert told == [[2.0, 2.0]] * 4 + [[2.0]] * 2
    assert len({made.image.tobytes() for made in pictures}) == 3
    assert not any("negative" in note for made in pictures for note in made.warnings)
    with pytest.raises(InvalidRequest, match="--cfg-scale 4"):
        engine.run(asked("sd3", icon, true_cfg_scale=4.0))
    with pytest.raises(InvalidRequest, match="allowed is 0"):
        asked("flux-dev", icon, true_cfg_scale=-1.0)


@pytest.mark.parametrize(("kind", "tokens"), [("sd3", 256), ("z-image", 512), ("qwen-image", 1024)])
def test_long_prompts_are_noted(kind: str, tokens: int) -> None:
    family: Any = load_family(profile_of(str(tiny.folder_of(kind))), "fp32")
    (note,) = family.notes("word " * 300)
    assert f"reads the first {tokens}" in note


def test_schnell_is_known_by_what_it_lacks(tmp_path: Path) -> None:
    schnell = profile_of(changed("flux-schnell", tmp_path / "x", "vae", sample_size=1024))
    assert (schnell.default_steps, schnell.default_guidance) == (4, 1.0)
    assert (schnell.native_size, schnell.stride, schnell.gain) == (1024, 16, 2.0)
    dev = profile_of(changed("flux-dev", tmp_path / "y", "vae", sample_size=1024))
    assert (dev.default_steps, dev.default_sampler) == (28, "euler")
    assert dev.schedule.shift == pytest.approx(np.exp(1.15))


def test_guidance_of_qwen_image_keeps_the_length_of_the_velocity() -> None:
    """In every patch, as its pipeline has it on packed latents."""
    torch: Any = import_module("torch")
    x, told, other = Noise(1, (3, 16, 4, 6))()
    sigma, scale = 0.6, 4.0
    v, v_other = (torch.from_numpy(pack((x - each)[None] / sigma)) for each in (told, other))
    guided = v_other + scale * (v - v_other)
    guided *= v.norm(dim=-1, keepdim=True) / guided.norm(dim=-1, keepdim=True)
    ours = norm_kept(x, told, other + scale * (told - other), 2)
    assert np.abs((x - ours) / sigma - unpack(guided.numpy(), 4, 6)[0]).max() < 1e-5
    assert np.array_equal(norm_kept(x, told, x, 2), x)  # no velocity has no length to stretch


def test_what_relatives_of_the_kinds_ask_for_is_refused(tmp_path: Path) -> None:
    for number, (kind, change, why) in enumerate((
        ("sd3", {"in_channels": 32}, "second picture"),
        ("z-image", {"siglip_feat_dim": 1152}, "Omni"),
        ("qwen-image", {"zero_cond_t": True}, "relative of Qwen-Image"),
    )):  # fmt: skip
        with pytest.raises(ModelError, match=why):
            profile_of(changed(kind, tmp_path / str(number), "transformer", **change))


def test_stable_diffusion_3_runs_without_t5(tmp_path: Path, icon: Image.Image) -> None:
    """Listed as nothing by the index, or listed and not there."""
    known = [str(tiny.folder_of("sd3-without-t5"))]
    place = tmp_path / "thin"
    copytree(tiny.folder_of("sd3"), place)
    for part in ("text_encoder_3", "tokenizer_3"):
        rmtree(place / part)
    for model in (*known, str(place)):
        made = Engine().run(asked("sd3", icon).with_(model=model, steps=1))
        assert made.image.size == icon.size
    family: Any = load_family(profile_of(known[0]), "fp32")
    assert not family.encode_prompt("red").tokens[77:].any()


def test_defaults_follow_the_kind(tmp_path: Path) -> None:
    def known(kind: str, name: str | None = None) -> tuple[int, float]:
        place = tiny.folder_of(kind)
        if name is not None:
            place = Path(copytree(place, tmp_path / name))
        found = profile_of(str(place))
        return (found.default_steps, found.default_guidance)

    assert known("sd3") == (28, 7.0)
    assert known("sd3-without-t5") == (28, 4.5)  # with the norms of 3.5
    assert known("sd3", "stable-diffusion-3.5-large-turbo") == (4, 1.0)
    assert known("z-image") == (50, 5.0)
    assert known("z-image", "Z-Image-Turbo") == (8, 1.0)
    assert known("qwen-image") == (50, 4.0)


def test_a_canvas_beyond_the_grid_of_stable_diffusion_3_is_refused(icon: Image.Image) -> None:
    with pytest.raises(InvalidRequest, match="at most 192 pixels a side"):
        Engine().run(asked("sd3", icon, working_multiple=4))


def test_variations_that_take_another_picture_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="second picture"):
        profile_of(changed("flux-dev", tmp_path, "transformer", in_channels=384))


def test_a_prompt_that_is_cut_is_said() -> None:
    family: Any = load_family(profile_of(str(tiny.folder_of("flux-dev"))), "fp32")
    (note,) = family.notes("word " * 200)
    assert "reads the first 512" in note
    assert family.notes("short") == ()
