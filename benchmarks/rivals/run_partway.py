"""Partway under diffusers' rule for strength, so that it makes the same evaluations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from worker import GUIDANCE, NEGATIVE, SEED, threads

from partway.edits.sweep import sweep_requests
from partway.engine import Engine
from partway.images import read_bytes
from partway.request import EditRequest


def about() -> dict[str, str]:
    """Versions."""
    names = ("partway", "torch", "openvino")
    return {name: import_module(name).__version__ for name in names}


def load(checkpoint: Path, variant: str) -> Callable[..., Any]:
    """An engine that keeps nothing of earlier edits; "torch fp32", "openvino bf16" and so on."""
    import_module("torch").set_num_threads(threads())
    runtime, precision = variant.split()
    engine = Engine(cache_bytes=0)

    def edit(
        source: Any, prompt: str, strengths: Sequence[float], steps: int
    ) -> tuple[list[Any], list[int]]:
        asked = EditRequest(
            source=read_bytes(Image.fromarray(source)), prompt=prompt, negative_prompt=NEGATIVE,
            model=str(checkpoint), precision=precision, dialect="diffusers", sampler="euler",
            strength=strengths[0], steps=steps, guidance_scale=GUIDANCE, seed=SEED,
            runtime="openvino" if runtime == "openvino" else "auto",
        )  # fmt: skip
        if len(strengths) == 1:
            results = [engine.run(asked)]
        else:
            results = engine.run_many(sweep_requests(asked, tuple(strengths)))
        return (
            [np.asarray(result.image) for result in results],
            [result.evaluations for result in results],
        )

    return edit
