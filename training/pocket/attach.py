"""Attach the library to networks that were trained without it.

    python attach.py --base FOLDER --to FOLDER              # after library.py; for evaluate.py
    python attach.py --base FOLDER --to FOLDER --complete   # for use

Takes the four ONNX files and the tokenizer of a model, writes them again so that the prompt also
finds a picture (library.py) and the denoiser gives way to it where the sample does not speak
against it (recall.py). Nothing is trained.

Large weights of the base are stored in 8 bits with one scale a row, to make room for the library.
"""

import argparse
import json
import shutil
from io import BytesIO
from pathlib import Path

import numpy as np
import onnx
import openvino
import torch
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer
from torch import nn
from torch.nn import functional as F

from captions import LENGTH, build_tokenizer, load_index, vocabulary
from codec import load_codec
from data import held_out
from export import OPSET, halve_weights
from library import SIDE, Library, load_library
from recall import Recall

TOKENS = SIDE**2 // 4


def caption_words() -> list[str]:
    """The words that captions of pictures in the library use, in the order of their ids, from 2 on.
    Those behind them, known by a general word vector alone, find nothing useful.
    """
    records = load_index()
    return vocabulary([r for r, held in zip(records, held_out(records), strict=True) if not held])


class Lookup(nn.Module):
    """ids (B, LENGTH) -> the base's ids (B, length) and tokens of the picture found (B, TOKENS,
    context): latents of the base's codec, 2 x 2 positions a token, then the finder's share.
    """

    def __init__(self, library: Library, base: Path, length: int, context: int):
        super().__init__()
        theirs = Tokenizer.from_file(str(base / "tokenizer.json"))
        known = [theirs.encode(word).ids[0] for word in caption_words()]
        self.register_buffer("names", torch.tensor([0, 1, *known], dtype=torch.int32))
        self.length, self.context = length, context
        self.finder = library.folded()
        self.finder.words.cut(len(self.names))
        self.register_buffer("codes", recoded(library.codes, base))
        self.register_buffer("indices", library.indices)

    def forward(self, ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        logits = self.finder(ids)
        best, found = logits.topk(1, dim=1)
        share = (best - logits.logsumexp(dim=1, keepdim=True)).exp() * (ids != 0).any(
            1, keepdim=True
        )
        rows = self.indices[found[:, 0]].long()
        parts = [self.codes[k][rows[..., k]] for k in range(self.codes.shape[0])]
        latents = torch.stack(parts).sum(0).transpose(1, 2).unflatten(2, (SIDE, SIDE))
        tokens = F.pixel_unshuffle(latents, 2).flatten(2).transpose(1, 2)
        tokens = torch.cat([tokens, share[:, None].expand(-1, TOKENS, -1)], dim=-1)
        tokens = F.pad(tokens, (0, self.context - tokens.shape[-1]))
        return self.names[ids[:, : self.length]].long(), tokens


def recoded(codes: torch.Tensor, base: Path) -> torch.Tensor:
    """The library's code books as latents of the base's codec, which is one convolution too: a sum
    of codes stays a sum.
    """
    weights = onnx.load(base / "encoder.onnx").graph.initializer
    kernel, offset = (torch.tensor(numpy_helper.to_array(w)).float() for w in weights)
    codec = load_codec()
    kernel, mean = kernel.flatten(1), codec.mean.flatten()
    books = codes @ codec.synthesis.flatten(1) @ kernel.T
    books[0] += kernel @ mean + offset
    return books


def prefixed(graph: onnx.GraphProto, prefix: str, renamed: dict[str, str]) -> onnx.GraphProto:
    """A copy whose inner names cannot meet those of another graph; `renamed` says the others."""
    fresh = onnx.GraphProto()
    fresh.CopyFrom(graph)
    name = lambda old: renamed.get(old, prefix + old if old else old)  # noqa: E731
    for node in fresh.node:
        node.name = prefix + node.name
        node.input[:] = [name(v) for v in node.input]
        node.output[:] = [name(v) for v in node.output]
    for weight in fresh.initializer:
        weight.name = name(weight.name)
    return fresh


def traced(
    network: nn.Module, given: tuple, inputs: list[str], outputs: list[str]
) -> onnx.GraphProto:
    """The graph of a torch module, batch and canvas dynamic."""
    spatial = {0: "batch", 2: "height", 3: "width"}
    axes = {n: spatial if v.ndim == 4 else {0: "batch"} for n, v in zip(inputs, given, strict=True)}
    written = BytesIO()
    torch.onnx.export(
        network, given, written, input_names=inputs, output_names=outputs, dynamic_axes=axes,
        opset_version=OPSET, dynamo=False,
    )  # fmt: skip
    model = halve_weights(onnx.load_from_string(written.getvalue()))
    return model.graph


def eighths(graph: onnx.GraphProto, least: int = 4096) -> None:
    """Large fp16 weights to 8 bits, one scale a row or a column, whichever loses less."""
    kept, nodes = [], []
    for weight in graph.initializer:
        values = numpy_helper.to_array(weight)
        if values.dtype != np.float16 or values.ndim < 2 or values.size < least:
            kept.append(weight)
            continue
        full, choices = values.astype(np.float32), []
        for axis in (0, full.ndim - 1):
            others = tuple(k for k in range(full.ndim) if k != axis)
            scale = np.maximum(np.abs(full).max(axis=others, keepdims=True), 1e-8) / 127
            rounded = np.round(full / scale).astype(np.int8)
            choices.append((float(((rounded * scale - full) ** 2).sum()), scale, rounded))
        _, scale, rounded = min(choices, key=lambda choice: choice[0])
        name = weight.name
        kept += [
            numpy_helper.from_array(rounded, f"{name}_eighths"),
            numpy_helper.from_array(scale.astype(np.float32), f"{name}_scale"),
        ]
        nodes += [
            helper.make_node("Cast", [f"{name}_eighths"], [f"{name}_cast"], to=TensorProto.FLOAT),
            helper.make_node("Mul", [f"{name}_cast", f"{name}_scale"], [f"{name}_scaled"]),
            helper.make_node("Cast", [f"{name}_scaled"], [name], to=TensorProto.FLOAT16),
        ]
    rest = list(graph.node)
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(kept)
    graph.node.extend([*nodes, *rest])


def words_only(name: str, length: int) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    """Nodes and constants that cut the context `name` into `words` and `tokens`."""
    ends = {"from": 0, "cut": length, "to": 2**31 - 1, "axis": 1}
    constants = [
        numpy_helper.from_array(np.array([v], np.int64), f"split_{k}") for k, v in ends.items()
    ]
    nodes = [
        helper.make_node("Slice", [name, "split_from", "split_cut", "split_axis"], ["words"]),
        helper.make_node("Slice", [name, "split_cut", "split_to", "split_axis"], ["tokens"]),
    ]
    return nodes, constants


def save(parts: list, inputs: list, outputs: list, path: Path) -> None:
    """One model of the nodes and weights of `parts`."""
    graph = helper.make_graph(
        [n for nodes, _ in parts for n in nodes], path.stem, inputs, outputs,
        [w for _, weights in parts for w in weights],
    )  # fmt: skip
    opset = [helper.make_opsetid("", OPSET)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), path)


