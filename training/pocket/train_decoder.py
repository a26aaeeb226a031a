"""Train the decoder on pieces of the artwork at 256 px; independent of the denoiser, resumable like
it.

    python train_decoder.py --run decoder --limit 2400     # seconds

Loss: mean absolute error plus that of the horizontal and vertical differences, which weighs edges.
Half of the latents carry noise, mostly a little, so that the decoder forgives what a denoiser gets
wrong instead of showing it as a mosaic of blocks. Once redraw.py has run, half of every batch is
what the denoiser made of training pictures, with the pictures themselves as targets.
"""

import argparse
import json
import time

import numpy as np
import torch
from torch.nn import functional as F

from captions import load_index
from codec import load_codec, psnr
from data import held_out, on_white
from decoder import Decoder, Encoder
from model import count
from paths import DATA, RUNS, wait_while_paused

PIECE, PATCH = 128, 16
"""Pixels a side of a training piece, and of a latent position."""


class Pieces:
    """Random pieces (B, 3, 128, 128) in [-1, 1] of training pictures, some recoloured, some as line
    drawings.
    """

    def __init__(self, rng: np.random.Generator):
        self.pictures = np.load(DATA / "pictures256.npy", mmap_mode="r")
        self.sketches = np.load(DATA / "sketches256.npy", mmap_mode="r")
        self.usable, self.rng = np.flatnonzero(~held_out(load_index())), rng

    def one(self) -> np.ndarray:
        rng, index = self.rng, int(self.rng.choice(self.usable))
        y, x = rng.integers(0, 256 - PIECE + 1, 2)
        window = (index, slice(y, y + PIECE), slice(x, x + PIECE))
        tint = rng.random(3, np.float32) if rng.random() < 0.2 else np.ones(3, np.float32)
        if rng.random() < 0.1:
            piece = (1 - self.sketches[window][..., None].astype(np.float32) / 255) * tint
        else:
            rgba = self.pictures[window].astype(np.float32) / 255
            piece = rgba[..., :3] + (1 - rgba[..., 3:]) * tint
        if rng.random() < 0.25:
            piece = piece[..., rng.permutation(3)]
        if rng.random() < 0.5:
            piece = piece[:, ::-1]
        return piece * 2 - 1

    def batch(self, size: int) -> torch.Tensor:
        return (
            torch.from_numpy(np.stack([self.one() for _ in range(size)]))
            .permute(0, 3, 1, 2)
            .contiguous()
        )


class Redrawn:
    """Random pieces of what redraw.py wrote: latents (B, C, 8, 8), originals (B, 3, 128, 128)."""

    def __init__(self, rng: np.random.Generator):
        parts = np.load(DATA / "redrawn.npz")
        self.latents, self.pictures, self.rng = parts["latents"], parts["pictures"], rng

    def batch(self, size: int) -> tuple[torch.Tensor, torch.Tensor]:
        side = PIECE // PATCH
        latents, true = [], []
        for index in self.rng.integers(len(self.latents), size=size):
            y, x = self.rng.integers(0, self.latents.shape[-1] - side + 1, 2)
            latents.append(self.latents[index, :, y : y + side, x : x + side])
            y, x = PATCH * y, PATCH * x
            true.append(self.pictures[index, :, y : y + PIECE, x : x + PIECE])
        true = torch.from_numpy(np.stack(true)).float() / 127.5 - 1
        return torch.from_numpy(np.stack(latents)).float(), true


