"""An exported folder as a function: latents, prompts and a start level in, pictures out (OpenVINO,
euler).
"""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import openvino
from tokenizers import Tokenizer

NETWORKS = ("text_encoder", "denoiser", "encoder", "decoder")


class Exported:
    """The four networks of one folder, compiled for this machine's CPU."""

    def __init__(self, folder: Path, precision: str = "bf16"):
        self.config = json.loads((folder / "config.json").read_text())
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        core, hint = openvino.Core(), {"INFERENCE_PRECISION_HINT": precision}
        self.networks = {
            n: core.compile_model(str(folder / f"{n}.onnx"), "CPU", hint) for n in NETWORKS
        }
        self.native = self.config["native_size"]

    def run(self, name: str, *given: np.ndarray) -> np.ndarray:
        return self.networks[name](list(given))[0]

    def prompts(self, texts: list[str]) -> np.ndarray:
        """(B, L, C)."""
        length = self.config["context"][0]
        rows = [(e.ids + [0] * length)[:length] for e in self.tokenizer.encode_batch(texts)]
        return self.run("text_encoder", np.array(rows, np.int64))

    def encode(self, images: np.ndarray) -> np.ndarray:
        """(B, 3, s, s) in [-1, 1] at native size -> latents."""
        return self.run("encoder", images.astype(np.float32))

    def decode(self, latents: np.ndarray) -> np.ndarray:
        """Latents -> (B, 3, native, native), clipped to [-1, 1]."""
        return self.run("decoder", latents).clip(-1, 1)

    def edit(
        self, latents: np.ndarray, texts: list[str], start: float, steps: int, seeds: list[int],
        guidance: float | None = None,
    ) -> np.ndarray:  # fmt: skip
        """Denoise from noise fraction `start` in `steps` equal steps; one seed a picture."""
        guidance = self.config["default_guidance"] if guidance is None else guidance
        context = np.concatenate([self.prompts(texts), self.prompts([""] * len(texts))])
        noise = [np.random.RandomState(s).standard_normal(latents.shape[1:]) for s in seeds]
        x = ((1 - start) * latents + start * np.stack(noise)).astype(np.float32)
        levels = np.linspace(start, 0, steps + 1)
        for here, there in pairwise(levels):
            times = np.full(2 * len(x), 1000 * here, np.float32)
            both = self.run("denoiser", np.concatenate([x, x]), times, context)
            yes, no = both[: len(x)], both[len(x) :]
            x0 = no + guidance * (yes - no)
            x = (x0 + (x - x0) * (there / here)).astype(np.float32)
        return x
