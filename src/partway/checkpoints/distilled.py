"""Checkpoints distilled to few steps: recognised by their scheduler, or by their name.

Nothing in the weights says so. Publishers write it into the name, which people keep: sd-turbo,
sdxl_lightning_4step, LCM_Dreamshaper, Hyper-SDXL. They run without guidance.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from partway.checkpoints import Checkpoint

STEPS = {"lcm": 6, "turbo": 4, "lightning": 4, "hyper": 8, "schnell": 4, "dmd2": 4}
SCHEDULERS = {"LCMScheduler": "lcm"}
WORD = re.compile(rf"(?<![a-z])({'|'.join(STEPS)})(?![a-z])")
COUNT = re.compile(r"(?<!\d)(\d{1,2})[ _-]?steps?(?![a-z])")


def few_steps(checkpoint: Checkpoint) -> int | None:
    """Steps of a full run of a distilled checkpoint; None for any other."""
    scheduler = checkpoint.configs.get("scheduler", {}).get("_class_name", "")
    if scheduler in SCHEDULERS:
        return STEPS[SCHEDULERS[scheduler]]
    for name in (checkpoint.name, *_origins(checkpoint)):
        lower = name.lower()
        found = WORD.search(lower)
        if found is not None:
            count = COUNT.search(lower)
            return STEPS[found[1]] if count is None else max(int(count[1]), 1)
    return None


def _origins(checkpoint: Checkpoint) -> list[str]:
    """Names that configs remember of where their weights came from."""
    configs: list[Any] = [checkpoint.configs.get(name, {}) for name in ("unet", "transformer")]
    return [str(config["_name_or_path"]) for config in configs if "_name_or_path" in config]
