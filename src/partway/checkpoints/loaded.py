"""A pipeline that a script has loaded with diffusers, as a checkpoint: its components, shared.

Nothing is copied or moved. Device, precision, offloading, LoRA and the scheduler's levels are the
pipeline's own, as they are when it is wrapped.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from partway.checkpoints import Checkpoint
from partway.errors import InvalidRequest, ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping

NEEDED = ("vae", "scheduler", "tokenizer", "text_encoder")


def checkpoint_of(pipe: Any) -> Checkpoint:
    """The checkpoint a loaded pipeline is; ModelError where that is none, or lacks a part."""
    kind = type(pipe).__name__
    components: Mapping[str, Any] | None = getattr(pipe, "components", None)
    if components is None or not hasattr(pipe, "_execution_device"):
        raise ModelError(
            f"this is a {kind}: want a loaded pipeline of diffusers, as "
            "AutoPipelineForImage2Image.from_pretrained gives it"
        )
    for name in NEEDED:
        if name in components and components[name] is None:
            raise ModelError(f"this {kind} has no {name}, without which no edit can be made")
    place = str(getattr(pipe.config, "_name_or_path", None) or kind)
    configs = {name: _config(part) for name, part in components.items() if hasattr(part, "config")}
    if configs.get("unet", {}).get("encoder_hid_dim_type") == "ip_image_proj":
        raise ModelError(
            f"this {kind} has an IP-Adapter, which reads a second picture: pipe.unload_ip_adapter()"
        )
    return Checkpoint(
        name=Path(place).name, place=Path(place), pipeline=kind, configs=configs, loaded=pipe
    )


def _config(part: Any) -> dict[str, Any]:
    """A component's config; a scheduler's names its class."""
    config = part.config
    values = config.to_dict() if hasattr(config, "to_dict") else dict(config)
    return {**values, "_class_name": type(part).__name__}


def networks_of(checkpoint: Checkpoint, precision: str) -> tuple[Any, str]:
    """The loaded pipeline and the precision its denoising network has.

    InvalidRequest for another precision or further LoRA: both are the pipeline's own.
    """
    pipe = checkpoint.loaded
    if checkpoint.loras:
        raise InvalidRequest(
            "the LoRA of a loaded pipeline are its own: pipe.load_lora_weights(FILE), then "
            "Engine.from_pipeline(pipe)"
        )
    network = getattr(pipe, "unet", None) or pipe.transformer
    found = {"bfloat16": "bf16", "float16": "fp16", "float32": "fp32"}
    own = found.get(str(network.dtype).removeprefix("torch."), str(network.dtype))
    if precision not in {"auto", own}:
        raise InvalidRequest(
            f"this pipeline computes in {own}, asked was {precision}: leave precision at auto, or "
            "load the pipeline with another dtype"
        )
    return pipe, own
