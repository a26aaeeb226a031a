"""Networks out of a checkpoint of training."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from codec import load_codec
from decoder import Decoder, Encoder
from model import Denoiser, Shape, TextEncoder


def load_networks(
    checkpoint: Path, decoders: Sequence[Path] = ()
) -> tuple[dict[str, nn.Module], dict]:
    """The averaged networks by file name, and the checkpoint's counters. Of several decoders: the
    mean of their weights, which one run must have made in turn. Without one: the linear decoder.
    """
    state = torch.load(checkpoint, map_location="cpu", weights_only=False)
    shape = Shape(**state["shape"] | {"widths": tuple(state["shape"]["widths"])})
    codec = load_codec()
    modules = nn.ModuleDict({"text": TextEncoder(shape), "denoiser": Denoiser(shape, codec)})
    modules.load_state_dict(modules.state_dict() | state["modules"] | state["average"])
    decoder = Decoder(codec)
    found = [torch.load(d, map_location="cpu", weights_only=False)["average"] for d in decoders]
    if found:
        means = {k: sum(each[k] for each in found) / len(found) for k in found[0]}
        decoder.load_state_dict(means)
    networks = {"text_encoder": modules["text"], "denoiser": modules["denoiser"]}
    networks |= {"encoder": Encoder(codec), "decoder": decoder}
    return {name: network.float().eval() for name, network in networks.items()}, state
