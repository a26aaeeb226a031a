"""Write the four networks as ONNX files, with fp16 weights, and check them against torch.

    python export.py --run base --decoder decoder/last --to FOLDER              # for evaluate.py
    python export.py --run base --decoder decoder/last --to FOLDER --complete   # for use

The averaged weights are exported. The text encoder's two word tables are folded into one. With
--complete the library also takes up the held-out pictures of subjects that it knows in another
style: the networks never saw them, a user who asks for one should get it.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import onnx
import openvino
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from captions import LENGTH, STYLE_PHRASES, build_tokenizer, caption_words, quiet
from codec import CHANNELS
from library import TOKENS, Library, Table, load_library
from model import Shape, TextEncoder
from networks import load_networks
from paths import RUNS

OPSET = 18
NATIVE, PATCH = 256, 16
EXACT = "fit.codec"
"""Weights that stay in fp32: there and back must be the identity."""


class FoldedText(nn.Module):
    """The text encoder with its two word tables added up, and the library behind it."""

    def __init__(self, text: TextEncoder, library: Library):
        super().__init__()
        self.text, self.library = text, library
        library.finder = library.folded()
        with torch.no_grad():
            self.table = Table(text.own.weight + text.project(text.vectors))
        for table in (self.table, library.finder.words):
            table.cut(len(caption_words()) + 2)
        text.words = lambda ids, _forget: self.table(ids)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.text(ids), self.library(ids)], dim=1)


def examples(batch: int, side: int, seed: int) -> dict[str, tuple[torch.Tensor, ...]]:
    """Inputs for every network: `batch` pictures of `side` latent positions."""
    g = torch.Generator().manual_seed(seed)
    ids = torch.randint(0, 4000, (batch, LENGTH), generator=g) * (torch.arange(LENGTH) < 6)
    sample = torch.randn(batch, CHANNELS, side, side, generator=g)
    timestep = 1000 * torch.rand(batch, generator=g)
    context = torch.randn(batch, LENGTH + TOKENS, 256, generator=g)
    image = torch.rand(batch, 3, PATCH * side, PATCH * side, generator=g) * 2 - 1
    return {
        "text_encoder": (ids,),
        "denoiser": (sample, timestep, context),
        "encoder": (image,),
        "decoder": (sample,),
    }


INPUTS = {
    "text_encoder": ["input_ids"],
    "denoiser": ["sample", "timestep", "context"],
    "encoder": ["image"],
    "decoder": ["latents"],
}
OUTPUTS = {"text_encoder": "context", "denoiser": "x0", "encoder": "latents", "decoder": "image"}


def write(name: str, network: nn.Module, path: Path) -> None:
    """One ONNX file with dynamic batch, height and width."""
    spatial = {0: "batch", 2: "height", 3: "width"}
    axes = {
        key: {0: "batch"} if key in ("input_ids", "timestep", "context") else spatial
        for key in INPUTS[name]
    }
    axes[OUTPUTS[name]] = {0: "batch"} if name == "text_encoder" else {0: "batch", 2: "h", 3: "w"}
    torch.onnx.export(
        network,
        examples(2, 16, 0)[name],
        str(path),
        input_names=INPUTS[name],
        output_names=[OUTPUTS[name]],
        dynamic_axes=axes,
        opset_version=OPSET,
        dynamo=False,
    )
    onnx.save(halve_weights(onnx.load(path)), path)


def halve_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """fp32 weights of more than 512 numbers are stored as fp16 and cast back at load, but EXACT."""
    graph, casts, kept = model.graph, [], []
    for weight in graph.initializer:
        values = numpy_helper.to_array(weight)
        if values.dtype == np.int32 and values.size > 512:  # only gathered from, and cast after
            kept.append(numpy_helper.from_array(values.astype(np.uint16), weight.name))
            continue
        if values.dtype != np.float32 or values.size <= 512 or EXACT in weight.name:
            kept.append(weight)
            continue
        kept.append(numpy_helper.from_array(values.astype(np.float16), f"{weight.name}_fp16"))
        casts.append(
            helper.make_node("Cast", [f"{weight.name}_fp16"], [weight.name], to=TensorProto.FLOAT)
        )
    nodes = [*casts, *graph.node]
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(kept)
    graph.node.extend(nodes)
    return model


@torch.no_grad()
def parity(name: str, network: nn.Module, path: Path, batch: int, side: int) -> float:
    """Largest difference to torch (fp32, weights rounded to fp16 on both sides)."""
    compiled = openvino.Core().compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    given = examples(batch, side, 1)[name]
    ours = compiled([v.numpy() for v in given])[0]
    return float(np.abs(ours - network(*given).numpy()).max())


def rounded(network: nn.Module) -> nn.Module:
    """Large weights as the file stores them."""
    with torch.no_grad():
        for name, weight in [*network.named_parameters(), *network.named_buffers()]:
            if weight.is_floating_point() and weight.numel() > 512 and EXACT not in name:
                weight.copy_(weight.half().float())
    return network


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run", default="base")
    parser.add_argument("--checkpoint", default="last", help="last, or warm")
    parser.add_argument(
        "--decoder", nargs="*", default=["decoder/last"], metavar="RUN/CHECKPOINT",
        help="of several the mean of their weights; of none the linear one",
    )  # fmt: skip
    parser.add_argument("--gain", type=float, default=1.0, help="benchmarks/bench_dial.py fits it")
    parser.add_argument("--guidance", type=float, default=2.5)
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument(
        "--complete", action="store_true", help="held-out pictures of known subjects too"
    )
    arguments = parser.parse_args()
    arguments.to.mkdir(parents=True, exist_ok=True)
    checkpoint = RUNS / arguments.run / f"{arguments.checkpoint}.pt"
    networks, state = load_networks(checkpoint, [RUNS / f"{name}.pt" for name in arguments.decoder])
    library = load_library(Shape.context)
    if arguments.complete:
        library.extend()
    networks["text_encoder"] = FoldedText(networks["text_encoder"], library)
    report = {}
    for name, network in networks.items():
        path = arguments.to / f"{name}.onnx"
        write(name, network, path)
        rounded(network)
        report[name] = max(parity(name, network, path, 2, 16), parity(name, network, path, 1, 24))
        print(f"{name}: {path.stat().st_size / 1e6:.1f} MB, parity {report[name]:.1e}")
    quiet(build_tokenizer(caption_words())).save(str(arguments.to / "tokenizer.json"))
    config = {
        "family": "onnx",
        "path": "flow",
        "prediction": "sample",
        "native_size": NATIVE,
        "patch": PATCH,
        "latent_multiple": 2,
        "latent_channels": CHANNELS,
        "context": [LENGTH, 256],
        "default_steps": 20,
        "default_guidance": arguments.guidance,
        "gain": arguments.gain,
        "lowest": 0.02,
        "plain_ground": 0.3,
        "even_surfaces": 0.1,
        "own_grain": 12.0,
        "artwork_only": True,
        "styles": sorted(STYLE_PHRASES),
        "library": len(library.entries),
        "trained_images": state["seen"],
        "trained_hours": round(state["seconds"] / 3600, 2),
    }
    (arguments.to / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    total = sum(f.stat().st_size for f in arguments.to.iterdir())
    print(f"{total / 1e6:.1f} MB in all after {state['seen']} pictures")


if __name__ == "__main__":
    main()
