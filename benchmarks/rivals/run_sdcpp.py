"""stable-diffusion.cpp through cyllama: Euler, one call for each strength.

It makes one evaluation more than strength × steps; the strengths it is given are those that make
as many as the others do (partway's dialect "sdcpp").
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cyllama
from cyllama import sd
from worker import GUIDANCE, NEGATIVE, SEED, threads


def about() -> dict[str, str]:
    """Versions, of the bindings and of what they bind."""
    built = json.loads((Path(cyllama.__file__).parent / "build_config.json").read_text("utf-8"))
    return {
        "cyllama": version("cyllama"),
        "stable-diffusion.cpp": built["versions"]["stable_diffusion_cpp_version"],
        "instructions": " ".join(sd.get_system_info().split()),
    }


def load(checkpoint: Path, variant: str) -> Callable[..., Any]:
    """A context on the single file, whose weights are "fp16"."""
    if variant != "fp16":
        raise ValueError(variant)
    parameters = sd.SDContextParams(
        model_path=str(checkpoint.with_suffix(".safetensors")),
        n_threads=threads(),
        vae_decode_only=False,
    )
    parameters.free_params_immediately = False  # else the second edit has no weights
    context = sd.SDContext(parameters)
    asked: list[int] = []
    sd.set_progress_callback(lambda step, _steps, _seconds: asked.append(step))

    def edit(
        source: Any, prompt: str, strengths: Sequence[float], steps: int
    ) -> tuple[list[Any], list[int]]:
        pictures: list[Any] = []
        evaluations: list[int] = []
        for strength in strengths:
            asked.clear()
            made = context.generate(
                prompt, NEGATIVE, width=source.shape[1], height=source.shape[0], seed=SEED,
                sample_steps=steps, cfg_scale=GUIDANCE, strength=strength,
                sample_method=sd.SampleMethod.EULER, init_image=sd.SDImage.from_numpy(source),
            )  # fmt: skip
            pictures.append(made[0].to_numpy())
            evaluations.append(max(asked))
        return pictures, evaluations

    return edit