def differences(image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """To the right-hand and to the lower neighbour."""
    return image[..., :, 1:] - image[..., :, :-1], image[..., 1:, :] - image[..., :-1, :]


def loss_of(made: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
    edges = sum(F.l1_loss(a, b) for a, b in zip(differences(made), differences(true), strict=True))
    return F.l1_loss(made, true) + edges


def noise_levels(count_: int) -> torch.Tensor:
    """(count_,) deviations: none for half of the latents, up to 0.1 for a third, up to 0.4 for the
    rest.
    """
    kind, level = torch.rand(count_), torch.rand(count_)
    return level * torch.where(kind < 0.5, 0.0, torch.where(kind < 0.83, 0.1, 0.4))


@torch.no_grad()
def held_out_psnr(decoder: Decoder, encoder: Encoder, count_: int = 64) -> dict[str, float]:
    """Decibels of whole held-out pictures at 256 px and, averaged down, at 128 px."""
    pictures = np.load(DATA / "pictures256.npy", mmap_mode="r")
    chosen = np.random.default_rng(5).choice(
        np.flatnonzero(held_out(load_index())), count_, replace=False
    )
    true = torch.tensor(on_white(pictures[np.sort(chosen)]) * 2 - 1).permute(0, 3, 1, 2)
    device = next(decoder.parameters()).device
    made = torch.cat([decoder(encoder(part.to(device))).float().cpu() for part in true.split(16)])
    half = F.avg_pool2d(made, 2), F.avg_pool2d(true, 2)
    return {"psnr256": round(psnr(made, true), 2), "psnr128": round(psnr(*half), 2)}


class Trainer:
    """Decoder, average, optimiser and counters of one run."""

    def __init__(self, arguments: argparse.Namespace):
        self.arguments, self.last = arguments, RUNS / arguments.run / "last.pt"
        self.last.parent.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(0)
        codec, device = load_codec(), arguments.device
        self.decoder = Decoder(codec).to(device, memory_format=torch.channels_last)
        self.encoder = Encoder(codec).to(device)
        self.average = {k: v.clone() for k, v in self.decoder.state_dict().items()}
        parameters = self.decoder.parameters()
        self.optimiser = torch.optim.AdamW(
            parameters, arguments.rate, betas=(0.9, 0.99), fused=True
        )
        self.step = 0

    def save(self) -> None:
        state = {"decoder": self.decoder.state_dict(), "average": self.average, "step": self.step}
        partial = self.last.with_suffix(".partial")
        torch.save(state | {"optimiser": self.optimiser.state_dict()}, partial)
        partial.replace(self.last)

    def resume(self) -> None:
        state = torch.load(self.last, map_location=self.arguments.device, weights_only=False)
        self.decoder.load_state_dict(state["decoder"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.average, self.step = state["average"], state["step"]

    def encode(self, true: torch.Tensor) -> torch.Tensor:
        """Latents of pieces (B, 3, 128, 128), half of them noisy."""
        latents = self.encoder(true)
        noise = noise_levels(len(true)).view(-1, 1, 1, 1)
        return latents + noise.to(latents) * torch.randn_like(latents)

    def update(self, latents: torch.Tensor, true: torch.Tensor, rate: float) -> float:
        """One optimiser step on latents (B, C, 8, 8) and their pieces; returns the loss."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate * min(1.0, (self.step + 1) / 100)
        with torch.autocast(self.arguments.device, torch.bfloat16):
            made = self.decoder(latents)
        loss = loss_of(made.float(), true)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.decoder.parameters(), 1.0)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.step += 1
        keep = min(0.998, (1 + self.step) / (20 + self.step))
        for name, value in self.decoder.state_dict().items():
            self.average[name].lerp_(value, 1 - keep)
        return loss.item()

    def measure(self) -> dict[str, float]:
        """Held-out PSNR of the averaged weights."""
        own = {k: v.clone() for k, v in self.decoder.state_dict().items()}
        self.decoder.load_state_dict(self.average)
        result = held_out_psnr(self.decoder, self.encoder)
        self.decoder.load_state_dict(own)
        return result


def batch_of(
    trainer: Trainer, pieces: Pieces, redrawn: Redrawn | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Latents and their pieces; half of them redrawn, where there are any."""
    size, device = trainer.arguments.batch, trainer.arguments.device
    half = size if redrawn is None else size // 2
    true = pieces.batch(half).to(device)
    latents = trainer.encode(true)
    if redrawn is not None:
        more = [part.to(device) for part in redrawn.batch(size - half)]
        latents, true = torch.cat([latents, more[0]]), torch.cat([true, more[1]])
    ordered = (part.contiguous(memory_format=torch.channels_last) for part in (latents, true))
    return tuple(ordered)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run", default="decoder")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=6e-4)
    parser.add_argument("--limit", type=float, default=2400, help="seconds of this call")
    parser.add_argument("--save-every", type=float, default=300, help="seconds")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--cool", action="store_true", help="the rate falls to 0 over this call")
    arguments = parser.parse_args()
    trainer = Trainer(arguments)
    if trainer.last.exists():
        trainer.resume()
    print(f"{count(trainer.decoder):.2f} M parameters, from step {trainer.step}", flush=True)
    pieces, total = Pieces(np.random.default_rng(trainer.step)), 0.0
    redrawn = None
    if (DATA / "redrawn.npz").exists():
        redrawn = Redrawn(np.random.default_rng(trainer.step + 1))
    torch.manual_seed(trainer.step)
    begin = saved = time.monotonic()
    with (trainer.last.parent / "curve.jsonl").open("a", buffering=1) as curve:
        while (spent := time.monotonic() - begin) < arguments.limit:
            begin += wait_while_paused()
            fall = 1 - spent / arguments.limit if arguments.cool else 1.0
            latents, true = batch_of(trainer, pieces, redrawn)
            total += trainer.update(latents, true, arguments.rate * fall)
            if trainer.step % 200 == 0:
                entry = {"step": trainer.step, "pieces": trainer.step * arguments.batch}
                entry["loss"] = round(total / 200, 4)
                if trainer.step % 1000 == 0:
                    entry |= trainer.measure()
                curve.write(json.dumps(entry) + "\n")
                total = 0.0
            if time.monotonic() - saved > arguments.save_every:
                trainer.save()
                saved = time.monotonic()
    trainer.save()
    print(trainer.step, trainer.measure())


if __name__ == "__main__":
    main()
