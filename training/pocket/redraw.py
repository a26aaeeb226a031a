"""Let the denoiser edit training pictures towards themselves, so that the decoder learns what its
mistakes look like.

    python redraw.py --run gate --count 3000     # writes redrawn.npz under DATA

Errors of a denoiser are no white noise: they are grain that follows the patches of the codec, and
they grow from step to step. Every sample starts from a training picture, or from a line drawing, a
disguise or a well fitting drawing in another style, at a noise fraction between 0.05 and 0.75, and
is carried back with the picture's own caption. What comes out should be that picture, in 256 px.
"""

import argparse
import time

import numpy as np
import torch
from torch import nn
from torch.multiprocessing import get_context
from torch.nn import functional as F

from batches import Batch, Painter, Planner
from codec import load_codec
from data import SIZE
from networks import load_networks
from paths import DATA, RUNS

EVALUATIONS = 8
GUIDANCE = (1.5, 3.0)
"""Of alternate batches."""
FITS = 0.85
"""Agreement (align.py) from which another drawing lies near enough on the target."""


def plan_of(planner: Planner, size: int, step: int) -> dict[str, np.ndarray]:
    """Samples at the level where an edit begins. Only what lies well on its target crosses."""
    plan, rng = planner.plan(size, 77, step), np.random.default_rng([78, step])
    crosses = (plan["start"] < 0.75) & (plan["score"] >= FITS)
    plan["t"] = np.where(crosses, plan["start"], rng.uniform(0.05, 0.75, size))
    plan["start"] = np.where(crosses, plan["start"], 1.0)
    return plan


class Originals:
    """The planned targets in 256 px."""

    def __init__(self) -> None:
        self.pictures = np.load(DATA / "pictures256.npy", mmap_mode="r")
        self.sketches = np.load(DATA / "sketches256.npy", mmap_mode="r")

    def draw(self, plan: dict[str, np.ndarray]) -> torch.Tensor:
        """(B, 3, 256, 256) uint8."""
        rgba = torch.zeros(len(plan["target"]), 4, SIZE, SIZE)
        for row, (index, drawn) in enumerate(
            zip(plan["target"], plan["target_drawn"], strict=True)
        ):
            if drawn:
                rgba[row, 3] = torch.from_numpy(self.sketches[index] / np.float32(255))
            else:
                picture = self.pictures[index].transpose(2, 0, 1) / np.float32(255)
                rgba[row] = torch.from_numpy(picture)
        moves = torch.from_numpy(plan["theta"]).float()
        places = F.affine_grid(moves, list(rgba.shape), align_corners=False)
        moved = F.grid_sample(rgba, places, align_corners=False)
        tint = torch.from_numpy(plan["tint"]).float()[..., None, None]
        image = moved[:, :3] + (1 - moved[:, 3:]) * tint
        return (image.clamp(0, 1) * 255).round().to(torch.uint8)


@torch.no_grad()
def redraw(
    networks: dict[str, nn.Module], batch: Batch, guidance: float, generator: torch.Generator
) -> torch.Tensor:
    """(B, C, 16, 16) the latents at the end of the edit, each sample from its own level."""
    eps = torch.randn(batch.target.shape, generator=generator)
    x, level = batch.noised(eps), batch.t
    prompted = torch.cat([networks["text_encoder"](batch.ids), batch.found], dim=1)
    nothing = torch.cat([networks["text_encoder"](0 * batch.ids), 0 * batch.found], dim=1)

    def estimate(share: float, context: torch.Tensor) -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return networks["denoiser"](x, 1000 * share * level, context).float()

    for k in range(EVALUATIONS):
        share, after = 1 - k / EVALUATIONS, 1 - (k + 1) / EVALUATIONS
        x0 = estimate(share, prompted)
        if guidance != 1:
            blind = estimate(share, nothing)
            x0 = blind + guidance * (x0 - blind)
        x = x0 + after / share * (x - x0)
    return x


def work(run: str, batches: list[int], size: int) -> tuple[np.ndarray, np.ndarray]:
    """Latents and originals of some batches; one process of one core."""
    torch.set_num_threads(1)
    networks, _ = load_networks(RUNS / run / "last.pt")
    planner, painter, originals = Planner(crossed=0.7), Painter(load_codec(), "cpu"), Originals()
    latents, pictures, begin = [], [], time.monotonic()
    for number, step in enumerate(batches, start=1):
        plan = plan_of(planner, size, step)
        generator = torch.Generator().manual_seed(step)
        made = redraw(networks, painter.paint(plan), GUIDANCE[step % 2], generator)
        latents.append(made.numpy().astype(np.float16))
        pictures.append(originals.draw(plan).numpy())
        spent = time.monotonic() - begin
        print(f"batch {step}: {number} of {len(batches)}, {spent:.0f} s", flush=True)
    return np.concatenate(latents), np.concatenate(pictures)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run", default="base")
    parser.add_argument("--count", type=int, default=3000, help="pictures")
    parser.add_argument("--batch", type=int, default=50)
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    steps = list(range(arguments.count // arguments.batch))
    shares = [steps[k :: arguments.processes] for k in range(arguments.processes)]
    with get_context("spawn").Pool(arguments.processes) as pool:
        jobs = [(arguments.run, share, arguments.batch) for share in shares]
        latents, pictures = zip(*pool.starmap(work, jobs), strict=True)
    latents, pictures = np.concatenate(latents), np.concatenate(pictures)
    np.savez(DATA / "redrawn.npz", latents=latents, pictures=pictures)
    print(f"{len(latents)} pictures redrawn")


if __name__ == "__main__":
    main()
