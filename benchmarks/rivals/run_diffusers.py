"""diffusers' own pipeline, as its documentation runs it: Euler, one call for each strength."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import torch
from PIL import Image
from worker import GUIDANCE, NEGATIVE, SEED, threads


def about() -> dict[str, str]:
    """Versions."""
    return {"diffusers": diffusers.__version__, "torch": torch.__version__}


def load(checkpoint: Path, variant: str) -> Callable[..., Any]:
    """A pipeline in "fp32" or "bf16"."""
    torch.set_num_threads(threads())
    pipe = diffusers.StableDiffusionImg2ImgPipeline.from_pretrained(
        str(checkpoint),
        torch_dtype={"fp32": torch.float32, "bf16": torch.bfloat16}[variant],
        local_files_only=True,
    )
    pipe.set_progress_bar_config(disable=True)

    def edit(
        source: Any, prompt: str, strengths: Sequence[float], steps: int
    ) -> tuple[list[Any], list[int]]:
        pictures: list[Any] = []
        evaluations: list[int] = []
        for strength in strengths:
            asked: list[int] = []

            def count(_pipe: Any, step: int, _time: Any, kept: Any, asked: Any = asked) -> Any:
                asked.append(step)
                return kept

            made = pipe(
                prompt, image=Image.fromarray(source), strength=strength, guidance_scale=GUIDANCE,
                negative_prompt=NEGATIVE, num_inference_steps=steps, callback_on_step_end=count,
                generator=torch.Generator("cpu").manual_seed(SEED),
            ).images[0]  # fmt: skip
            pictures.append(np.asarray(made))
            evaluations.append(len(asked))
        return pictures, evaluations

    return edit
