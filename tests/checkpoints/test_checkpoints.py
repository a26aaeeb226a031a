"""What is found under a name, what is refused, and what a scheduler's config says."""

from __future__ import annotations

import json
import struct
from importlib import import_module
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pytest
from tests.families import single, tiny

from partway.checkpoints import hub, locate
from partway.checkpoints.distilled import few_steps
from partway.checkpoints.scheduler import schedule_of
from partway.checkpoints.single_file import (
    CROSS_ATTENTION,
    FIRST_CONV,
    FLUX_BLOCK,
    FLUX_GUIDANCE,
    FLUX_IN,
    QWEN_BLOCK,
    SD3_BLOCK,
    SD3_LAST,
    SD3_NORM,
    SECOND_ENCODER,
    UNET,
    Z_IMAGE_BLOCK,
)
from partway.errors import InvalidRequest, ModelError, UnknownName
from partway.families import load_family, profile_of
from partway.model_cache import on_disk
from partway.noise import Noise


def safetensors(path: Path, shapes: dict[str, tuple[int, ...]], **metadata: str) -> Path:
    """A file with a true header and no data behind it."""
    header: dict[str, Any] = {
        name: {"dtype": "F16", "shape": shape, "data_offsets": [0, 0]}
        for name, shape in shapes.items()
    }
    header["__metadata__"] = metadata
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text)
    return path


SD1 = {FIRST_CONV: (320, 4, 3, 3), CROSS_ATTENTION: (320, 768)}
SD2 = {FIRST_CONV: (320, 4, 3, 3), CROSS_ATTENTION: (320, 1024)}
SDXL = {FIRST_CONV: (320, 4, 3, 3), SECOND_ENCODER + "logit_scale": ()}


def test_single_files_are_known_by_their_tensors(tmp_path: Path) -> None:
    file = tmp_path / "dream.safetensors"
    for shapes, kind, native in ((SD1, "sd1", 512), (SD2, "sd2", 768), (SDXL, "sdxl", 1024)):
        found = locate(str(safetensors(file, shapes)))
        assert found is not None
        assert found.facts["kind"] == kind
        assert found.configs["unet"]["sample_size"] * 8 == native
        inpainting = locate(str(safetensors(file, shapes | {FIRST_CONV: (320, 9, 3, 3)})))
        assert inpainting is not None
        assert inpainting.facts["kind"] == f"{kind}-inpainting"


def test_a_single_file_says_its_prediction_and_size(tmp_path: Path) -> None:
    file = tmp_path / "anime.safetensors"
    sd1 = profile_of(str(safetensors(file, SD1)))
    assert (sd1.family, sd1.prediction, sd1.native_size, sd1.gain) == (
        "stable_diffusion",
        "eps",
        512,
        1.0,
    )
    assert profile_of(str(safetensors(file, SD2))).prediction == "v"
    said = {"modelspec.prediction_type": "epsilon", "modelspec.resolution": "512x512"}
    base = profile_of(str(safetensors(file, SD2, **said)))
    assert (base.prediction, base.native_size) == ("eps", 512)
    marked = profile_of(str(safetensors(file, SD1 | {"v_pred": (), "ztsnr": ()})))
    assert marked.prediction == "v"
    assert marked.schedule.top > 0.999


def test_a_single_file_is_the_same_model_as_its_folder(tmp_path: Path) -> None:
    file = single.build(tmp_path)
    one = load_family(profile_of(str(file)), "fp32")
    other = load_family(profile_of(str(tiny.folder_of("sd1"))), "fp32")
    weight = on_disk(other.profile)  # less the files' headers
    assert 0.8 * weight < getattr(other, "nbytes", 0) == getattr(one, "nbytes", 0) < weight
    x, levels = Noise(1, (1, 4, 8, 8))(), [one.schedule.level(0.5)]
    words = [other.encode_prompt("red")]
    assert np.array_equal(one.encode_prompt("red"), words[0])
    assert np.abs(one.predict(x, levels, words) - other.predict(x, levels, words)).max() < 1e-5
    assert np.abs(one.decode(x[0]) - other.decode(x[0])).max() < 1e-5


FLUX = {FLUX_BLOCK: (128,), FLUX_IN: (3072, 64)}
SD3 = {SD3_BLOCK: (9216,)}
FLOWS = {
    "flux-dev": FLUX | {FLUX_GUIDANCE: (3072, 256)},
    "flux-schnell": FLUX,
    "sd3": SD3,
    "sd3.5-medium": SD3 | {SD3_NORM: (64,)},
    "sd3.5-large": SD3 | {SD3_NORM: (64,), SD3_LAST + "x_block.mlp.fc1.weight": (9728, 2432)},
    "z-image": {Z_IMAGE_BLOCK: (15360, 256)},
    "qwen-image": {QWEN_BLOCK: (18432, 3072)},
}


