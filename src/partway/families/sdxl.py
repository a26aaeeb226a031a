"""Stable Diffusion XL: two text encoders, and a UNet that is told the size of the picture.

Turbo and Lightning checkpoints too. Runs on torch, with components loaded by diffusers
(partway.checkpoints).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from partway.checkpoints.autoencoder import to_array, to_tensor
from partway.checkpoints.device import library
from partway.checkpoints.inpainting import words_of
from partway.checkpoints.pipeline import encoding, load_pipeline
from partway.denoiser import Array, Condition
from partway.errors import ModelError
from partway.families import Profile, stable_diffusion
from partway.families.stable_diffusion import StableDiffusion, timesteps
from partway.schedule import Level

if TYPE_CHECKING:
    from partway.checkpoints import Checkpoint

GUIDANCE = 5.0


@dataclass(frozen=True, eq=False)
class Words:
    """An encoded prompt.

    tokens  (L, D) hidden states of both text encoders side by side
    pooled  (P,) of the second one
    """

    tokens: Array
    pooled: Array

    @property
    def nbytes(self) -> int:
        """Memory it takes."""
        return self.tokens.nbytes + self.pooled.nbytes


def profile(checkpoint: Checkpoint) -> Profile:
    """What a checkpoint's configs say."""
    if checkpoint.configs.get("unet", {}).get("addition_embed_type", "text_time") != "text_time":
        raise ModelError(f"{checkpoint.name} is a variation of SDXL that Partway does not know")
    if "text_encoder" not in checkpoint.configs and checkpoint.place.is_dir():
        raise ModelError(
            f"{checkpoint.name} is a refiner: it finishes pictures and starts none; "
            "take the base checkpoint"
        )
    plain = stable_diffusion.profile(checkpoint)
    guided = plain.default_guidance > 1.0
    return replace(plain, family="sdxl", default_guidance=GUIDANCE if guided else 1.0)


class StableDiffusionXL(StableDiffusion):
    """A loaded checkpoint."""

    def encode_prompt(self, prompt: str) -> Words:
        """Both text encoders; "" is all zeros where the checkpoint was trained so."""
        with encoding(self.pipe):
            tokens, _, pooled, _ = self.pipe.encode_prompt(
                prompt,
                device=self.pipe._execution_device,  # noqa: SLF001
                do_classifier_free_guidance=False,
            )
            words = Words(to_array(tokens)[0], to_array(pooled)[0])
        if not prompt and self.pipe.config.force_zeros_for_empty_prompt:
            return Words(np.zeros_like(words.tokens), np.zeros_like(words.pooled))
        return words

    def predict(self, x: Array, levels: Sequence[Level], conditions: Sequence[Condition]) -> Array:
        """One call of the UNet for all rows."""
        factor = self.profile.stride
        size = (x.shape[2] * factor, x.shape[3] * factor)  # height and width
        told = np.asarray([[*size, 0, 0, *size]] * len(levels), np.float32)  # uncropped
        unet: Any = self._unet
        words: list[Words] = words_of(conditions)
        pooled = np.stack([each.pooled for each in words])
        with library("torch").inference_mode():
            output = unet(
                to_tensor(self.seen(x, conditions), unet),
                timesteps(self.schedule, levels, unet),
                encoder_hidden_states=to_tensor(np.stack([each.tokens for each in words]), unet),
                added_cond_kwargs={
                    "text_embeds": to_tensor(pooled, unet),
                    "time_ids": to_tensor(told, unet, library("torch").float32),
                },
                return_dict=False,
            )
            return to_array(output[0])


def load(profile: Profile, precision: str) -> StableDiffusionXL:
    """Load the networks."""
    if profile.checkpoint is None:
        raise ModelError(f"{profile.name} has no files")
    pipe, resolved = load_pipeline(profile.checkpoint, precision)
    return StableDiffusionXL(profile, pipe, resolved)
