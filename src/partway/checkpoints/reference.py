"""The picture that the installed diffusers itself makes with a checkpoint, to compare with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from partway.checkpoints.device import library
from partway.checkpoints.pipeline import quiet
from partway.dialects.flow_walks import CLASSES as FLOW_CLASSES
from partway.dialects.flow_walks import FLOWS, Flow
from partway.dialects.walks import CLASSES
from partway.errors import ModelError

if TYPE_CHECKING:
    from PIL.Image import Image

    from partway.checkpoints import Checkpoint
    from partway.request import EditRequest

SCHEDULERS = {sampler: name for name, sampler in CLASSES.items()}
FLOW_SCHEDULERS = {sampler: name for name, sampler in FLOW_CLASSES.items()}


def reference(
    pipe: Any,
    checkpoint: Checkpoint,
    family: str,
    request: EditRequest,
    source: Image,
    guidance: float,
) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """(H, W, 3) from diffusers' image-to-image pipeline on the components of a loaded one.

    request   its prompts, strength, steps, sampler and seed count
    guidance  the number that guides there
    ModelError where diffusers fails.
    """
    torch, diffusers = library("torch"), library("diffusers")
    own = dict(checkpoint.configs["scheduler"])
    schedulers = FLOW_SCHEDULERS if family in FLOWS else SCHEDULERS
    scheduler = getattr(diffusers, schedulers[str(request.sampler)])
    try:
        with quiet():
            theirs = diffusers.AutoPipelineForImage2Image.from_pipe(pipe)
        theirs.set_progress_bar_config(disable=True)
        theirs.scheduler = scheduler.from_config(own)
        made = theirs(
            image=source,
            prompt=request.prompt,
            negative_prompt=request.negative_prompt or None,
            strength=request.effective_strength,
            num_inference_steps=request.steps,
            **arguments(family, pipe, source, guidance),
            generator=torch.Generator("cpu").manual_seed(request.seed),
            output_type="np",
        )
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise ModelError(f"diffusers fails on this checkpoint: {reason}") from error
    return np.rint(np.clip(made.images[0], 0.0, 1.0) * 255.0).astype(np.uint8)


def arguments(family: str, pipe: Any, source: Image, guidance: float) -> dict[str, Any]:
    """What a pipeline of a family calls its guidance and, of flows, the picture's own size."""
    if family not in FLOWS:
        return {"guidance_scale": guidance}
    told = bool(pipe.transformer.config.get("guidance_embeds", False))
    name = Flow().guidance if told else FLOWS[family].guidance
    return {name: guidance, "width": source.width, "height": source.height}


def version() -> str:
    """Of the installed diffusers."""
    return str(library("diffusers").__version__)
