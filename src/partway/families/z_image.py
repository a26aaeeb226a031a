"""Z-Image: one stream of words and patches, with a language model for words; Turbo in 8 steps.

Its time runs from noise to picture, and so does its velocity: both are turned round here. Runs on
torch, with components loaded by diffusers (partway.checkpoints).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from partway.checkpoints.autoencoder import to_array, to_tensor
from partway.checkpoints.device import library
from partway.checkpoints.distilled import few_steps
from partway.checkpoints.pipeline import encoding, load_pipeline
from partway.denoiser import Array
from partway.errors import ModelError
from partway.families import Profile
from partway.families.flow import RectifiedFlow, noise_of, profile_of
from partway.schedule import Level

if TYPE_CHECKING:
    from partway.checkpoints import Checkpoint

STEPS = 50
GUIDANCE = 5.0  # 4 in diffusers, which counts from 0 there
TURBO_STEPS = 8
TOKENS = 512


def profile(checkpoint: Checkpoint) -> Profile:
    """What a checkpoint's configs say."""
    if checkpoint.configs["transformer"].get("siglip_feat_dim") is not None:
        raise ModelError(
            f"{checkpoint.name} is Z-Image Omni, which reads pictures as it reads the prompt; "
            "Partway runs Z-Image and Z-Image Turbo"
        )
    found = profile_of(checkpoint, "z_image", steps=STEPS, guidance=GUIDANCE)
    turbo = few_steps(checkpoint) is not None
    return replace(found, default_steps=TURBO_STEPS) if turbo else found


class ZImage(RectifiedFlow):
    """A loaded checkpoint."""

    def encode_prompt(self, prompt: str) -> Array:
        """(L, D) hidden states of the language model, as many as the prompt has tokens."""
        with encoding(self.pipe):
            found, _ = self.pipe.encode_prompt(
                prompt,
                device=self.pipe._execution_device,  # noqa: SLF001
                do_classifier_free_guidance=False,
                max_sequence_length=TOKENS,
            )
            return to_array(found[0])

    def notes(self, prompt: str) -> tuple[str, ...]:
        """What was not read of a prompt."""
        return self.too_long(self.pipe.tokenizer, prompt, TOKENS)

    def predict(self, x: Array, levels: Sequence[Level], conditions: Sequence[Array]) -> Array:
        """One call of the transformer for all rows, each with a prompt of its own length."""
        network = self._network
        with library("torch").inference_mode():
            rows = to_tensor(x[:, :, None], network).unbind(0)  # (C, 1, h, w): one frame
            output = network(
                list(rows),
                self.told([1.0 - noise for noise in noise_of(levels)]),
                [to_tensor(words, network) for words in conditions],
                return_dict=False,
            )
            return -np.stack([to_array(row)[:, 0] for row in output[0]])


def load(profile: Profile, precision: str) -> ZImage:
    """Load the networks."""
    if profile.checkpoint is None:
        raise ModelError(f"{profile.name} has no files")
    pipe, resolved = load_pipeline(profile.checkpoint, precision)
    return ZImage(profile, pipe, resolved)
