"""Networks that do not fit a device together take turns on it; here the device is the CPU."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.families import tiny

from partway.checkpoints import pipeline
from partway.engine import Engine
from partway.images import read_bytes
from partway.request import EditRequest

UNET = "UNet2DConditionModel"


def test_text_encoders_never_lie_beside_the_denoiser(
    icon: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = EditRequest(
        source=read_bytes(icon), prompt="red", strength=0.6, steps=2, precision="fp32",
        model=str(tiny.folder_of("sdxl")),
    )  # fmt: skip
    plain = np.asarray(Engine().run(request).image)

    there: set[str] = set()
    seen: list[frozenset[str]] = []
    hook = import_module("accelerate.hooks").CpuOffload
    forward, offload = hook.pre_forward, hook.init_hook

    def arrive(self: Any, module: Any, *args: Any, **kwargs: Any) -> Any:
        if self.prev_module_hook is not None:
            there.discard(type(self.prev_module_hook.model).__name__)
        there.add(type(module).__name__)
        seen.append(frozenset(there))
        return forward(self, module, *args, **kwargs)

    def leave(self: Any, module: Any) -> Any:
        there.discard(type(module).__name__)
        return offload(self, module)

    def nothing_fits(device: str, size: int) -> bool:
        return device == "no such device" and size == 0

    monkeypatch.setattr(hook, "pre_forward", arrive)
    monkeypatch.setattr(hook, "init_hook", leave)
    monkeypatch.setattr(pipeline, "fits", nothing_fits)
    engine = Engine()
    run = engine.live()
    list(run.add(0, request, "exact"))
    list(run.step())
    list(run.add(1, request.with_(prompt="a blue door"), "exact"))  # while the first is under way
    while len(run):
        list(run.step())
    assert any(UNET in each for each in seen)
    assert sum("CLIPTextModel" in each for each in seen) > 2
    assert [each for each in seen if UNET in each and any("CLIPText" in n for n in each)] == []
    assert np.array_equal(np.asarray(engine.run(request).image), plain)