@pytest.mark.parametrize("kind", FLOWS)
def test_flows_are_known_by_their_tensors(kind: str, tmp_path: Path) -> None:
    """With the names of the network alone, and with those of a file that holds more."""
    for number, prefix in enumerate(("", UNET)):
        shapes = {prefix + name: shape for name, shape in FLOWS[kind].items()}
        file = safetensors(tmp_path / f"{number}.safetensors", shapes)
        found = locate(str(file))
        assert found is not None
        assert found.facts["kind"] == kind
        profile = profile_of(str(file))
        assert kind.replace("-", "_").startswith(profile.family)
        assert profile.native_size == (1328 if kind == "qwen-image" else 1024)
        assert profile.stride == 16
        assert profile.built_in_guidance == (kind == "flux-dev")


@pytest.mark.parametrize(
    ("name", "kind", "metadata"),
    [
        ("flux1-kontext-dev", "flux-dev", {}),
        ("mine", "flux-dev", {"modelspec.architecture": "Flux.1-kontext-dev"}),
        ("qwen_image_edit_2509_bf16", "qwen-image", {}),
    ],
)
def test_flows_without_a_start_are_known_by_their_names(
    tmp_path: Path, name: str, kind: str, metadata: dict[str, str]
) -> None:
    """Their tensors are those of the models they were trained from."""
    file = safetensors(tmp_path / f"{name}.safetensors", FLOWS[kind], **metadata)
    with pytest.raises(ModelError, match="strength would mean nothing"):
        profile_of(str(file))


@pytest.mark.parametrize("kind", single.FLOWS)
def test_a_flow_in_a_single_file_is_the_same_model_as_its_folder(kind: str, tmp_path: Path) -> None:
    file = single.build_flow(kind, tmp_path)
    one = load_family(profile_of(str(file)), "fp32")
    other = load_family(profile_of(str(tiny.folder_of(kind))), "fp32")
    shape, levels = other.latent_shape(64, 48), [one.schedule.level(0.5)]
    x, words = Noise(1, (1, *shape))(), [other.encode_prompt("red")]
    assert np.abs(one.predict(x, levels, words) - other.predict(x, levels, words)).max() < 1e-5
    assert np.array_equal(one.decode(x[0]), other.decode(x[0]))


def test_a_single_file_without_its_tokenizers_says_where_they_are(tmp_path: Path) -> None:
    file = single.build(tmp_path, configs=False)
    with pytest.raises(ModelError, match=r"stable-diffusion-v1-5.*a folder dream/"):
        load_family(profile_of(str(file)), "fp32")


@pytest.mark.parametrize(
    ("shapes", "why"),
    [
        ({"lora_unet_down_blocks_0.lora_down.weight": (4, 320)}, "--lora"),
        ({FIRST_CONV: (320, 8, 3, 3)}, "no noise level to start from"),
        ({"control_model.time_embed.0.weight": (1,)}, "ControlNet"),
        ({"decoder.conv_in.weight": (1,)}, "autoencoder"),
        ({FLUX_BLOCK: (128,), FLUX_IN: (3072, 384)}, "relative of FLUX"),
        ({**FLUX, "double_blocks.0.img_attn.qkv.scale_weight": ()}, "quantised with scales"),
        ({**SD1, "model.diffusion_model.out.2.weight_scale": ()}, "quantised with scales"),
        ({"something.else": (1,)}, "no kind"),
    ],
)
def test_other_files_are_named(
    tmp_path: Path, shapes: dict[str, tuple[int, ...]], why: str
) -> None:
    with pytest.raises(ModelError, match=why):
        profile_of(str(safetensors(tmp_path / "x.safetensors", shapes)))


def test_damaged_files_are_typed_errors(tmp_path: Path) -> None:
    file = tmp_path / "x.safetensors"
    for data in (
        b"",
        b"\x00" * 8,
        b"\xff" * 64,
        b"\x05\0\0\0\0\0\0\0[1,2]",
        b"\x02\0\0\0\0\0\0\0{x",
    ):
        file.write_bytes(data)
        with pytest.raises(ModelError, match="safetensors"):
            profile_of(str(file))
    file.write_bytes(b"\x0a\0\0\0\0\0\0\0" + b'{"a": {} }')
    with pytest.raises(ModelError, match="safetensors"):
        profile_of(str(file))


def test_pickles_are_refused(tmp_path: Path) -> None:
    for name in ("model.ckpt", "model.pt", "model.bin", "MODEL.CKPT"):
        (tmp_path / name).write_bytes(b"\x80\x04.")
        with pytest.raises(ModelError, match=r"pickle.*safetensors"):
            profile_of(str(tmp_path / name))


def broken(tmp_path: Path) -> Path:
    folder = tmp_path / "broken"
    copytree(tiny.folder_of("sd1"), folder)
    return folder


def test_a_folder_of_pickles_is_refused(tmp_path: Path) -> None:
    folder = broken(tmp_path)
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))
    with pytest.raises(ModelError, match=r"unet.*pickles.*\.safetensors"):
        load_family(profile_of(str(folder)))


