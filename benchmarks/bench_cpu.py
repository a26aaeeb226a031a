"""A checkpoint on a CPU: torch, torch in bf16, OpenVINO, against diffusers' own pipeline.

A checkpoint in the shape of Stable Diffusion 1.x, narrower, with random weights, is built here and
thrown away. All variants make the same edit with the same network calls, one after the other in
every round, so that each ratio is of one run; seconds belong to the machine that is named.

Writes docs/results/cpu.json. `make bench-cpu`.
"""

from __future__ import annotations

import gc
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from partway.edits.sweep import sweep_requests
from partway.engine import Engine
from partway.families import load_family, profile_of, with_runtime
from partway.images import read_bytes
from partway.request import EditRequest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
RESULT = ROOT / "docs" / "results" / "cpu.json"
SIDE = 128  # pixels
STEPS, STRENGTH, GUIDANCE = 8, 0.5, 5.0  # 4 evaluations of two rows
SWEEP = (0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0)
ROUNDS = 3


def checkpoint(folder: Path) -> Path:
    """Stable Diffusion 1.x, a third as wide: 4 scales, 8 heads."""
    torch, diffusers, tiny = (
        import_module(name) for name in ("torch", "diffusers", "tests.families.tiny")
    )
    torch.manual_seed(5)
    vae = diffusers.AutoencoderKL(
        block_out_channels=(32, 64, 128, 128),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=4,
        layers_per_block=2,
        scaling_factor=0.18215,
    )
    unet = diffusers.UNet2DConditionModel(
        sample_size=SIDE // 8,
        block_out_channels=(96, 192, 384, 384),
        layers_per_block=2,
        cross_attention_dim=768,
        attention_head_dim=8,
    )
    pipe = diffusers.StableDiffusionPipeline(
        vae=vae,
        text_encoder=tiny.text_encoder(768),
        tokenizer=tiny.tokenizer(),
        unet=unet,
        scheduler=diffusers.EulerDiscreteScheduler.from_config(
            {**tiny.VP, "timestep_spacing": "leading"}
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipe.save_pretrained(folder, safe_serialization=True)
    return folder


def picture() -> Image.Image:
    """A drawing of gradients and a disc."""
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    rgb = np.stack([128 + 100 * np.sin(x / 19), 255 * x / SIDE, 255 * y / SIDE], axis=-1)
    rgb[np.hypot(x - 120, y - 128) < 60] = (230, 60, 40)
    return Image.fromarray(np.clip(rgb, 0, 255).astype(np.uint8))


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds that passed, and of processor time over all threads."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def main() -> None:
    """Measure and write."""
    torch, diffusers = import_module("torch"), import_module("diffusers")
    threads = len(os.sched_getaffinity(0))
    torch.set_num_threads(threads)
    with tempfile.TemporaryDirectory() as name:
        os.environ["XDG_CACHE_HOME"] = name
        model = str(checkpoint(Path(name) / "narrow-sd1"))
        source = picture()
        asked = EditRequest(
            source=read_bytes(source), prompt="a red house", model=model, precision="fp32",
            dialect="diffusers", sampler="euler", strength=STRENGTH, steps=STEPS,
            guidance_scale=GUIDANCE,
        )  # fmt: skip
        requests = {
            "partway torch fp32": asked,
            "partway torch bf16": asked.with_(precision="bf16"),
            "partway openvino fp32": asked.with_(runtime="openvino"),
            "partway openvino bf16": asked.with_(runtime="openvino", precision="bf16"),
        }
        pipe = diffusers.StableDiffusionImg2ImgPipeline.from_pretrained(model)
        pipe.set_progress_bar_config(disable=True)

        def theirs(strength: float = STRENGTH) -> Any:
            generator = torch.Generator("cpu").manual_seed(1)
            return pipe(
                "a red house", image=source, strength=strength, num_inference_steps=STEPS,
                guidance_scale=GUIDANCE, generator=generator, output_type="np",
            ).images[0]  # fmt: skip

        engine = Engine(cache_bytes=0)
        loading: dict[str, float] = {}
        pictures: dict[str, Any] = {"diffusers fp32": theirs() * 255.0}
        for label, request in requests.items():
            loading[label] = timed(lambda request=request: engine.run(request))[0]
            pictures[label] = np.asarray(engine.run(request).image).astype(float)
        again = timed(lambda: Engine().run(requests["partway openvino bf16"]))[0]
        works: dict[str, Callable[[], object]] = {"diffusers fp32": theirs}
        works |= {
            label: (lambda request=request: engine.run(request))
            for label, request in requests.items()
        }
        spent: dict[str, list[tuple[float, float]]] = {label: [] for label in works}
        for _ in range(ROUNDS):
            for label, work in works.items():
                spent[label].append(timed(work))
        own = requests["partway openvino bf16"]
        sweep = sweep_requests(own, SWEEP)
        swept = timed(lambda: engine.run_many(sweep))
        looped = timed(lambda: [theirs(strength) for strength in SWEEP])
        report = {
            "machine": {
                "cores": threads,
                "processor": platform.machine(),
                "load_average": os.getloadavg()[0],
                **{n: import_module(n).__version__ for n in ("torch", "diffusers", "openvino")},
            },
            "edit": f"{SIDE} px, {int(STEPS * STRENGTH)} evaluations of two rows, "
            f"UNet of {sum(p.numel() for p in pipe.unet.parameters()) / 1e6:.0f} M weights",
            "rounds": ROUNDS,
            "seconds": {label: _spread(times) for label, times in spent.items()},
            "times_as_fast_as_diffusers": _ratios(spent),
            "sweep_of_7": {
                "wall": looped[0] / swept[0],
                "processor": looped[1] / swept[1],
            },
            "first_edit_seconds": loading | {"partway openvino bf16, converted before": again},
            "largest_difference_of_255": {
                label: float(np.abs(each - pictures["diffusers fp32"]).max())
                for label, each in pictures.items()
            },
            "network": network_error(model),
        }
    RESULT.write_text(json.dumps(report, indent=2) + "\n", "utf-8")
    print(json.dumps(report, indent=2))


def _spread(times: list[tuple[float, float]]) -> dict[str, list[float]]:
    """Least, median and greatest of both clocks."""
    return {
        clock: [round(f([t[i] for t in times]), 3) for f in (min, statistics.median, max)]
        for i, clock in enumerate(("wall", "processor"))
    }


def _ratios(spent: dict[str, list[tuple[float, float]]]) -> dict[str, dict[str, float]]:
    """Medians over rounds of diffusers' time by each variant's in the same round."""
    base = spent["diffusers fp32"]
    return {
        label: {
            clock: round(
                statistics.median(
                    one[i] / other[i] for one, other in zip(base, times, strict=True)
                ),
                2,
            )
            for i, clock in enumerate(("wall", "processor"))
        }
        for label, times in spent.items()
    }


def network_error(model: str) -> dict[str, float]:
    """Largest difference of one network call from torch in fp32, as share of its largest value."""
    rng = np.random.RandomState(3)
    x = rng.standard_normal((2, 4, SIDE // 8, SIDE // 8)).astype(np.float32)
    profile = profile_of(model)
    levels = [profile.schedule.level(fraction) for fraction in (0.2, 0.8)]
    outputs: dict[str, Any] = {}
    for runtime in ("auto", "openvino"):
        for precision in ("fp32", "bf16"):
            family = load_family(with_runtime(profile, runtime), precision)
            words = [family.encode_prompt(each) for each in ("red", "")]
            outputs[f"{runtime} {precision}"] = family.predict(x, levels, words)
            del family
            gc.collect()
    exact = outputs["auto fp32"]
    return {
        label.replace("auto", "torch"): float(np.abs(each - exact).max() / np.abs(exact).max())
        for label, each in outputs.items()
    }


if __name__ == "__main__":
    main()
