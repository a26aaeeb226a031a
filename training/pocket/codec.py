"""The latents: the first principal components of 8 x 8 patches of the picture at 128 px.

    python codec.py           # after data.py: fits, writes codec.npz, prints the PSNR

At 256 px the encoder first takes 2 x 2 means, so one latent position covers 16 x 16 pixels.
Encoding is one strided convolution, exact from the first minute; what 48 of 192 components lose, a
trained decoder draws again (decoder.py).
"""

import argparse

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from captions import load_index
from data import held_out, on_white
from paths import DATA

PATCH = 8
CHANNELS = 48
POWER = 0.6
"""Each component is divided by its standard deviation to this power: 1 would whiten, 0 would keep
pixel units.
"""


class Codec(nn.Module):
    """`encode`: image (B, 3, 8h, 8w) in [-1, 1] -> latents (B, 48, h, w); `decode` is its
    least-squares inverse.
    """

    def __init__(
        self, basis: np.ndarray, mean: np.ndarray, scale: np.ndarray, deviation: np.ndarray
    ):
        super().__init__()
        directions = torch.tensor(basis.reshape(CHANNELS, 3, PATCH, PATCH))
        scale = torch.tensor(scale).view(CHANNELS, 1, 1, 1)
        self.register_buffer("analysis", directions / scale)
        self.register_buffer("synthesis", directions * scale)
        self.register_buffer(
            "offset", -(torch.tensor(basis) @ torch.tensor(mean)) / scale.flatten()
        )
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, PATCH, PATCH))
        self.register_buffer("deviation", torch.tensor(deviation))

    def encode(self, image: torch.Tensor) -> torch.Tensor:
        return F.conv2d(image, self.analysis, self.offset, stride=PATCH)

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        detail = F.conv_transpose2d(latents, self.synthesis, stride=PATCH)
        return detail + self.mean.repeat(1, 1, latents.shape[2], latents.shape[3])


def fit(images: np.ndarray) -> dict[str, np.ndarray]:
    """Principal components of all patches of `images` (N, 128, 128, 3) in [-1, 1]."""
    n, side = len(images), images.shape[1] // PATCH
    patches = (
        images.reshape(n, side, PATCH, side, PATCH, 3)
        .transpose(0, 1, 3, 5, 2, 4)
        .reshape(-1, 3 * PATCH**2)
    )
    mean = patches.mean(0)
    values, vectors = np.linalg.eigh(np.cov(patches.T - mean[:, None]))
    order = values.argsort()[::-1][:CHANNELS]
    deviation = np.sqrt(values[order])
    scale = deviation**POWER
    scale *= np.sqrt(np.mean((deviation / scale) ** 2))
    basis = vectors[:, order].T
    parts = {"basis": basis, "mean": mean, "scale": scale, "deviation": deviation / scale}
    return {name: np.ascontiguousarray(value, np.float32) for name, value in parts.items()}


def load_codec() -> Codec:
    return Codec(**np.load(DATA / "codec.npz")).eval()


def psnr(a: torch.Tensor, b: torch.Tensor) -> float:
    """Decibels, mean over pictures, of images in [-1, 1]."""
    error = ((a.clamp(-1, 1) - b) ** 2).flatten(1).mean(1).clamp_min(1e-8)
    return float((10 * torch.log10(4 / error)).mean())


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    pictures, records = np.load(DATA / "pictures128.npy", mmap_mode="r"), load_index()
    held = held_out(records)
    rng = np.random.default_rng(0)
    chosen = np.sort(rng.choice(np.flatnonzero(~held), 2400, replace=False))
    images = on_white(pictures[chosen]) * 2 - 1
    tints = rng.random((len(images) // 5, 1, 1, 3), np.float32) * 2 - 1
    alpha = pictures[chosen[: len(tints)]][..., 3:].astype(np.float32) / 255
    images[: len(tints)] += (1 - alpha) * (tints - 1)
    np.savez(DATA / "codec.npz", **fit(images))
    codec = load_codec()
    test = torch.tensor(on_white(pictures[np.flatnonzero(held)[:300]]) * 2 - 1).permute(0, 3, 1, 2)
    latents = codec.encode(test)
    print(
        f"held-out PSNR {psnr(codec.decode(latents), test):.2f} dB, latent rms {latents.std():.3f}"
    )
    print(
        "channel deviations",
        np.round(codec.deviation.numpy(), 2)[[0, 1, 2, 3, 5, 8, 12, 20, 32, 47]],
    )


if __name__ == "__main__":
    main()
