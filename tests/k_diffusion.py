"""Modules of the installed k-diffusion, to compare with.

    sampling, external = part("sampling"), part("external")

The package imports all it was trained with (wandb, kornia, torchvision …) wherever one of its
modules is wanted. Here it is installed without those (Makefile), and only the module is loaded.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.metadata import PackageNotFoundError, distribution
from types import ModuleType
from typing import Any

import pytest

PACKAGE = "k_diffusion"
UNUSED = ("torchvision", "torchvision.transforms")  # imported by what is wanted, not called


def part(name: str) -> Any:
    """The module; skips the test file where k-diffusion is not installed."""
    for needed in ("torch", "torchdiffeq", "torchsde"):
        pytest.importorskip(needed)
    try:
        place = distribution("k-diffusion").locate_file(PACKAGE)
    except PackageNotFoundError:
        pytest.skip("k-diffusion is not installed; `make test` does it", allow_module_level=True)
    if PACKAGE not in sys.modules:
        package = ModuleType(PACKAGE)
        package.__path__ = [str(place)]
        sys.modules[PACKAGE] = package
    absent = [each for each in UNUSED if each not in sys.modules]
    for each in absent:
        stand_in: Any = ModuleType(each)
        stand_in.functional = None
        sys.modules[each] = stand_in
    try:
        return import_module(f"{PACKAGE}.{name}")
    finally:
        for each in absent:
            del sys.modules[each]
