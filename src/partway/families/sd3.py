"""Stable Diffusion 3 and 3.5: a transformer of patches and words, guided by two evaluations.

Three text encoders: two of CLIP, and T5, without which a checkpoint runs too. Runs on torch, with
components loaded by diffusers (partway.checkpoints).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from partway.checkpoints.autoencoder import to_array, to_tensor
from partway.checkpoints.device import library
from partway.checkpoints.pipeline import encoding, load_pipeline
from partway.denoiser import Array
from partway.errors import InvalidRequest, ModelError
from partway.families import Profile
from partway.families.flow import PATCH, RectifiedFlow, noise_of, profile_of
from partway.families.sdxl import Words
from partway.schedule import Level

if TYPE_CHECKING:
    from partway.checkpoints import Checkpoint

STEPS = 28
GUIDANCE = 7.0
GUIDANCE_35 = 4.5
TIMESTEPS = 1000.0
TOKENS = 256  # of T5


def profile(checkpoint: Checkpoint) -> Profile:
    """What a checkpoint's configs say."""
    transformer, vae = checkpoint.configs["transformer"], checkpoint.configs["vae"]
    if transformer.get("in_channels", 16) != vae["latent_channels"]:
        raise ModelError(
            f"{checkpoint.name} is a variation of Stable Diffusion 3 that takes a second picture "
            "beside the noisy one, which Partway does not run"
        )
    later = transformer.get("qk_norm") is not None  # 3.5 normalises queries and keys
    return profile_of(checkpoint, "sd3", steps=STEPS, guidance=GUIDANCE_35 if later else GUIDANCE)


class StableDiffusion3(RectifiedFlow):
    """A loaded checkpoint."""

    def encode_prompt(self, prompt: str) -> Words:
        """All text encoders; where there is no T5, zeros stand for its tokens."""
        with encoding(self.pipe):
            tokens, _, pooled, _ = self.pipe.encode_prompt(
                prompt,
                None,
                None,
                device=self.pipe._execution_device,  # noqa: SLF001
                do_classifier_free_guidance=False,
                max_sequence_length=TOKENS,
            )
            return Words(to_array(tokens)[0], to_array(pooled)[0])

    def notes(self, prompt: str) -> tuple[str, ...]:
        """What was not read of a prompt."""
        if self.pipe.tokenizer_3 is None:
            return self.too_long(self.pipe.tokenizer, prompt, self.pipe.tokenizer_max_length)
        return self.too_long(self.pipe.tokenizer_3, prompt, TOKENS)

    def predict(self, x: Array, levels: Sequence[Level], conditions: Sequence[Words]) -> Array:
        """One call of the transformer for all rows; InvalidRequest for a canvas beyond its grid."""
        network = self._network
        most = int(network.config.pos_embed_max_size) * PATCH
        if max(x.shape[2:]) > most:
            side = most * self.profile.stride // PATCH
            raise InvalidRequest(
                f"{self.profile.name} draws at most {side} pixels a side: a less oblong picture, "
                "or a smaller --working-multiple"
            )
        tokens = np.stack([words.tokens for words in conditions])
        pooled = np.stack([words.pooled for words in conditions])
        with library("torch").inference_mode():
            output = network(
                hidden_states=to_tensor(x, network),
                timestep=self.told([TIMESTEPS * noise for noise in noise_of(levels)]),
                encoder_hidden_states=to_tensor(tokens, network),
                pooled_projections=to_tensor(pooled, network),
                return_dict=False,
            )
            return to_array(output[0])


def load(profile: Profile, precision: str) -> StableDiffusion3:
    """Load the networks."""
    if profile.checkpoint is None:
        raise ModelError(f"{profile.name} has no files")
    pipe, resolved = load_pipeline(profile.checkpoint, precision)
    return StableDiffusion3(profile, pipe, resolved)
