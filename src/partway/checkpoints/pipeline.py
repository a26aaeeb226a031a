"""A checkpoint's components, loaded by diffusers and put where they run.

A diffusers pipeline is used as a bag of components: tokenizers, text encoders, autoencoder and
denoising network. Its own loop, scheduler and strength are never called.
"""

from __future__ import annotations

from collections.abc import Container, Generator
from contextlib import contextmanager
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

from partway.checkpoints import hub, layout, lora, single_file
from partway.checkpoints.converted import convert
from partway.checkpoints.device import (
    best_device,
    bytes_of,
    dtype_of,
    fits,
    library,
    resolve_precision,
)
from partway.checkpoints.loaded import networks_of
from partway.errors import ModelError, PartwayError

if TYPE_CHECKING:
    from partway.checkpoints import Checkpoint

DENOISERS = ("unet", "transformer")
# Text encoders of billions of weights run in the denoiser's precision, small ones in fp32.
LARGE_ENCODERS = (
    "T5EncoderModel", "Qwen2_5_VLForConditionalGeneration", "Qwen3ForCausalLM", "Qwen3Model",
)  # fmt: skip


def load_pipeline(checkpoint: Checkpoint, precision: str) -> tuple[Any, str]:
    """The components of a checkpoint, and the precision of its denoising network.

    ModelError where it cannot be loaded.
    """
    if checkpoint.loaded is not None:
        return networks_of(checkpoint, precision)
    on_openvino = checkpoint.runtime == "openvino"
    device = "cpu" if on_openvino else best_device()
    resolved = resolve_precision(precision, device)
    read = _from_file if checkpoint.place.is_file() else _from_folder
    with quiet():
        diffusers = library("diffusers")
        try:
            pipe = read(diffusers, checkpoint, "fp32" if on_openvino else resolved)
        except PartwayError:
            raise
        except Exception as error:
            raise ModelError(f"{checkpoint.name} cannot be loaded: {error}") from error
        lora.apply(pipe, checkpoint.loras)
        settle(pipe, device)
        if on_openvino:
            convert(pipe, resolved)
    return pipe, resolved


def fetch(checkpoint: Checkpoint) -> Path:
    """The folder that components, configs and tokenizers are read from.

    What of it is on the hub and not here is fetched, with the hub's own bars on stderr.
    """
    place, facts = checkpoint.place, checkpoint.facts
    if "repository" in facts:
        library("diffusers")  # gigabytes are of no use without it
        return hub.weights(facts["repository"], facts["revision"], tuple(layout.networks(place)))
    if not place.is_file():
        return place
    beside = single_file.configs_beside(place)
    if beside is not None:
        return beside
    library("diffusers")
    kind = single_file.recognise(place)[0]
    folder, revision = _configs_of(kind, place)
    if not kind.transformer:
        return folder
    others = tuple(name for name in layout.networks(folder) if name != "transformer")
    return hub.weights(kind.repository, revision, others)


def _from_folder(diffusers: Any, checkpoint: Checkpoint, precision: str) -> Any:
    """A folder in diffusers' layout."""
    return _assembled(diffusers, checkpoint.pipeline, fetch(checkpoint), precision)


def _assembled(diffusers: Any, pipeline: str, folder: Path, precision: str, **loaded: Any) -> Any:
    """The components of a folder in diffusers' layout, but for those loaded already."""
    networks = layout.networks(folder)
    precisions = {name: _precision(name, kind, precision) for name, kind in networks.items()}
    return _class(diffusers, pipeline).from_pretrained(
        str(folder),
        variant=layout.variant_of(folder, loaded),
        use_safetensors=True,
        local_files_only=True,
        trust_remote_code=False,
        dtype={name: dtype_of(each) for name, each in precisions.items()},
        **_unused(diffusers, pipeline, layout.components(folder)),
        **loaded,
    )


def _from_file(diffusers: Any, checkpoint: Checkpoint, precision: str) -> Any:
    """A single .safetensors, with configs and tokenizers from beside it or from the hub."""
    file, folder = checkpoint.place, fetch(checkpoint)
    kind = single_file.recognise(file)[0]
    if kind.transformer:
        return _around(diffusers, kind, file, folder, precision)
    pipe = _class(diffusers, checkpoint.pipeline).from_single_file(
        str(file),
        config=str(folder),
        local_files_only=True,
        dtype=dtype_of(checkpoint.facts["stored"]),
        **_unused(diffusers, checkpoint.pipeline, layout.components(folder)),
    )
    for name, network in _networks(pipe).items():
        network.to(dtype=dtype_of(_precision(name, type(network).__name__, precision)))
    return pipe


