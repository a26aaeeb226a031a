"""Families: kinds of checkpoint, behind one contract.

A family module has two functions, and imports its runtime only in the second:

    profile(name, folder) -> Profile           what can be known without loading a network
    load(profile, precision) -> Family         networks, ready to run

A family whose checkpoints come from elsewhere, in PIPELINES, has `profile(checkpoint)` instead: see
partway.checkpoints, which finds and recognises them.

All families pass the same contract tests (tests/families/test_contract.py). Third parties add
theirs through the entry-point group "partway.families".
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from partway.calibration import Curve
from partway.checkpoints import Checkpoint, from_folder, hub, locate, lora
from partway.checkpoints.loaded import checkpoint_of
from partway.denoiser import Array, Condition
from partway.dialects import flow_walks, walks
from partway.errors import InvalidRequest, ModelError, PartwayError, UnknownName
from partway.guidance import Guidance
from partway.request import DEFAULT_SAMPLER, EditRequest
from partway.schedule import Level, Schedule

FAMILIES = {
    "analytic": "partway.families.analytic",
    "exemplar": "partway.families.exemplar",
    "flux": "partway.families.flux",
    "onnx": "partway.families.onnx",
    "qwen_image": "partway.families.qwen_image",
    "sd3": "partway.families.sd3",
    "sdxl": "partway.families.sdxl",
    "stable_diffusion": "partway.families.stable_diffusion",
    "z_image": "partway.families.z_image",
}
# Class of a diffusers pipeline → the family that runs its components.
PIPELINES = {
    "StableDiffusionPipeline": "stable_diffusion",
    "StableDiffusionImg2ImgPipeline": "stable_diffusion",
    "StableDiffusionInpaintPipeline": "stable_diffusion",
    "StableDiffusionXLPipeline": "sdxl",
    "StableDiffusionXLImg2ImgPipeline": "sdxl",
    "StableDiffusionXLInpaintPipeline": "sdxl",
    "LatentConsistencyModelPipeline": "stable_diffusion",
    "LatentConsistencyModelImg2ImgPipeline": "stable_diffusion",
    "FluxPipeline": "flux",
    "FluxImg2ImgPipeline": "flux",
    "FluxInpaintPipeline": "flux",
    "StableDiffusion3Pipeline": "sd3",
    "StableDiffusion3Img2ImgPipeline": "sd3",
    "StableDiffusion3InpaintPipeline": "sd3",
    "ZImagePipeline": "z_image",
    "ZImageImg2ImgPipeline": "z_image",
    "ZImageInpaintPipeline": "z_image",
    "QwenImagePipeline": "qwen_image",
    "QwenImageImg2ImgPipeline": "qwen_image",
    "QwenImageInpaintPipeline": "qwen_image",
}
# Pipelines that read the picture as they read the prompt: they start from pure noise, always.
WITHOUT_START = (
    "Flux2KleinPipeline",
    "Flux2Pipeline",
    "FluxKontextPipeline",
    "OmniGenPipeline",
    "QwenImageEditPipeline",
    "QwenImageEditPlusPipeline",
    "QwenImageLayeredPipeline",
    "StableDiffusionInstructPix2PixPipeline",
    "StableDiffusionXLInstructPix2PixPipeline",
)

CHECKPOINTS = Path(__file__).parent.parent / "models"
EMBEDDED = {"pocket": CHECKPOINTS / "pocket"}
DEFAULT_MODEL = "pocket"
WITHOUT_WEIGHTS = ("analytic", "exemplar")  # models that are a family and nothing else


@dataclass(frozen=True, kw_only=True)
class Profile:
    """What is known of a checkpoint without loading it.

    native_size   side of the square it was trained on, pixels
    stride        sides of a canvas are multiples of this, pixels
    gain          factor on the noise-to-signal ratio for dial `standard`
    curve         measured change for dial `perceptual`; None where nobody measured
    plain_ground  how faint paint on a source's plain ground is taken back; see partway.ground
    even_surfaces  how faint mottling of a source's even surfaces goes; see partway.surfaces
    own_grain     up to which size a change is its own grain, no edit; see partway.residual
    artwork_only  whether it draws artwork and photographs are outside its domain
    styles        style words it knows; empty where prompts are open
    built_in_guidance  the network is told its guidance_scale, at one evaluation a step; without
                  it guidance takes two
    norm_patch    guidance keeps norms in patches of so many latent positions, see Guidance
    conditioning  what it follows: "prompt", or "references", pictures instead of words
    inpaints      its network is shown a mask and what surrounds it (partway.checkpoints.inpainting)
    folder        where its files are, or the one file; None without weights
    checkpoint    of somebody else's, where it was found
    """

    name: str
    family: str
    folder: Path | None
    schedule: Schedule
    prediction: str
    native_size: int
    stride: int
    default_steps: int = 20
    default_guidance: float = 1.0
    default_sampler: str = DEFAULT_SAMPLER
    built_in_guidance: bool = False
    norm_patch: int = 0
    gain: float = 1.0
    curve: Curve | None = None
    plain_ground: float = 0.0
    even_surfaces: float = 0.0
    own_grain: float = 0.0
    artwork_only: bool = False
    styles: tuple[str, ...] = ()
    conditioning: str = "prompt"
    inpaints: bool = False
    config: dict[str, Any] = field(default_factory=dict[str, Any], repr=False)
    checkpoint: Checkpoint | None = field(default=None, repr=False)


class Family(Protocol):
    """A loaded checkpoint.

    One that takes memory also has `nbytes`, that of its weights: it is let go when others need the
    room (partway.model_cache).
    """

    profile: Profile
    precision: str

    @property
    def schedule(self) -> Schedule:
        """Trained range of levels."""
        ...

    @property
    def prediction(self) -> str:
        """A name in partway.denoiser.PREDICTIONS."""
        ...

    def encode_prompt(self, prompt: str) -> Condition:
        """The condition of a prompt; "" gives the unconditional one."""
        ...

    def encode(self, image: Array) -> Array:
        """(3, H, W) in [-1, 1], sides multiples of the stride → latents (C, h, w)."""
        ...

    def decode(self, latents: Array) -> Array:
        """Latents (C, h, w) → (3, H, W), about [-1, 1]."""
        ...

    def predict(self, x: Array, levels: Sequence[Level], conditions: Sequence[Condition]) -> Array:
        """Raw network output for x (B, C, h, w), one level and condition per row."""
        ...

    def latent_shape(self, width: int, height: int) -> tuple[int, int, int]:
        """(C, h, w) of the latents of a canvas of this size in pixels."""
        ...


def _module(family: str) -> ModuleType:
    """Import a family's module by its registered name."""
    if family in FAMILIES:
        return import_module(FAMILIES[family])
    plugins = {point.name: point.value for point in entry_points(group="partway.families")}
    if family not in plugins:
        raise UnknownName("family", family, plugins | FAMILIES)
    return import_module(plugins[family])