def test_code_of_a_checkpoint_is_refused(tmp_path: Path) -> None:
    folder = broken(tmp_path)
    index = json.loads((folder / "model_index.json").read_text())
    for change in ({"unet": ["my_unet", "Net"]}, {"_class_name": ["pipeline", "Mine"]}):
        (folder / "model_index.json").write_text(json.dumps(index | change))
        with pytest.raises(ModelError, match="code of its own"):
            profile_of(str(folder))
    (folder / "model_index.json").write_text(json.dumps(index))
    config = json.loads((folder / "text_encoder" / "config.json").read_text())
    (folder / "text_encoder" / "config.json").write_text(json.dumps(config | {"auto_map": {}}))
    with pytest.raises(ModelError, match="auto_map"):
        profile_of(str(folder))


@pytest.mark.parametrize("pipeline", ["FluxKontextPipeline", "QwenImageEditPipeline"])
def test_models_without_a_start_are_refused_with_the_reason(tmp_path: Path, pipeline: str) -> None:
    folder = broken(tmp_path)
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps(index | {"_class_name": pipeline}))
    with pytest.raises(ModelError, match="strength would mean nothing"):
        profile_of(str(folder))


def test_unknown_pipelines_are_named(tmp_path: Path) -> None:
    folder = broken(tmp_path)
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps(index | {"_class_name": "WanPipeline"}))
    with pytest.raises(ModelError, match="WanPipeline"):
        profile_of(str(folder))


def test_broken_configs_are_typed_errors(tmp_path: Path) -> None:
    folder = broken(tmp_path)
    for text in ("{", "[]", "{}"):
        (folder / "vae" / "config.json").write_text(text)
        with pytest.raises(ModelError, match=r"vae|understood"):
            profile_of(str(folder))


def test_hub_ids() -> None:
    assert hub.is_id("owner/name") == ("owner/name", None)
    assert hub.is_id("owner/name@v1.0") == ("owner/name", "v1.0")
    for path in ("./owner/name", "/owner/name", "../x/y", "~/models", "name", "a/b/c", "x/../y"):
        assert hub.is_id(path) is None
    with pytest.raises(ModelError, match="cannot be fetched"):
        profile_of("partway-tests/nothing-here")
    with pytest.raises(UnknownName, match="OWNER/NAME"):
        profile_of("nothing")


def test_a_path_that_leads_nowhere_is_no_hub_id(tmp_path: Path) -> None:
    for path in ("gone.safetensors", "models/gone.safetensors", "Gone.SAFETENSORS"):
        with pytest.raises(InvalidRequest, match=r"there is no file '.*[Gg]one"):
            profile_of(path)
    for path in ("./gone", "../gone", "a/b/gone", str(tmp_path / "gone"), "~/gone/away"):
        with pytest.raises(InvalidRequest, match=r"there is no folder '.*gone"):
            profile_of(path)


@pytest.mark.parametrize("file", ["unet/config.json", "scheduler/scheduler_config.json"])
def test_a_folder_that_is_not_complete_says_what_is_missing(tmp_path: Path, file: str) -> None:
    """Without its scheduler's settings a checkpoint would run on the levels of another."""
    folder = broken(tmp_path)
    (folder / file).unlink()
    with pytest.raises(ModelError, match=rf"not complete: {file} is missing"):
        profile_of(str(folder))


def test_an_index_that_leaves_out_a_part_says_which(tmp_path: Path) -> None:
    folder = broken(tmp_path)
    index = json.loads((folder / "model_index.json").read_text())
    del index["unet"]
    (folder / "model_index.json").write_text(json.dumps(index))
    with pytest.raises(ModelError, match="not complete: it says nothing of 'unet'"):
        profile_of(str(folder))


def test_few_step_checkpoints_are_known(tmp_path: Path) -> None:
    lcm = profile_of(str(tiny.folder_of("lcm")))
    assert (lcm.default_guidance, lcm.default_sampler, lcm.default_steps) == (1.0, "lcm", 6)
    names = {
        "sdxl_lightning_8step": (8, "euler"), "sd-turbo": (4, "euler_ancestral"),
        "dreamturbojet": None, "photo-lcm-v2": (6, "lcm"),
    }  # fmt: skip
    for name, steps in names.items():
        found = locate(str(safetensors(tmp_path / f"{name}.safetensors", SDXL)))
        assert found is not None
        assert few_steps(found) == steps, name


@pytest.mark.parametrize(
    "config",
    [
        tiny.VP,
        {"beta_schedule": "linear", "beta_start": 0.0001, "beta_end": 0.02},
        {"beta_schedule": "squaredcos_cap_v2"},
        {**tiny.VP, "rescale_betas_zero_snr": True},
    ],
)
def test_levels_are_those_of_diffusers(config: dict[str, Any]) -> None:
    scheduler = import_module("diffusers").DDIMScheduler(**config)
    products = scheduler.alphas_cumprod.double().numpy().clip(2.0**-24)
    nsr = np.sqrt((1.0 - products) / products)
    ours = np.exp(np.asarray(schedule_of(scheduler.config).table))
    assert np.abs(ours / nsr - 1.0).max() < 5e-4  # what float32 leaves of 1 - product
