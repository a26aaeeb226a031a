"""A checkpoint of Stable Diffusion 1.5's shape with random weights, in every layout that is timed.

    folder/                 diffusers' layout, fp32: UNet of 860 M weights, 4.3 GB
    folder.safetensors      one file under the original names, fp16: 2.1 GB
    folder-openvino/        OpenVINO's networks as OpenVINO GenAI reads them

Every width, depth and vocabulary size is the original's, so all programs do the original's work.
It draws nothing: what it draws is compared between programs, never looked at.

python benchmarks/rivals/checkpoint.py FOLDER [--narrow]    in the project's own environment
"""

from __future__ import annotations

import argparse
import gc
import json
import shutil
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

WORDS = 49408  # CLIP's vocabulary
DONE = "complete"  # a file that is written last


def build(folder: Path, *, narrow: bool) -> None:
    """Write the folder in diffusers' layout, unless it is there."""
    if (folder / DONE).exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    torch, diffusers, tiny = (
        import_module(name) for name in ("torch", "diffusers", "tests.families.tiny")
    )
    torch.manual_seed(5)
    widths = (96, 192, 384, 384) if narrow else (320, 640, 1280, 1280)
    unet = diffusers.UNet2DConditionModel(
        sample_size=64,
        block_out_channels=widths,
        layers_per_block=2,
        cross_attention_dim=768,
        attention_head_dim=8,
    )
    vae = diffusers.AutoencoderKL(
        block_out_channels=(32, 64, 128, 128) if narrow else (128, 256, 512, 512),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=4,
        layers_per_block=2,
        scaling_factor=0.18215,
    )
    pipe = diffusers.StableDiffusionPipeline(
        vae=vae,
        text_encoder=tiny.text_encoder(768, words=WORDS, deep=12, heads=12, inner=3072),
        tokenizer=tiny.tokenizer(WORDS),
        unet=unet,
        scheduler=diffusers.EulerDiscreteScheduler.from_config(
            {**tiny.VP, "timestep_spacing": "leading"}
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipe.save_pretrained(folder, safe_serialization=True)
    name_as_published(next((folder / "text_encoder").glob("*.safetensors")))
    (folder / DONE).touch()


def name_as_published(file: Path) -> None:
    """Name a text encoder's tensors as published ones are: newer transformers drop a prefix."""
    safetensors = import_module("safetensors.torch")
    tensors = safetensors.load_file(str(file))
    named = {
        f"text_model.{name.removeprefix('text_model.')}": each for name, each in tensors.items()
    }
    safetensors.save_file(named, str(file), metadata={"format": "pt"})


def write_single_file(folder: Path, file: Path) -> None:
    """Write the same weights in fp16 under the original names, unless the file is there."""
    if file.exists():
        return
    torch, single = import_module("torch"), import_module("tests.families.single")
    safetensors = import_module("safetensors.torch")
    tensors: dict[str, Any] = {}

    def half(tensor: Any) -> Any:
        return tensor.to(torch.float16).contiguous()

    def parts(name: str) -> dict[str, Any]:
        return safetensors.load_file(str(next((folder / name).glob("*.safetensors"))))

    for name, tensor in parts("unet").items():
        tensors["model.diffusion_model." + single.unet_name(name, 2)] = half(tensor)
    gc.collect()
    for name, tensor in parts("vae").items():
        original = single.vae_name(name, 4)
        is_projection = "attn_1" in original and tensor.ndim == 2
        known = tensor[:, :, None, None] if is_projection else tensor
        tensors["first_stage_model." + original] = half(known)
    for name, tensor in parts("text_encoder").items():
        known = name if name.startswith("text_model.") else f"text_model.{name}"
        tensors[f"cond_stage_model.transformer.{known}"] = half(tensor)
    part = file.with_suffix(".part")
    safetensors.save_file(tensors, str(part))
    part.rename(file)


def weights_of(folder: Path) -> int:
    """Weights of the UNet, in fp32."""
    return sum(file.stat().st_size for file in (folder / "unet").glob("*.safetensors")) // 4


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--narrow", action="store_true", help="a third as wide, to try things")
    asked = parser.parse_args()
    build(asked.folder, narrow=asked.narrow)
    if not asked.narrow:
        write_single_file(asked.folder, asked.folder.with_suffix(".safetensors"))
    print(json.dumps({"unet_weights": weights_of(asked.folder)}))
