"""Tiny checkpoints with random weights, in the layouts and with the classes of real ones.

    build("sd1", folder)     a folder in diffusers' layout, a few hundred kB, in about a second

Every kind has the parts of its real model, each a few thousand weights: whatever holds for these
networks holds for the arithmetic round them. They draw nothing that can be recognised.
"""

from __future__ import annotations

import atexit
import json
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any

SIDE = 64  # native size, pixels
VP = {
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
}


def tokenizer(words: int = 514) -> Any:
    """CLIP's tokenizer with letters for words, and as many that never occur as `words` leaves."""
    alphabet: dict[int, str] = import_module(
        "transformers.convert_slow_tokenizer"
    ).bytes_to_unicode()
    letters = [*alphabet.values(), *(letter + "</w>" for letter in alphabet.values())]
    unused = [f"<word {index}>" for index in range(len(letters), words - 2)]
    names = [*letters, *unused, "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {name: index for index, name in enumerate(names)}
    return import_module("transformers").CLIPTokenizer(
        vocab=vocabulary, merges=[], model_max_length=77
    )


def letters() -> Any:
    """T5's tokenizer with letters for words."""
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
    pieces += [(chr(code), -3.0) for code in range(33, 127)]
    return import_module("transformers").T5Tokenizer(vocab=pieces, extra_ids=0)


def t5(width: int) -> Any:
    """T5's encoder."""
    transformers = import_module("transformers")
    config = transformers.T5Config(
        vocab_size=98, d_model=width, d_kv=8, d_ff=32, num_layers=2, num_heads=2
    )
    return transformers.T5EncoderModel(config).eval()


def text_encoder(
    width: int, *, projected: bool = False, words: int = 514, deep: int = 3, heads: int = 4,
    inner: int | None = None,
) -> Any:  # fmt: skip
    """CLIP's text encoder; `projected` is the second one of Stable Diffusion XL."""
    transformers = import_module("transformers")
    config = transformers.CLIPTextConfig(
        vocab_size=words,
        bos_token_id=words - 2,
        eos_token_id=words - 1,
        pad_token_id=words - 1,
        hidden_size=width,
        intermediate_size=inner or 2 * width,
        num_attention_heads=heads,
        num_hidden_layers=deep,
        projection_dim=width,
        max_position_embeddings=77,
    )
    kind = transformers.CLIPTextModelWithProjection if projected else transformers.CLIPTextModel
    return kind(config).eval()


def autoencoder(channels: int = 4, **settings: Any) -> Any:
    """AutoencoderKL with 8 pixels to a latent position."""
    return (
        import_module("diffusers")
        .AutoencoderKL(
            block_out_channels=(8, 8, 16, 16),
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            latent_channels=channels,
            norm_num_groups=4,
            layers_per_block=1,
            sample_size=SIDE,
            **settings,
        )
        .eval()
    )


def flow_autoencoder(scale: float, shift: float) -> Any:
    """That of FLUX, Stable Diffusion 3 and Z-Image: 16 channels, with a shift."""
    return autoencoder(
        16,
        scaling_factor=scale,
        shift_factor=shift,
        use_quant_conv=False,
        use_post_quant_conv=False,
    )


def unet(width: int = 32, **settings: Any) -> Any:
    """A UNet of two scales with cross-attention to prompts of a width."""
    return (
        import_module("diffusers")
        .UNet2DConditionModel(
            **{
                "sample_size": SIDE // 8,
                "block_out_channels": (16, 32),
                "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
                "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
                "layers_per_block": 1,
                "cross_attention_dim": width,
                "attention_head_dim": 4,
                "norm_num_groups": 4,
                **settings,
            }
        )
        .eval()
    )


def stable_diffusion(
    scheduler: str = "DDIMScheduler", levels: Mapping[str, Any] | None = None, **network: Any
) -> Any:
    """Stable Diffusion 1.x, or a variation of it."""
    diffusers = import_module("diffusers")
    return diffusers.StableDiffusionPipeline(
        vae=autoencoder(scaling_factor=0.18215),
        text_encoder=text_encoder(32),
        tokenizer=tokenizer(),
        unet=unet(**network),
        scheduler=getattr(diffusers, scheduler).from_config({**VP, **(levels or {})}),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def inpainting() -> Any:
    """Stable Diffusion 1.x for inpainting: 9 input channels."""
    parts = stable_diffusion(in_channels=9).components
    pipeline = import_module("diffusers").StableDiffusionInpaintPipeline
    return pipeline(**parts, requires_safety_checker=False)


def sdxl(
    scheduler: str = "EulerDiscreteScheduler",
    levels: Mapping[str, Any] | None = None,
    **network: Any,
) -> Any:
    """Stable Diffusion XL: two text encoders, and what it is told of sizes."""
    diffusers = import_module("diffusers")
    return diffusers.StableDiffusionXLPipeline(
        vae=autoencoder(scaling_factor=0.13025),
        text_encoder=text_encoder(32),
        text_encoder_2=text_encoder(32, projected=True),
        tokenizer=tokenizer(),
        tokenizer_2=tokenizer(),
        unet=unet(
            64,
            use_linear_projection=True,
            addition_embed_type="text_time",
            addition_time_embed_dim=8,
            projection_class_embeddings_input_dim=6 * 8 + 32,
            **network,
        ),
        scheduler=getattr(diffusers, scheduler).from_config(
            {**VP, "timestep_spacing": "leading", **(levels or {})}
        ),
        add_watermarker=False,
    )


def sdxl_inpainting() -> Any:
    """Stable Diffusion XL for inpainting: 9 input channels."""
    parts = sdxl(in_channels=9).components
    return import_module("diffusers").StableDiffusionXLInpaintPipeline(
        **parts, add_watermarker=False
    )


def flux(*, guidance: bool, **levels: Any) -> Any:
    """FLUX.1: dev has its guidance built in and a shift that grows with the size."""
    diffusers = import_module("diffusers")
    return diffusers.FluxPipeline(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(**levels),
        vae=flow_autoencoder(0.3611, 0.1159),
        text_encoder=text_encoder(32),
        tokenizer=tokenizer(),
        text_encoder_2=t5(24),
        tokenizer_2=letters(),
        transformer=diffusers.FluxTransformer2DModel(
            in_channels=64,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=24,
            pooled_projection_dim=32,
            guidance_embeds=guidance,
            axes_dims_rope=(4, 6, 6),
        ).eval(),
    )


def sd3(*, with_t5: bool = True, **network: Any) -> Any:
    """Stable Diffusion 3: three text encoders, or two."""
    diffusers = import_module("diffusers")
    return diffusers.StableDiffusion3Pipeline(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=flow_autoencoder(1.5305, 0.0609),
        text_encoder=text_encoder(32, projected=True),
        tokenizer=tokenizer(),
        text_encoder_2=text_encoder(32, projected=True),
        tokenizer_2=tokenizer(),
        text_encoder_3=t5(64) if with_t5 else None,
        tokenizer_3=letters() if with_t5 else None,
        transformer=diffusers.SD3Transformer2DModel(
            sample_size=SIDE // 8,
            num_layers=2,
            attention_head_dim=8,
            num_attention_heads=4,
            joint_attention_dim=64,
            caption_projection_dim=32,
            pooled_projection_dim=64,
            pos_embed_max_size=12,
            **network,
        ).eval(),
    )


def chat_tokenizer() -> Any:
    """Qwen's tokenizer with bytes for words, and a chat's form."""
    alphabet: dict[int, str] = import_module(
        "transformers.convert_slow_tokenizer"
    ).bytes_to_unicode()
    names = [*alphabet.values(), "<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    made = import_module("transformers").Qwen2Tokenizer(
        vocab={name: index for index, name in enumerate(names)}, merges=[]
    )
    made.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    made.chat_template = (
        "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}"
        "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    return made


LANGUAGE = {
    "vocab_size": 259, "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2,
    "num_attention_heads": 2, "num_key_value_heads": 1, "pad_token_id": 256,
    "bos_token_id": 256, "eos_token_id": 258,
}  # fmt: skip


def z_image() -> Any:
    """Z-Image: a language model for words, one stream."""
    diffusers, transformers = import_module("diffusers"), import_module("transformers")
    config = transformers.Qwen3Config(head_dim=8, **LANGUAGE)
    transformer = diffusers.ZImageTransformer2DModel(
        dim=32, n_layers=2, n_refiner_layers=1, n_heads=2, n_kv_heads=2, cap_feat_dim=16,
        axes_dims=[4, 6, 6], axes_lens=[1088, 64, 64],
    )  # fmt: skip
    for name, weight in transformer.named_parameters():
        if "pad_token" in name:
            weight.data.normal_()
    return diffusers.ZImagePipeline(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=flow_autoencoder(0.3611, 0.1159),
        text_encoder=transformers.Qwen3Model(config).eval(),
        tokenizer=chat_tokenizer(),
        transformer=transformer.eval(),
    )


def qwen_image() -> Any:
    """Qwen-Image: a vision-language model for words, a video's autoencoder."""
    diffusers, transformers = import_module("diffusers"), import_module("transformers")
    rope = {"mrope_section": [1, 1, 2], "rope_type": "default", "type": "default"}
    vision = {
        "depth": 1, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2,
        "out_hidden_size": 16,
    }  # fmt: skip
    config = transformers.Qwen2_5_VLConfig(
        text_config={**LANGUAGE, "rope_scaling": rope}, vision_config=vision
    )
    vae = diffusers.AutoencoderKLQwenImage(base_dim=8, dim_mult=[1, 1, 2, 2], num_res_blocks=1)
    vae.register_to_config(sample_size=SIDE)  # published ones do not say
    vae.decoder.conv_out.weight.data *= 20.0  # or all its pictures would be nearly grey
    return diffusers.QwenImagePipeline(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(
            use_dynamic_shifting=True, max_image_seq_len=8192, max_shift=0.9, shift_terminal=0.02
        ),
        vae=vae.eval(),
        text_encoder=transformers.Qwen2_5_VLForConditionalGeneration(config).eval(),
        tokenizer=chat_tokenizer(),
        transformer=diffusers.QwenImageTransformer2DModel(
            num_layers=2,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=16,
            axes_dims_rope=(4, 6, 6),
        ).eval(),
    )


KINDS: dict[str, Callable[[], Any]] = {
    "sd1": stable_diffusion,
    "sd2-v": lambda: stable_diffusion(
        levels={"prediction_type": "v_prediction"}, use_linear_projection=True
    ),
    "zero-snr": lambda: stable_diffusion(
        levels={"prediction_type": "v_prediction", "rescale_betas_zero_snr": True}
    ),
    "turbo": lambda: stable_diffusion(
        "EulerAncestralDiscreteScheduler", {"timestep_spacing": "trailing"}
    ),
    "inpainting": inpainting,
    "sdxl": sdxl,
    "sdxl-inpainting": sdxl_inpainting,
    "flux-dev": lambda: flux(
        guidance=True, use_dynamic_shifting=True, base_shift=0.5, max_shift=1.15
    ),
    "flux-schnell": lambda: flux(guidance=False, shift=1.0),
    "sd3": sd3,
    "sd3-without-t5": lambda: sd3(with_t5=False, qk_norm="rms_norm"),
    "z-image": z_image,
    "qwen-image": qwen_image,
    "lcm": lambda: stable_diffusion("LCMScheduler", time_cond_proj_dim=16),
}


def build(kind: str, folder: Path) -> Path:
    """Save a checkpoint with the weights of one seed; the folder."""
    torch = import_module("torch")
    with torch.random.fork_rng():
        torch.manual_seed(7)
        pipe = KINDS[kind]()
    pipe.save_pretrained(folder / kind, safe_serialization=True)
    # As published: the scheduler's file names what was set, not the defaults of its class.
    config = pipe.scheduler.config
    left_out = {"_use_default_values", *config.get("_use_default_values", ())}
    named = {name: value for name, value in config.items() if name not in left_out}
    named["_class_name"] = type(pipe.scheduler).__name__
    (folder / kind / "scheduler" / "scheduler_config.json").write_text(json.dumps(named))
    return folder / kind


@cache
def folder_of(kind: str) -> Path:
    """A checkpoint of this process, built once and removed when it ends.

    From then on torch computes on one thread here: several cost more than such networks do.
    """
    import_module("torch").set_num_threads(1)
    folder = Path(mkdtemp(prefix="partway-tiny-"))
    atexit.register(rmtree, folder, ignore_errors=True)
    return build(kind, folder)


def lora(kind: str, file: Path) -> Path:
    """A LoRA for a checkpoint's UNet, as diffusers saves it."""
    diffusers, torch, peft = (import_module(name) for name in ("diffusers", "torch", "peft"))
    with torch.random.fork_rng():
        torch.manual_seed(11)
        network = KINDS[kind]().unet
        targets = ["to_q", "to_k", "to_v"]
        network.add_adapter(peft.LoraConfig(r=2, init_lora_weights=False, target_modules=targets))
    diffusers.StableDiffusionPipeline.save_lora_weights(
        str(file.parent),
        unet_lora_layers=peft.utils.get_peft_model_state_dict(network),
        weight_name=file.name,
    )
    return file