def _around(
    diffusers: Any, kind: single_file.Kind, file: Path, folder: Path, precision: str
) -> Any:
    """A file's transformer, and from a folder what it needs around it."""
    transformer = _class(diffusers, kind.transformer).from_single_file(
        str(file),
        config=str(folder),
        subfolder="transformer",
        local_files_only=True,
        dtype=dtype_of(precision),
    )
    return _assembled(diffusers, kind.pipeline, folder, precision, transformer=transformer)


def _configs_of(kind: single_file.Kind, file: Path) -> tuple[Path, str]:
    """Configs and tokenizers of a kind of single file, from the hub, and their commit."""
    try:
        return hub.configs(kind.repository, None)
    except ModelError as error:
        raise ModelError(
            f"{file.name} holds no tokenizers, and {error}. Or lay those of {kind.repository} "
            f"beside it, as a folder {file.stem}/ in diffusers' layout"
        ) from error


def _class(diffusers: Any, name: str) -> Any:
    """A pipeline class; ModelError where this diffusers has none of that name."""
    try:
        return getattr(diffusers, name)
    except AttributeError as error:
        version = diffusers.__version__
        raise ModelError(f"diffusers {version} has no {name}: pip install -U diffusers") from error


def _precision(component: str, kind: str, precision: str) -> str:
    """Of a component: the denoiser's as asked, the small networks around it in fp32."""
    return precision if component in DENOISERS or kind in LARGE_ENCODERS else "fp32"


def settle(pipe: Any, device: str) -> None:
    """Put components on their device; where they do not fit together, one at a time."""
    for name in DENOISERS:
        network = getattr(pipe, name, None)
        if network is not None:
            network.to(memory_format=library("torch").channels_last)
    pipe.set_progress_bar_config(disable=True)
    if fits(device, size_of(pipe)):
        pipe.to(device)
    else:
        pipe.enable_model_cpu_offload(device=device)


def size_of(pipe: Any) -> int:
    """Bytes of all weights, those of converted networks included."""
    converted = sum(getattr(part, "nbytes", 0) for part in pipe.components.values())
    return converted + sum(map(bytes_of, _networks(pipe).values()))


def _networks(pipe: Any) -> dict[str, Any]:
    """Components that have weights."""
    return {name: part for name, part in pipe.components.items() if hasattr(part, "parameters")}


def _unused(diffusers: Any, pipeline: str, there: Container[str]) -> dict[str, Any]:
    """Arguments that leave out what no edit needs or a folder lacks, of those a pipeline has."""
    accepted = signature(_class(diffusers, pipeline).__init__).parameters
    absent = [name for name in layout.OPTIONAL if name not in there]
    left_out: dict[str, Any] = {
        name: None for name in (*layout.UNUSED, *absent) if name in accepted
    }
    if "requires_safety_checker" in accepted:
        left_out["requires_safety_checker"] = False
    return left_out


@contextmanager
def encoding(pipe: Any) -> Generator[None]:
    """While a prompt is encoded: no gradients, no advice, and room for the text encoders.

    Networks that take turns on a device make room for the next in the order of diffusers' own loop,
    where prompts come first. Here other requests may be under way when one comes.
    """
    for hook in getattr(pipe, "_all_hooks", ()):
        if any(hook.model is getattr(pipe, name, None) for name in DENOISERS):
            hook.offload()
    with library("torch").inference_mode(), quiet():
        yield


@contextmanager
def quiet() -> Generator[None]:
    """Libraries keep their advice and bars to themselves while they load; errors are ours.

    Not so the hub, which may be fetching gigabytes: transformers hides its bars with its own, and
    shows them with its own.
    """
    transformers, diffusers = kept = [
        library(name).utils.logging for name in ("transformers", "diffusers")
    ]
    levels = [logging.get_verbosity() for logging in kept]
    bars = library("huggingface_hub").utils
    hidden = bars.are_progress_bars_disabled()
    for logging in kept:
        logging.set_verbosity_error()
        logging.disable_progress_bar()
    if not hidden:
        bars.enable_progress_bars()
    try:
        yield
    finally:
        for logging, level in zip(kept, levels, strict=True):
            logging.set_verbosity(level)
        diffusers.enable_progress_bar()
        if not hidden:
            transformers.enable_progress_bar()