def profile_of(model: str) -> Profile:
    """The profile of a model: a family without weights, an embedded one, a folder, file or hub id.

    Of a hub id the configs are fetched, a few hundred kilobytes. Raises UnknownName for what names
    nothing, ModelError for what is there and cannot be run.
    """
    if model in WITHOUT_WEIGHTS:
        return _module(model).profile(model, None)
    folder = EMBEDDED.get(model, Path(model))
    if (folder / "config.json").is_file():
        return _of_config(model if model in EMBEDDED else folder.name, folder)
    checkpoint = locate(model)
    if checkpoint is not None:
        return _of_checkpoint(checkpoint)
    if folder.is_dir():
        raise ModelError(
            f"{folder} has neither config.json nor model_index.json: not a checkpoint that can be "
            "run"
        )
    names = (*WITHOUT_WEIGHTS, *EMBEDDED, "FOLDER", "FILE.safetensors", "OWNER/NAME")
    raise UnknownName("model", model, names)


def _of_config(name: str, folder: Path) -> Profile:
    """Of a folder whose config.json names its family."""
    file = folder / "config.json"
    try:
        family = json.loads(file.read_text("utf-8")).get("family", "onnx")
        return _module(family).profile(name, folder)
    except (ValueError, KeyError, TypeError, AttributeError, InvalidRequest) as error:
        raise ModelError(f"{file} cannot be understood: {error!r}") from error


def _of_checkpoint(checkpoint: Checkpoint) -> Profile:
    """Of a checkpoint in diffusers' layout or in one file."""
    if checkpoint.pipeline in WITHOUT_START or _reads_picture(checkpoint):
        raise ModelError(
            f"{checkpoint.name} ({checkpoint.pipeline}) reads the picture as it reads the prompt "
            "and starts from pure noise: there is no noise level to start an edit at, so strength "
            "would mean nothing. Partway runs models that start from the picture"
        )
    if checkpoint.pipeline not in PIPELINES:
        known = ", ".join(sorted(PIPELINES))
        raise ModelError(f"{checkpoint.name} is a {checkpoint.pipeline}; Partway runs {known}")
    family = PIPELINES[checkpoint.pipeline]
    try:
        return _module(family).profile(checkpoint)
    except PartwayError:
        raise
    except KeyError as error:
        raise ModelError(
            f"{checkpoint.place} is not complete: it says nothing of {error}"
        ) from error
    except (ArithmeticError, ValueError, TypeError, AttributeError) as error:
        raise ModelError(f"{checkpoint.place} cannot be understood: {error!r}") from error


