"""Tiny checkpoints in one .safetensors, with the tensor names that the originals have.

The names are those that published files have, written from diffusers' own by the rules of the
original code: blocks are counted through, and the parts of a block have numbers.
"""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from shutil import copytree, ignore_patterns
from typing import Any

from tests.families import tiny

RESNET = {
    "norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0", "conv2": "out_layers.3", "conv_shortcut": "skip_connection",
}  # fmt: skip
UNET_ENDS = {
    "time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2",
    "conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2",
}  # fmt: skip
ATTENTION = {
    "group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out",
}  # fmt: skip


def unet_name(name: str, per_block: int) -> str:
    """A UNet tensor's original name."""
    for ours, original in UNET_ENDS.items():
        if name.startswith(ours + "."):
            return name.replace(ours, original)
    middle = re.match(r"mid_block\.(resnets|attentions)\.(\d)\.(.*)", name)
    if middle:
        place = 1 if middle[1] == "attentions" else 2 * int(middle[2])
        return f"middle_block.{place}.{resnet_part(middle[3])}"
    block = re.match(r"(down|up)_blocks\.(\d)\.(\w+)\.(\d)\.(.*)", name)
    assert block, name
    side, number, kind, index, rest = block[1], int(block[2]), block[3], int(block[4]), block[5]
    if side == "down":
        place = 1 + number * (per_block + 1) + index
        if kind == "downsamplers":
            return f"input_blocks.{place + per_block}.0.op.{rest.removeprefix('conv.')}"
        return f"input_blocks.{place}.{int(kind == 'attentions')}.{resnet_part(rest)}"
    place = number * (per_block + 1) + index
    if kind == "upsamplers":
        inner = 2 if number > 0 else 1  # after the attention where the block has one
        return f"output_blocks.{place + per_block}.{inner}.{rest}"
    return f"output_blocks.{place}.{int(kind == 'attentions')}.{resnet_part(rest)}"


def resnet_part(rest: str) -> str:
    """A residual block's part by its number; others keep their names."""
    for ours, original in RESNET.items():
        if rest.startswith(ours + "."):
            return rest.replace(ours, original)
    return rest


def vae_name(name: str, blocks: int) -> str:
    """An autoencoder tensor's original name."""
    name = name.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")
    name = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", name)
    if "mid_block.attentions.0" in name:
        name = name.replace("mid_block.attentions.0", "mid.attn_1")
        for ours, original in ATTENTION.items():
            name = name.replace(f"attn_1.{ours}.", f"attn_1.{original}.")
    name = re.sub(r"down_blocks\.(\d)\.resnets", r"down.\1.block", name)
    name = re.sub(r"down_blocks\.(\d)\.downsamplers\.0", r"down.\1.downsample", name)
    turned = r"up_blocks\.(\d)\."
    name = re.sub(turned, lambda m: f"up.{blocks - 1 - int(m[1])}.", name)
    return name.replace(".resnets.", ".block.").replace(".upsamplers.0.", ".upsample.")


SD3_BLOCK = {
    "norm1.linear": "x_block.adaLN_modulation.1",
    "norm1_context.linear": "context_block.adaLN_modulation.1",
    "attn.to_out.0": "x_block.attn.proj", "attn.to_add_out": "context_block.attn.proj",
    "ff.net.0.proj": "x_block.mlp.fc1", "ff.net.2": "x_block.mlp.fc2",
    "ff_context.net.0.proj": "context_block.mlp.fc1", "ff_context.net.2": "context_block.mlp.fc2",
}  # fmt: skip
SD3_ENDS = {
    "pos_embed.pos_embed": "pos_embed", "pos_embed.proj.": "x_embedder.proj.",
    "time_text_embed.timestep_embedder.linear_1.": "t_embedder.mlp.0.",
    "time_text_embed.timestep_embedder.linear_2.": "t_embedder.mlp.2.",
    "time_text_embed.text_embedder.linear_1.": "y_embedder.mlp.0.",
    "time_text_embed.text_embedder.linear_2.": "y_embedder.mlp.2.",
    "norm_out.linear.": "final_layer.adaLN_modulation.1.", "proj_out.": "final_layer.linear.",
}  # fmt: skip


def fused(tensors: dict[str, Any], parts: tuple[str, ...], whole: str) -> None:
    """Queries, keys and values of an attention in one tensor."""
    torch = import_module("torch")
    for name in [name for name in tensors if parts[0] in name]:
        found = [tensors.pop(name.replace(parts[0], part)) for part in parts]
        tensors[name.replace(parts[0], whole)] = torch.cat(found)


