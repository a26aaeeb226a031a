"""What networks made for inpainting are shown beside the noisy latents.

They have 2 C + 1 input channels: x, a mask, and the latents of the picture with grey where the mask
is 1, which is to be painted (CompVis latent-diffusion, LatentInpaintDiffusion). So they see what
surrounds a hole at every noise level, also where x itself holds nothing but noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from partway.checkpoints.layout import Configs
    from partway.denoiser import Array, Condition


@dataclass(frozen=True, eq=False)
class Beside:
    """A prompt's condition, and what is shown beside x.

    channels  (1 + C, h, w): the mask, 1 where the picture is to be painted; latents of the rest
    """

    condition: Condition
    channels: Array


def inpaints(configs: Configs) -> bool:
    """Whether a checkpoint's network has the channels for it."""
    channels = configs.get("unet", {}).get("in_channels")
    latent: int | None = configs.get("vae", {}).get("latent_channels")
    return latent is not None and channels == 2 * latent + 1


def hide(image: Array, hidden: Any) -> Array:
    """A picture (3, H, W) in [-1, 1] with grey where `hidden` (H, W) says so."""
    return np.where(hidden, np.float32(0.0), image)


def words_of(conditions: Sequence[Condition]) -> list[Condition]:
    """The conditions of the prompts alone."""
    return [each.condition if isinstance(each, Beside) else each for each in conditions]


def beside_of(conditions: Sequence[Condition], alone: Array) -> Array:
    """(B, 1 + C, h, w) of conditions; `alone` for those that show nothing."""
    return np.stack([each.channels if isinstance(each, Beside) else alone for each in conditions])
