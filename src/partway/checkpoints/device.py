"""Where networks run and in which precision; chosen by the machine unless a request says."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from partway.errors import InvalidRequest, ModelError

NEEDED = "this checkpoint runs on torch and diffusers: pip install 'partway[torch]'"
BF16_UNITS = ("avx512_bf16", "amx_bf16", "avx10_2")  # of processors that compute in bf16


def library(name: str) -> Any:
    """A module of the extra `torch`, or a ModelError that says what to install."""
    try:
        return import_module(name)
    except ImportError as error:
        raise ModelError(f"{NEEDED} ({error})") from error


def best_device() -> str:
    """The first there is of "cuda", "xpu", "mps" and "cpu"."""
    torch = library("torch")
    for name in ("cuda", "xpu", "mps"):
        backend = getattr(torch.backends if name == "mps" else torch, name, None)
        if backend is not None and backend.is_available():
            return name
    return "cpu"


def resolve_precision(asked: str, device: str) -> str:
    """Of the denoising network: "bf16", "fp16" or "fp32".

    "auto" is bf16 where the device computes in it, else fp16 on accelerators and fp32 on a CPU.
    """
    if asked not in {"auto", "bf16", "fp32"}:
        raise InvalidRequest(f"precision is {asked!r}, choose from auto, bf16, fp32")
    if asked != "auto":
        return asked
    torch = library("torch")
    if device == "cpu":
        asked_of = getattr(torch.cpu, "get_capabilities", dict[str, Any])
        units: dict[str, Any] = asked_of()
        return "bf16" if any(units.get(unit) for unit in BF16_UNITS) else "fp32"
    if device == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        return "fp16"
    return "fp16" if device == "mps" else "bf16"


def dtype_of(precision: str) -> Any:
    """Torch's dtype of a precision."""
    torch = library("torch")
    return {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}[precision]


def fits(device: str, size: int) -> bool:
    """Whether `size` bytes of weights find room on a device, a quarter of it left for the rest."""
    torch = library("torch")
    if device not in {"cuda", "xpu"}:
        return True  # a CPU's and a Mac's memory is all there is: nothing to move weights to
    free, _ = getattr(torch, device).mem_get_info()
    return size < 0.75 * free
