"""Qwen-Image: a transformer of patches and words, with a vision-language model for words.

Guidance takes two evaluations and keeps the norm of the prompt's own in every patch. The
autoencoder is one of videos, here of one frame. Runs on torch, with components loaded by diffusers
(partway.checkpoints).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from partway.checkpoints.autoencoder import to_array, to_tensor
from partway.checkpoints.device import library
from partway.checkpoints.pipeline import encoding, load_pipeline
from partway.denoiser import Array
from partway.errors import ModelError
from partway.families import Profile
from partway.families.flow import PATCH, RectifiedFlow, noise_of, pack, profile_of, unpack
from partway.schedule import Level

if TYPE_CHECKING:
    from partway.checkpoints import Checkpoint

STEPS = 50
GUIDANCE = 4.0
NATIVE = 1328
TOKENS = 1024
# Settings of its relatives that edit by instruction, paint in layers or have guidance built in.
RELATIVES = ("zero_cond_t", "use_layer3d_rope", "use_additional_t_cond", "guidance_embeds")


def profile(checkpoint: Checkpoint) -> Profile:
    """What a checkpoint's configs say."""
    transformer = checkpoint.configs["transformer"]
    for setting in RELATIVES:
        if transformer.get(setting):
            raise ModelError(
                f"{checkpoint.name} is a relative of Qwen-Image ({setting}) that Partway does not "
                "run"
            )
    found = profile_of(checkpoint, "qwen_image", steps=STEPS, guidance=GUIDANCE, native=NATIVE)
    return replace(found, norm_patch=PATCH)


class QwenImage(RectifiedFlow):
    """A loaded checkpoint."""

    def encode_prompt(self, prompt: str) -> Array:
        """(L, D) hidden states of the language model, as many as the prompt has tokens."""
        with encoding(self.pipe):
            found, _ = self.pipe.encode_prompt(
                prompt,
                device=self.pipe._execution_device,  # noqa: SLF001
                max_sequence_length=TOKENS,
            )
            return to_array(found)[0]

    def notes(self, prompt: str) -> tuple[str, ...]:
        """What was not read of a prompt."""
        return self.too_long(self.pipe.tokenizer, prompt, TOKENS)

    def predict(self, x: Array, levels: Sequence[Level], conditions: Sequence[Array]) -> Array:
        """One call of the transformer for all rows; shorter prompts are filled up and masked."""
        network, (rows, _, height, width) = self._network, x.shape
        longest = max(len(words) for words in conditions)
        tokens = np.zeros((rows, longest, conditions[0].shape[1]), np.float32)
        mask = np.zeros((rows, longest), np.float32)
        for row, words in enumerate(conditions):
            tokens[row, : len(words)], mask[row, : len(words)] = words, 1.0
        torch = library("torch")
        with torch.inference_mode():
            output = network(
                hidden_states=to_tensor(pack(x), network),
                timestep=self.told(noise_of(levels)),
                encoder_hidden_states=to_tensor(tokens, network),
                encoder_hidden_states_mask=None
                if mask.all()
                else to_tensor(mask, network, torch.bool),
                img_shapes=[[(1, height // PATCH, width // PATCH)]] * rows,
                return_dict=False,
            )
            return unpack(to_array(output[0]), height, width)


def load(profile: Profile, precision: str) -> QwenImage:
    """Load the networks."""
    if profile.checkpoint is None:
        raise ModelError(f"{profile.name} has no files")
    pipe, resolved = load_pipeline(profile.checkpoint, precision)
    return QwenImage(profile, pipe, resolved)
