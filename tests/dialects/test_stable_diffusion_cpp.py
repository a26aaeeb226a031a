"""The evaluations of our "sdcpp" rule against stable-diffusion.cpp itself, through cyllama.

It runs on its own sizes of network only, so this takes a checkpoint of the shape of Stable
Diffusion 1.5: zeros, a file with a hole of 2 GB. What it computes does not matter: it is counted.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.families import single

from partway.dialects import KINDS, Setting, start_of

if "PARTWAY_FULL" not in os.environ:
    pytest.skip("takes minutes and 3 GB of memory: make test-full", allow_module_level=True)
if find_spec("cyllama") is None:
    pytest.skip("cyllama is not installed; `make test-full` does it", allow_module_level=True)

# In a process of its own: what fails there must not take the others along.
COUNTING = """
import json, sys
import numpy as np
from cyllama import sd

parameters = sd.SDContextParams(model_path=sys.argv[1], vae_decode_only=False)
parameters.free_params_immediately = False  # else a second edit ends with a segmentation fault
context = sd.SDContext(parameters)
source = sd.SDImage.from_numpy(np.full((64, 64, 3), 120, np.uint8))
made, counted = [], []
sd.set_progress_callback(lambda step, steps, seconds: made.append(step))
for steps, value in json.loads(sys.argv[2]):
    made.clear()
    context.generate(
        "red", width=64, height=64, seed=1, sample_steps=steps, cfg_scale=1.0, strength=value,
        sample_method=sd.SampleMethod.EULER, init_image=source,
    )
    counted.append(max(made))
print()
print(json.dumps(counted), flush=True)
"""
RUNS = {1: (0.01, 1.0), 4: (0.24, 0.26, 0.74, 0.99), 8: (0.1, 0.3, 0.7, 1.0)}


def shapes() -> Iterator[tuple[str, list[int]]]:
    """Original names of the tensors of Stable Diffusion 1.5, and their shapes."""
    torch, diffusers, transformers = (
        import_module(name) for name in ("torch", "diffusers", "transformers")
    )
    with torch.device("meta"):
        unet = diffusers.UNet2DConditionModel(cross_attention_dim=768, attention_head_dim=8)
        vae = diffusers.AutoencoderKL(
            block_out_channels=(128, 256, 512, 512),
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            layers_per_block=2,
        )
        words = transformers.CLIPTextModel(
            transformers.CLIPTextConfig(
                vocab_size=49408, hidden_size=768, intermediate_size=3072,
                num_attention_heads=12, num_hidden_layers=12,
            )
        )  # fmt: skip
    for name, tensor in unet.state_dict().items():
        yield "model.diffusion_model." + single.unet_name(name, 2), list(tensor.shape)
    for name, tensor in vae.state_dict().items():
        original = single.vae_name(name, 4)
        turned = [1, 1] if "attn_1" in original and tensor.ndim == 2 else []
        yield "first_stage_model." + original, [*tensor.shape, *turned]
    for name, tensor in words.state_dict().items():
        known = name.removeprefix("text_model.")
        yield f"cond_stage_model.transformer.text_model.{known}", list(tensor.shape)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Zeros in fp16: the header of a .safetensors, and a hole."""
    header: dict[str, Any] = {}
    place = 0
    for name, shape in shapes():
        size = 2 * int(np.prod(shape))
        header[name] = {"dtype": "F16", "shape": shape, "data_offsets": [place, place + size]}
        place += size
    text = json.dumps(header).encode()
    file = tmp_path_factory.mktemp("sdcpp") / "zeros.safetensors"
    file.write_bytes(len(text).to_bytes(8, "little") + text)
    os.truncate(file, 8 + len(text) + place)
    return file


def test_it_makes_the_evaluations_that_we_say(checkpoint: Path) -> None:
    asked = json.dumps([[steps, value] for steps, values in RUNS.items() for value in values])
    done = subprocess.run(
        [sys.executable, "-c", COUNTING, str(checkpoint), asked],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    counted = json.loads(done.stdout.splitlines()[-1])
    for (steps, value), evaluations in zip(json.loads(asked), counted, strict=True):
        start = start_of("sdcpp", value, Setting(steps, KINDS["sd1"], "euler"))
        assert evaluations == start.evaluations, (steps, value)