def turned(tensor: Any) -> Any:
    """Scale and shift in the other order."""
    torch = import_module("torch")
    return torch.cat(tensor.chunk(2)[::-1])


def sd3_names(tensors: dict[str, Any]) -> dict[str, Any]:
    """A transformer of Stable Diffusion 3 as published."""
    last = max(int(name.split(".")[1]) for name in tensors if name.startswith("transformer_blocks"))
    for name in list(tensors):
        if name.startswith((f"transformer_blocks.{last}.norm1_context", "norm_out")):
            tensors[name] = turned(tensors[name])
    fused(tensors, ("attn.to_q.", "attn.to_k.", "attn.to_v."), "x_block.attn.qkv.")
    added = tuple(f"attn.add_{each}_proj." for each in "qkv")
    fused(tensors, added, "context_block.attn.qkv.")
    named: dict[str, Any] = {}
    for name, tensor in tensors.items():
        known = re.sub(r"^transformer_blocks", "joint_blocks", name)
        for ours, original in SD3_BLOCK.items():
            known = re.sub(rf"^(joint_blocks\.\d+)\.{re.escape(ours)}\.", rf"\1.{original}.", known)
        for ours, original in SD3_ENDS.items():
            known = original + known.removeprefix(ours) if known.startswith(ours) else known
        named[known] = tensor
    return named


def z_image_names(tensors: dict[str, Any]) -> dict[str, Any]:
    """A transformer of Z-Image as published."""
    fused(tensors, ("attention.to_q.", "attention.to_k.", "attention.to_v."), "attention.qkv.")
    renamed = {
        "attention.to_out.0.": "attention.out.", "attention.norm_": "attention.",
        "all_final_layer.2-1.": "final_layer.", "all_x_embedder.2-1.": "x_embedder.",
    }  # fmt: skip
    named: dict[str, Any] = {}
    for name, tensor in tensors.items():
        known = name
        for ours, original in renamed.items():
            known = known.replace(ours, original)
        known = re.sub(r"attention\.([qk])\.weight", r"attention.\1_norm.weight", known)
        named[known] = tensor
    return named


FLOWS = {
    "sd3": (sd3_names, ""),
    "z-image": (z_image_names, "model.diffusion_model."),
    "qwen-image": (dict[str, Any], ""),
}


def build_flow(kind: str, folder: Path) -> Path:
    """A flow's transformer in one file, and what it needs around it in a folder beside it."""
    source = tiny.folder_of(kind)
    weights = next((source / "transformer").glob("*.safetensors"))
    safetensors = import_module("safetensors.torch")
    named, prefix = FLOWS[kind]
    file = folder / f"{kind}.safetensors"
    tensors = named(safetensors.load_file(str(weights))).items()
    kept = {prefix + name: tensor.contiguous() for name, tensor in tensors}
    safetensors.save_file(kept, str(file))
    copytree(
        source,
        folder / kind,
        ignore=lambda place, _: [weights.name] if Path(place).name == "transformer" else [],
    )
    return file


def build(folder: Path, *, configs: bool = True) -> Path:
    """A Stable Diffusion 1.x file; with `configs`, the folder of them beside it.

    Its networks are those of tiny's "sd1": both must make the same picture.
    """
    diffusers = import_module("diffusers")
    pipe = diffusers.StableDiffusionPipeline.from_pretrained(str(tiny.folder_of("sd1")))
    tensors: dict[str, Any] = {}
    for name, tensor in pipe.unet.state_dict().items():
        tensors["model.diffusion_model." + unet_name(name, 1)] = tensor
    for name, tensor in pipe.vae.state_dict().items():
        original = vae_name(name, 4)
        is_projection = "attn_1" in original and tensor.ndim == 2
        tensors["first_stage_model." + original] = (
            tensor[:, :, None, None] if is_projection else tensor
        )
    for name, tensor in pipe.text_encoder.state_dict().items():
        known = name if name.startswith("text_model.") else f"text_model.{name}"
        tensors[f"cond_stage_model.transformer.{known}"] = tensor
    file = folder / "dream.safetensors"
    kept = {name: tensor.contiguous() for name, tensor in tensors.items()}
    import_module("safetensors.torch").save_file(kept, str(file))
    if configs:
        weights = ignore_patterns("*.safetensors")
        copytree(tiny.folder_of("sd1"), folder / "dream", ignore=weights)
    return file
