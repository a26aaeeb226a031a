"""Networks out of a checkpoint of training."""

from pathlib import Path

import torch
from torch import nn

from codec import load_codec
from decoder import Decoder, Encoder
from model import Denoiser, Shape, TextEncoder
from paths import RUNS


def load_networks(checkpoint: Path, decoder_run: str) -> tuple[dict[str, nn.Module], dict]:
    """The averaged networks by file name, and the checkpoint's counters. Without a decoder: the
    linear one.
    """
    state = torch.load(checkpoint, map_location="cpu", weights_only=False)
    shape = Shape(**state["shape"] | {"widths": tuple(state["shape"]["widths"])})
    codec = load_codec()
    modules = nn.ModuleDict({"text": TextEncoder(shape), "denoiser": Denoiser(shape, codec)})
    modules.load_state_dict(modules.state_dict() | state["modules"] | state["average"])
    decoder = Decoder(codec)
    drawn = RUNS / decoder_run / "last.pt"
    if drawn.exists():
        decoder.load_state_dict(
            torch.load(drawn, map_location="cpu", weights_only=False)["average"]
        )
    networks = {"text_encoder": modules["text"], "denoiser": modules["denoiser"]}
    networks |= {"encoder": Encoder(codec), "decoder": decoder}
    return {name: network.float().eval() for name, network in networks.items()}, state
