"""Where networks run and in which precision; chosen by the machine unless a request says."""

from __future__ import annotations

import gc
import os
import re
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from partway.errors import InvalidRequest, ModelError

NEEDED = "this checkpoint runs on torch and diffusers: pip install 'partway[torch]'"
VARIABLE = "PARTWAY_DEVICE"  # what a process runs on: each worker of several has its own
LIMIT = Path("/sys/fs/cgroup/memory.max")  # of a container
UNKNOWN_MEMORY = 16 * 2**30  # where the system does not say
BF16_UNITS = ("avx512_bf16", "amx_bf16", "avx10_2")  # of processors that compute in bf16


def library(name: str) -> Any:
    """A module of the extra `torch`, or a ModelError that says what to install."""
    try:
        return import_module(name)
    except ImportError as error:
        raise ModelError(f"{NEEDED} ({error})") from error


def best_device() -> str:
    """What PARTWAY_DEVICE says, else the first there is of "cuda", "xpu", "mps" and "cpu"."""
    chosen = os.environ.get(VARIABLE)
    if chosen:
        return check_device(chosen)
    return next((name for name in ("cuda", "xpu", "mps") if _count(name)), "cpu")


def check_device(name: str) -> str:
    """The device itself, as "cpu" or "cuda:1"; InvalidRequest where this machine has none such."""
    found = re.fullmatch(r"(cpu|cuda|xpu|mps)(?::(\d+))?", name)
    if found is None:
        raise InvalidRequest(f"device is {name!r}, want cpu, cuda, cuda:1, xpu or mps")
    kind, number = found[1], int(found[2] or 0)
    there = 1 if kind == "cpu" else _count(kind)
    if number >= there:
        has = f"{there} of {kind}" if there else f"no {kind}"
        raise InvalidRequest(f"there is no device {name!r}: torch finds {has} here; try cpu")
    return kind if kind == "cpu" else name


def _count(kind: str) -> int:
    """How many devices of a kind there are."""
    torch = library("torch")
    backend = getattr(torch.backends if kind == "mps" else torch, kind, None)
    if backend is None or not backend.is_available():
        return 0
    return 1 if kind == "mps" else int(backend.device_count())


def resolve_precision(asked: str, device: str) -> str:
    """Of the denoising network: "bf16", "fp16" or "fp32".

    "auto" is bf16 where the device computes in it, else fp16 on accelerators and fp32 on a CPU.
    """
    if asked not in {"auto", "bf16", "fp32"}:
        raise InvalidRequest(f"precision is {asked!r}, choose from auto, bf16, fp32")
    if asked != "auto":
        return asked
    torch, device = library("torch"), device.partition(":")[0]
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
    kind = device.partition(":")[0]
    if kind not in {"cuda", "xpu"}:
        return True  # a CPU's and a Mac's memory is all there is: nothing to move weights to
    free, _ = getattr(library("torch"), kind).mem_get_info(device)
    return size < 0.75 * free


def bytes_of(network: Any) -> int:
    """Of a network's weights."""
    return sum(weight.numel() * weight.element_size() for weight in network.parameters())


def capacity() -> int:
    """Bytes of weights there is room for beside what runs on them.

    Three quarters of an accelerator's memory where networks run on one, else half of the machine's.
    """
    device = best_device() if "torch" in sys.modules else "cpu"
    kind = device.partition(":")[0]
    if kind in {"cuda", "xpu"}:
        _, whole = getattr(library("torch"), kind).mem_get_info(device)
        return int(0.75 * whole)
    return _memory() // 2


def _memory() -> int:
    """Bytes of the machine's memory, or of what its container may take."""
    try:
        whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # not a POSIX system
        return UNKNOWN_MEMORY
    with suppress(OSError, ValueError):  # "max" where there is no limit
        whole = min(whole, int(LIMIT.read_text()))
    return whole


def release() -> None:
    """Give memory that nothing holds any more back to the devices."""
    gc.collect()
    for kind in ("cuda", "xpu", "mps") if "torch" in sys.modules else ():
        if _count(kind):
            getattr(library("torch"), kind).empty_cache()