def attach(base: Path, to: Path, *, complete: bool) -> None:
    """The five files and config.json of the new model."""
    config = json.loads((base / "config.json").read_text("utf-8"))
    length, context = config["context"]
    channels = config["latent_channels"]
    library = load_library(context)
    if complete:
        library.extend()
    to.mkdir(parents=True, exist_ok=True)
    build_tokenizer(caption_words()).save(str(to / "tokenizer.json"))
    for name in ("encoder", "decoder"):
        shutil.copy(base / f"{name}.onnx", to / f"{name}.onnx")
    kind, sizes = TensorProto.FLOAT, [None, channels, None, None]

    lookup = traced(
        Lookup(library, base, length, context).eval(),
        (torch.zeros(2, LENGTH, dtype=torch.long),), ["input_ids"], ["base_ids", "tokens"],
    )  # fmt: skip
    text = onnx.load(base / "text_encoder.onnx").graph
    eighths(text)
    text = prefixed(text, "text/", {"input_ids": "base_ids", text.output[0].name: "words"})
    joined = [helper.make_node("Concat", ["words", "tokens"], ["context"], axis=1)]
    save(
        [(lookup.node, lookup.initializer), (text.node, text.initializer), (joined, [])],
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, [None, LENGTH])],
        [helper.make_tensor_value_info("context", kind, [None, length + TOKENS, context])],
        to / "text_encoder.onnx",
    )

    own = onnx.load(base / "denoiser.onnx").graph
    eighths(own)
    same = {"sample": "sample", "timestep": "timestep", "context": "words"}
    own = prefixed(own, "own/", same | {own.output[0].name: "own"})
    given = (torch.randn(2, channels, 16, 24), torch.randn(2, channels, 16, 24))
    given = (*given, 1000 * torch.rand(2), torch.rand(2, TOKENS, context))
    names = ["own", "sample", "timestep", "tokens"]
    recall = traced(Recall(channels), given, names, ["x0"])
    recall = prefixed(recall, "recall/", {name: name for name in [*names, "x0"]})
    save(
        [
            words_only("context", length),
            (own.node, own.initializer),
            (recall.node, recall.initializer),
        ],
        [
            helper.make_tensor_value_info("sample", kind, sizes),
            helper.make_tensor_value_info("timestep", kind, [None]),
            helper.make_tensor_value_info("context", kind, [None, length + TOKENS, context]),
        ],
        [helper.make_tensor_value_info("x0", kind, sizes)],
        to / "denoiser.onnx",
    )
    config |= {
        "context": [LENGTH, context],
        "default_guidance": 2.0,
        "library": len(library.entries),
    }
    (to / "config.json").write_text(json.dumps(config, indent=1) + "\n", "utf-8")


def compare(base: Path, to: Path) -> float:
    """RMS difference of both denoisers where nothing is found, relative to the RMS of x0."""
    rng = np.random.default_rng(0)
    config = json.loads((base / "config.json").read_text("utf-8"))
    length, context = config["context"]
    sample = rng.standard_normal((4, config["latent_channels"], 16, 16)).astype(np.float32)
    words = rng.standard_normal((4, length, context)).astype(np.float32)
    timestep = np.array([200, 500, 800, 1000], np.float32)
    nothing = np.zeros((4, TOKENS, context), np.float32)
    run = lambda folder, given: openvino.Core().compile_model(  # noqa: E731
        str(folder / "denoiser.onnx"), "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
    )([sample, timestep, given])[0]
    old, new = run(base, words), run(to, np.concatenate([words, nothing], axis=1))
    return float(np.sqrt(((new - old) ** 2).mean() / (old**2).mean()))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--base", type=Path, required=True, help="the model to attach it to")
    parser.add_argument("--to", type=Path, required=True, help="the folder to write")
    parser.add_argument(
        "--complete", action="store_true", help="held-out pictures of known subjects too"
    )
    arguments = parser.parse_args()
    attach(arguments.base, arguments.to, complete=arguments.complete)
    total = sum(f.stat().st_size for f in arguments.to.iterdir())
    print(
        f"{total / 1e6:.1f} MB; where nothing is found x0 differs by "
        f"{100 * compare(arguments.base, arguments.to):.2f} % (8-bit weights)"
    )


if __name__ == "__main__":
    main()
