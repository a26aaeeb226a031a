"""OpenVINO GenAI's Image2ImagePipeline: Euler, one call for each strength.

On a processor with bf16 OpenVINO computes in it of its own accord; "bf16" asks for the same by
name, "fp32" for whole precision.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import openvino
import openvino_genai
from worker import GUIDANCE, NEGATIVE, SEED


def about() -> dict[str, str]:
    """Versions."""
    return {"openvino-genai": openvino_genai.__version__, "openvino": openvino.__version__}


def load(checkpoint: Path, variant: str) -> Callable[..., Any]:
    """A pipeline compiled for the CPU, of any size."""
    hint = {"bf16": "bf16", "fp32": "f32"}[variant]
    pipe = openvino_genai.Image2ImagePipeline(
        f"{checkpoint}-openvino", "CPU", INFERENCE_PRECISION_HINT=hint
    )
    pipe.set_scheduler(
        openvino_genai.Scheduler.from_config(
            f"{checkpoint}-openvino/scheduler/scheduler_config.json",
            openvino_genai.Scheduler.Type.EULER_DISCRETE,
        )
    )

    def edit(
        source: Any, prompt: str, strengths: Sequence[float], steps: int
    ) -> tuple[list[Any], list[int]]:
        pictures: list[Any] = []
        evaluations: list[int] = []
        for strength in strengths:
            asked: list[int] = []

            def count(step: int, _steps: int, _latents: Any, asked: Any = asked) -> bool:
                asked.append(step)
                return False

            made = pipe.generate(
                prompt, openvino.Tensor(source[None]), strength=strength, guidance_scale=GUIDANCE,
                negative_prompt=NEGATIVE, num_inference_steps=steps, rng_seed=SEED, callback=count,
                height=source.shape[0], width=source.shape[1],
            )  # fmt: skip
            pictures.append(np.array(made.data[0]))
            evaluations.append(len(asked))
        return pictures, evaluations

    return edit