def profile_of_pipeline(pipe: Any) -> Profile:
    """The profile of a pipeline that a script has loaded; ModelError where it cannot be run."""
    return _of_checkpoint(checkpoint_of(pipe))


def _reads_picture(checkpoint: Checkpoint) -> bool:
    """Whether a UNet takes a second picture beside the noisy one (InstructPix2Pix)."""
    channels = checkpoint.configs.get("unet", {}).get("in_channels")
    latent: int | None = checkpoint.configs.get("vae", {}).get("latent_channels")
    return latent is not None and channels == 2 * latent


def with_loras(profile: Profile, loras: Sequence[str]) -> Profile:
    """The profile of a checkpoint with adapters; InvalidRequest where it can have none."""
    if not loras:
        return profile
    if profile.checkpoint is None:
        raise InvalidRequest(
            f"{profile.name} takes no LoRA: leave --lora out, or name a checkpoint"
        )
    found = tuple(lora.parse(each) for each in loras)
    return replace(profile, checkpoint=replace(profile.checkpoint, loras=found))


def with_runtime(profile: Profile, runtime: str) -> Profile:
    """The profile of a checkpoint on a runtime; InvalidRequest where it does not run on it."""
    if runtime == "auto" or profile.family == "onnx":  # that one runs on OpenVINO always
        return profile
    checkpoint = profile.checkpoint
    if checkpoint is None or checkpoint.loaded is not None or "unet" not in checkpoint.configs:
        raise InvalidRequest(
            f"{profile.name} does not run on {runtime}: leave --runtime out. Checkpoints of Stable "
            "Diffusion and SDXL do, where Partway loads them"
        )
    return replace(profile, checkpoint=replace(checkpoint, runtime=runtime))


def fetched() -> list[Profile]:
    """Checkpoints of the hub that were fetched before and can be run."""
    found: list[Profile] = []
    for name, folder in hub.cached().items():
        with suppress(PartwayError):
            found.append(_of_checkpoint(from_folder(name, folder)))
    return found


# The default where much is new beside what stays: its noise mends what does not fit together.
MENDING = "dpmpp_2m_sde"


def settled(request: EditRequest, profile: Profile) -> EditRequest:
    """The request with the model's own sampler where it names none.

    Followed exactly, diffusers takes that of the checkpoint's scheduler. Where a source is extended
    the default is one that draws noise on the way.
    """
    if request.sampler is not None:
        return request
    worded = profile.conditioning != "references"
    if request.extend is not None and worded and profile.default_sampler == DEFAULT_SAMPLER:
        return request.with_(sampler=MENDING)
    if request.dialect is None or profile.checkpoint is None:
        return request.with_(sampler=profile.default_sampler)
    config = profile.checkpoint.configs["scheduler"]
    if profile.schedule.path == "flow":
        return request.with_(sampler=flow_walks.own_sampler(config))
    return request.with_(sampler=walks.own_sampler(config))


def scale_of(request: EditRequest, profile: Profile) -> float:
    """The guidance scale asked for, or the model's own."""
    asked = request.guidance_scale
    return profile.default_guidance if asked is None else asked


def guidance_of(request: EditRequest, profile: Profile) -> tuple[float | None, Guidance]:
    """What the network is told, None where it has no guidance built in, and what acts outside it.

    Followed exactly, the number is diffusers' own, which there is off at and below 1.
    InvalidRequest for a true CFG scale where no other guidance is.
    """
    asked, scale = request.guidance_scale, scale_of(request, profile)
    flow = flow_walks.FLOWS.get(profile.family, flow_walks.Flow())
    if profile.built_in_guidance:
        beside = request.true_cfg_scale
        if request.dialect is not None:
            beside = flow.scale(beside, request.negative_prompt)
        return scale, Guidance(beside, request.guidance_interval, profile.norm_patch)
    if request.true_cfg_scale != 1.0:
        raise InvalidRequest(
            f"{profile.name} has no guidance built in that a true CFG scale could act beside: its "
            f"weight of the prompt is --cfg-scale {request.true_cfg_scale:g}"
        )
    if request.dialect is not None:
        theirs = flow.theirs(scale) if asked is None else asked
        scale = flow.scale(theirs, request.negative_prompt)
    return None, Guidance(scale, request.guidance_interval, profile.norm_patch)


def load_family(profile: Profile, precision: str = "auto") -> Family:
    """Load the networks of a checkpoint. ModelError where that fails."""
    return _module(profile.family).load(profile, precision)
