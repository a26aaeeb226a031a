"""Checkpoints distilled to few steps: recognised by their scheduler, or by their name.

Nothing in the weights says so. Publishers write it into the name, which people keep: sd-turbo,
sdxl_lightning_4step, LCM_Dreamshaper, Hyper-SDXL. They run without guidance.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from partway.checkpoints import Checkpoint

# Word → steps of a full run, sampler.
KINDS = {
    "lcm": (6, "lcm"),
    "turbo": (4, "euler_ancestral"),
    "lightning": (4, "euler"),
    "hyper": (8, "euler"),
    "schnell": (4, "euler"),
    "dmd2": (4, "lcm"),
}
SCHEDULERS = {"LCMScheduler": "lcm"}
WORD = re.compile(rf"(?<![a-z])({'|'.join(KINDS)})(?![a-z])")
COUNT = re.compile(r"(?<!\d)(\d{1,2})[ _-]?steps?(?![a-z])")


def few_steps(checkpoint: Checkpoint) -> tuple[int, str] | None:
    """Steps of a full run of a distilled checkpoint, and its sampler; None for any other."""
    scheduler = checkpoint.configs.get("scheduler", {}).get("_class_name", "")
    if scheduler in SCHEDULERS:
        return KINDS[SCHEDULERS[scheduler]]
    for name in (checkpoint.name, *_origins(checkpoint)):
        lower = name.lower()
        found = WORD.search(lower)
        if found is not None:
            count = COUNT.search(lower)
            steps, sampler = KINDS[found[1]]
            return (steps if count is None else max(int(count[1]), 1), sampler)
    return None


def _origins(checkpoint: Checkpoint) -> list[str]:
    """Names that configs remember of where their weights came from."""
    configs: list[Any] = [checkpoint.configs.get(name, {}) for name in ("unet", "transformer")]
    return [str(config["_name_or_path"]) for config in configs if "_name_or_path" in config]
