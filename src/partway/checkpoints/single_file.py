"""Single .safetensors files, as model sites publish them: their kind from the names of tensors.

    8 bytes length · JSON header {"tensor": {"dtype", "shape", "data_offsets"}, "__metadata__": …}

Only the header is read here. What the file does not hold, tokenizers and configs, comes from a
folder in diffusers' layout of the same name beside it (model.safetensors, model/), else from the
hub, where each kind has a repository. Of a flow a file is the transformer; whatever else it holds
is as in that folder, from where text encoders and autoencoder come with their weights.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias, cast

from partway.checkpoints.layout import INDEX, Configs
from partway.errors import ModelError

Shapes: TypeAlias = Mapping[str, tuple[int, ...]]

MAX_HEADER = 100 * 2**20  # bytes; the format's own limit
UNET = "model.diffusion_model."
FIRST_CONV = UNET + "input_blocks.0.0.weight"
CROSS_ATTENTION = UNET + "input_blocks.2.1.transformer_blocks.0.attn2.to_k.weight"
# Text encoders: CLIP in SD 1.x, OpenCLIP in 2.x, both in XL.
CLIP, OPEN_CLIP = "cond_stage_model.transformer.", "cond_stage_model.model."
SECOND_ENCODER = "conditioner.embedders.1.model."
VP = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}
DECLARED = {"v": "v_prediction", "epsilon": "epsilon"}  # modelspec → diffusers
STORED = {"F16": "fp16", "BF16": "bf16"}  # all others are read as fp32
# Flows, by tensors that only they have; the names may begin with UNET.
FLUX_BLOCK = "double_blocks.0.img_attn.norm.key_norm.scale"
FLUX_IN, FLUX_GUIDANCE = "img_in.weight", "guidance_in.in_layer.weight"
FLUX_RELATIVES = ("distilled_guidance_layer.in_proj.bias", "single_stream_modulation.lin.weight")
SD3_BLOCK = "joint_blocks.0.context_block.adaLN_modulation.1.bias"
SD3_NORM, SD3_LAST = "joint_blocks.0.x_block.attn.ln_q.weight", "joint_blocks.37."
Z_IMAGE_BLOCK = "layers.0.adaLN_modulation.0.weight"
QWEN_BLOCK = "transformer_blocks.0.img_mod.1.weight"
# Relatives with the same tensors, known by a word of their names alone.
NAMED = {
    "flux-dev": ("kontext", "FluxKontextPipeline"),
    "qwen-image": ("edit", "QwenImageEditPipeline"),
}
# Names of scales that quantised weights are to be multiplied by: scaled fp8, NF4, NVFP4, SVDQuant.
# Diffusers drops what it does not know, and so would draw from weights of the wrong size.
SCALES = (".scale_weight", ".weight_scale", ".weight_scale_2", ".absmax", ".wscales")
LORA_PARTS = (".lora_down.", ".lora_up.", ".lora_A.", ".lora_B.", ".alpha", ".hada_w1_")


@dataclass(frozen=True)
class Kind:
    """A kind of single file.

    pipeline    diffusers' class
    repository  on the hub, with the configs and tokenizers that belong to it
    configs     of what edits need to know before those are there
    transformer  class of the network where that alone is taken from the file
    """

    pipeline: str
    repository: str
    configs: Configs
    transformer: str = ""


def _discrete(channels: int, size: int, prediction: str = "epsilon") -> Configs:
    """Configs of a network on the discrete variance-preserving table."""
    return {
        "unet": {"in_channels": channels, "sample_size": size},
        "vae": {"block_out_channels": [128, 256, 512, 512], "latent_channels": 4},
        "scheduler": {"num_train_timesteps": 1000, "prediction_type": prediction, **VP},
    }


SD1 = "stable-diffusion-v1-5/stable-diffusion-v1-5"
SD1_INPAINTING = "stable-diffusion-v1-5/stable-diffusion-inpainting"
SD2 = "stabilityai/stable-diffusion-2-1"
SD2_INPAINTING = "stabilityai/stable-diffusion-2-inpainting"
SDXL = "stabilityai/stable-diffusion-xl-base-1.0"
SDXL_INPAINTING = "diffusers/stable-diffusion-xl-1.0-inpainting-0.1"


def _flow(transformer: Mapping[str, Any], **scheduler: Any) -> Configs:
    """Configs of a flow with 16 channels of latents, drawn at 1024 pixels."""
    vae = {"block_out_channels": [128, 256, 512, 512], "latent_channels": 16, "sample_size": 1024}
    named = {"_class_name": "FlowMatchEulerDiscreteScheduler", **scheduler}
    return {"transformer": transformer, "vae": vae, "scheduler": named}


FLUX = {"use_dynamic_shifting": True, "base_shift": 0.5, "max_shift": 1.15}
QWEN: Configs = {
    "transformer": {},
    "vae": {"z_dim": 16, "latents_mean": [], "temperal_downsample": [False, True, True]},
    "scheduler": {**FLUX, "max_shift": 0.9, "max_image_seq_len": 8192, "shift_terminal": 0.02},
}


def _sd3(repository: str, **transformer: Any) -> Kind:
    """A kind of Stable Diffusion 3."""
    configs = _flow({"in_channels": 16, **transformer}, shift=3.0)
    owner = "stabilityai/stable-diffusion-3"
    pipeline = "StableDiffusion3Pipeline"
    return Kind(pipeline, owner + repository, configs, "SD3Transformer2DModel")


def _flux(repository: str, *, guidance: bool, **scheduler: Any) -> Kind:
    """A kind of FLUX.1."""
    configs = _flow({"in_channels": 64, "guidance_embeds": guidance}, **scheduler)
    owner = "black-forest-labs/FLUX.1-"
    return Kind("FluxPipeline", owner + repository, configs, "FluxTransformer2DModel")


KINDS = {
    "sd1": Kind("StableDiffusionPipeline", SD1, _discrete(4, 64)),
    "sd1-inpainting": Kind("StableDiffusionInpaintPipeline", SD1_INPAINTING, _discrete(9, 64)),
    "sd2": Kind("StableDiffusionPipeline", SD2, _discrete(4, 96, "v_prediction")),
    "sd2-inpainting": Kind("StableDiffusionInpaintPipeline", SD2_INPAINTING, _discrete(9, 64)),
    "sdxl": Kind("StableDiffusionXLPipeline", SDXL, _discrete(4, 128)),
    "sdxl-inpainting": Kind("StableDiffusionXLInpaintPipeline", SDXL_INPAINTING, _discrete(9, 128)),
    "flux-dev": _flux("dev", guidance=True, **FLUX),
    "flux-schnell": _flux("schnell", guidance=False, shift=1.0),
    "sd3": _sd3("-medium-diffusers"),
    "sd3.5-medium": _sd3(".5-medium", qk_norm="rms_norm"),
    "sd3.5-large": _sd3(".5-large", qk_norm="rms_norm"),
    "z-image": Kind(
        "ZImagePipeline",
        "Tongyi-MAI/Z-Image-Turbo",
        _flow({}, shift=3.0),
        "ZImageTransformer2DModel",
    ),
    "qwen-image": Kind("QwenImagePipeline", "Qwen/Qwen-Image", QWEN, "QwenImageTransformer2DModel"),
}


def recognise(file: Path) -> tuple[Kind, dict[str, Any]]:
    """The kind of a file, and what its header says: "kind", "stored", "resolution", "scheduler".

    stored      precision of most of its tensors
    resolution  side in pixels; left out where it does not say
    scheduler   what it says of its levels, as a scheduler's config has it

    ModelError says what a file is that is no checkpoint of a known kind.
    """
    shapes, stored, metadata = header(file)
    name = kind_of(shapes)
    scaled = next((each for each in shapes if each.endswith(SCALES)), None)
    if scaled is not None:
        raise ModelError(
            f"{file.name} is quantised with scales of its own ({scaled}), which are not read: take "
            "it in fp16 or bf16"
        )
    if name is None:
        raise ModelError(f"{file.name} is not a checkpoint Partway knows: {_else(shapes)}")
    scheduler: dict[str, Any] = {}
    facts: dict[str, Any] = {"kind": name, "stored": stored, "scheduler": scheduler}
    declared = "v" if "v_pred" in shapes else metadata.get("modelspec.prediction_type", "")
    if declared in DECLARED:
        scheduler["prediction_type"] = DECLARED[declared]
    if "ztsnr" in shapes:
        scheduler["rescale_betas_zero_snr"] = True
    side = metadata.get("modelspec.resolution", "").lower().split("x")[0]
    if side.isdecimal():
        facts["resolution"] = int(side)
    kind = KINDS[name]
    word, pipeline = NAMED.get(name, ("", kind.pipeline))
    titles = (
        file.stem,
        metadata.get("modelspec.title", ""),
        metadata.get("modelspec.architecture", ""),
    )
    if word and any(word in title.lower() for title in titles):
        kind = replace(kind, pipeline=pipeline)
    return kind, facts


def kind_of(shapes: Shapes) -> str | None:
    """A name in KINDS; None for anything else."""
    first = shapes.get(FIRST_CONV)
    if first is None or len(first) != 4:
        return _flow_of({name.removeprefix(UNET): shape for name, shape in shapes.items()})
    suffix = {4: "", 9: "-inpainting"}.get(first[1])
    if suffix is None:
        return None
    if any(name.startswith(SECOND_ENCODER) for name in shapes):
        return f"sdxl{suffix}"
    width = shapes.get(CROSS_ATTENTION, (0, 0))[-1]
    if width == 1024 or any(name.startswith(OPEN_CLIP) for name in shapes):
        return f"sd2{suffix}"
    if width == 768 or any(name.startswith(CLIP) for name in shapes):
        return f"sd1{suffix}"
    return None


def _flow_of(shapes: Shapes) -> str | None:
    """A flow's name in KINDS by the names of its transformer's tensors, without their prefix."""
    if FLUX_BLOCK in shapes:
        odd = any(name in shapes for name in FLUX_RELATIVES) or shapes[FLUX_IN][-1:] != (64,)
        found = "flux-dev" if FLUX_GUIDANCE in shapes else "flux-schnell"
        return None if odd else found
    if SD3_BLOCK in shapes:
        large = any(name.startswith(SD3_LAST) for name in shapes)
        later = "sd3.5-large" if large else "sd3.5-medium"
        return later if SD3_NORM in shapes else "sd3"
    if Z_IMAGE_BLOCK in shapes:
        return "z-image"
    return "qwen-image" if QWEN_BLOCK in shapes else None


def _else(shapes: Shapes) -> str:
    """What a file is instead, in words."""
    if any(part in name for name in shapes for part in LORA_PARTS):
        return "it is a LoRA; give it with --lora beside a checkpoint"
    if FIRST_CONV in shapes and shapes[FIRST_CONV][1:2] == (8,):
        return "it edits by instruction (8 input channels) and has no noise level to start from"
    if any(name.startswith("control_model.") for name in shapes):
        return "it is a ControlNet"
    if FIRST_CONV not in shapes and any(name.startswith("decoder.") for name in shapes):
        return "it is an autoencoder alone"
    if {FLUX_BLOCK, UNET + FLUX_BLOCK} & set(shapes):
        return "it is a relative of FLUX.1 (Fill, Canny, Depth, Chroma or FLUX.2)"
    return "the names of its tensors belong to no kind in `partway models`"


def header(file: Path) -> tuple[Shapes, str, Mapping[str, str]]:
    """Shapes by tensor name, the usual precision, and the free metadata.

    ModelError where it is no safetensors file.
    """
    try:
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if not 2 <= length <= min(MAX_HEADER, file.stat().st_size):
                raise ModelError(f"{file.name} is no safetensors file, or is cut off")
            value: object = json.loads(stream.read(length))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{file.name} cannot be read as safetensors: {error}") from error
    if not isinstance(value, dict):
        raise ModelError(f"{file.name} is no safetensors file")
    entries = cast("dict[str, Any]", value)
    free = entries.pop("__metadata__", {})
    metadata = {str(k): str(v) for k, v in free.items()} if isinstance(free, dict) else {}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    try:
        shapes = {name: tuple(map(int, entry["shape"])) for name, entry in entries.items()}
        counts = Counter(str(entry["dtype"]) for entry in entries.values())
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{file.name} is no safetensors file: {error!r}") from error
    usual = counts.most_common(1)[0][0] if counts else "F32"
    return shapes, STORED.get(usual, "fp32"), metadata


def configs_beside(file: Path) -> Path | None:
    """The folder of the same name beside a file, if it holds configs in diffusers' layout."""
    folder = file.with_suffix("")
    return folder if (folder / INDEX).is_file() else None
