"""A small judge: which style and which subject a picture shows, learned from real pictures only.

    python classifier.py --epochs 24     # writes judge.pt under RUNS, prints its own accuracy

It sees 64 px pictures. Its accuracy on real pictures nobody trained on is the ruler for generated
ones. Subjects are those with at least three training pictures; whole held-out subjects are unknown
to it.
"""

import argparse
import json
import math
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from captions import STYLE_PHRASES, load_index
from data import halve, held_out
from model import count
from paths import DATA, RUNS, wait_while_paused

STYLES = sorted(STYLE_PHRASES)
JUDGE = RUNS / "judge.pt"


class Judge(nn.Module):
    """image (B, 3, 64, 64) in [-1, 1] -> style logits (B, 10), subject logits (B, S)."""

    def __init__(self, subjects: list[str]):
        super().__init__()
        self.subjects = subjects
        layers: list[nn.Module] = []
        for inner, outer in ((3, 24), (24, 64), (64, 128), (128, 256)):
            layers += [
                nn.Conv2d(inner, outer, 4 if inner == 3 else 3, 2, 1),
                nn.BatchNorm2d(outer),
                nn.GELU(),
            ]
            if outer > 64:
                layers += [nn.Conv2d(outer, outer, 3, 1, 1), nn.BatchNorm2d(outer), nn.GELU()]
        self.trunk = nn.Sequential(*layers)
        self.style = nn.Linear(2 * 256, len(STYLES))
        self.subject = nn.Sequential(
            nn.Flatten(), nn.Dropout(0.3), nn.Linear(256 * 16, 384), nn.BatchNorm1d(384)
        )
        self.names = nn.Linear(384, len(subjects), bias=False)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        h = self.trunk(image)
        pooled = torch.cat([h.mean(dim=(2, 3)), h.amax(dim=(2, 3))], dim=1)
        directions = F.normalize(self.names.weight, dim=1)
        return self.style(pooled), 16 * F.normalize(self.subject(h), dim=1) @ directions.T


def compose(rgba: torch.Tensor, tint: torch.Tensor) -> torch.Tensor:
    """(B, 4, s, s) premultiplied 0 … 255 on a plain colour -> [-1, 1]."""
    rgba = rgba.float() / 255
    return (rgba[:, :3] + (1 - rgba[:, 3:]) * tint) * 2 - 1


def disturb(rgba: torch.Tensor, g: torch.Generator) -> torch.Tensor:
    """Moved, scaled, sometimes blurred or noisy or on another ground: no lesson in pixels."""
    n = len(rgba)
    zoom, move = (
        torch.exp(0.2 * torch.rand(n, generator=g) - 0.1),
        0.24 * torch.rand(n, 2, generator=g) - 0.12,
    )
    theta = torch.zeros(n, 2, 3)
    theta[:, 0, 0], theta[:, 1, 1], theta[:, :, 2] = (
        zoom,
        zoom * torch.exp(0.1 * torch.randn(n, generator=g)),
        move,
    )
    rgba = F.grid_sample(
        rgba.float(),
        F.affine_grid(theta, list(rgba.shape), align_corners=False),
        align_corners=False,
    )
    tint = torch.where(
        torch.rand(n, 1, 1, 1, generator=g) < 0.2,
        torch.rand(n, 3, 1, 1, generator=g),
        torch.ones(1),
    )
    image = compose(rgba, tint)
    soft = F.interpolate(
        F.avg_pool2d(image, 2), scale_factor=2.0, mode="bilinear", align_corners=False
    )
    blend = torch.rand(n, 1, 1, 1, generator=g) * (torch.rand(n, 1, 1, 1, generator=g) < 0.4)
    image = image + blend * (soft - image)
    noise = 0.12 * torch.rand(n, 1, 1, 1, generator=g) * (torch.rand(n, 1, 1, 1, generator=g) < 0.4)
    return image + noise * torch.randn(image.shape, generator=g)


def material() -> tuple[torch.Tensor, np.ndarray, np.ndarray, np.ndarray, list[str]]:
    """64 px pictures then their line drawings, (2N, 4, 64, 64) uint8; style, subject (-1 unknown),
    held; names.
    """
    records, held = load_index(), held_out(load_index())
    pictures = halve(np.load(DATA / "pictures128.npy"))
    drawings = np.zeros_like(pictures)
    drawings[..., 3] = halve(np.load(DATA / "sketches128.npy"))
    counts: dict[str, int] = {}
    for record, hidden in zip(records, held, strict=True):
        counts[record["subject"]] = counts.get(record["subject"], 0) + (not hidden)
    names = sorted(name for name, number in counts.items() if number >= 3)
    place = {name: i for i, name in enumerate(names)}
    subject = np.array([place.get(r["subject"], -1) for r in records])
    style = np.array([STYLES.index(r["style"]) for r in records])
    everything = torch.from_numpy(np.concatenate([pictures, drawings])).permute(0, 3, 1, 2)
    styles = np.concatenate([style, np.full(len(style), STYLES.index("sketch"))])
    return everything, styles, np.tile(subject, 2), np.tile(held, 2), names


@torch.no_grad()
def accuracy(
    judge: Judge, images: torch.Tensor, style: np.ndarray, subject: np.ndarray
) -> dict[str, float]:
    """Share of right styles, subjects (top 1, top 5; known subjects only)."""
    judge.eval()
    results = [judge(part) for part in images.split(128)]
    styles, subjects = (torch.cat(parts).numpy() for parts in zip(*results, strict=True))
    known = subject >= 0
    top = (-subjects[known]).argsort(1)[:, :5]
    hits = top == subject[known][:, None]
    return {
        "pictures": len(style),
        "style": round(float((styles.argmax(1) == style).mean()), 4),
        "subject_top1": round(float(hits[:, 0].mean()), 4),
        "subject_top5": round(float(hits.any(1).mean()), 4),
    }


def load_judge() -> Judge:
    state = torch.load(JUDGE, map_location="cpu", weights_only=False)
    judge = Judge(state["subjects"])
    judge.load_state_dict(state["judge"])
    return judge.eval()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--epochs", type=int, default=24)
    parser.add_argument("--batch", type=int, default=96)
    arguments = parser.parse_args()
    g = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    images, style, subject, held, names = material()
    n = len(images) // 2
    art, drawn = np.flatnonzero(~held[:n]), n + np.flatnonzero(~held[:n])
    judge = Judge(names)
    optimiser = torch.optim.AdamW(judge.parameters(), 2e-3, weight_decay=0.05)
    steps = arguments.epochs * (len(art) + len(art) // 8) // arguments.batch
    print(f"{count(judge):.2f} M parameters, {len(names)} subjects, {steps} steps", flush=True)
    rng, step, begin = np.random.default_rng(0), 0, time.monotonic()
    while step < steps:
        order = rng.permutation(
            np.concatenate([art, rng.choice(drawn, len(art) // 8, replace=False)])
        )
        for chosen in np.array_split(order, len(order) // arguments.batch):
            wait_while_paused()
            for group in optimiser.param_groups:
                group["lr"] = (
                    2e-3
                    * min(1, (step + 1) / 200)
                    * (0.5 + 0.5 * math.cos(math.pi * min(1, step / steps)))
                )
            judge.train()
            with torch.autocast("cpu", torch.bfloat16):
                styles, subjects = judge(disturb(images[chosen], g))
            loss = F.cross_entropy(styles.float(), torch.tensor(style[chosen]))
            target = torch.tensor(subject[chosen])
            loss = loss + F.cross_entropy(
                subjects.float(), target, ignore_index=-1, label_smoothing=0.05
            )
            loss.backward()
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
            step += 1
            if step % 400 == 0:
                print(step, round(loss.item(), 3), f"{time.monotonic() - begin:.0f} s", flush=True)
    test = np.flatnonzero(held[:n])
    white = compose(images[test], torch.ones(1))
    report = accuracy(judge, white, style[test], subject[test])
    torch.save({"judge": judge.state_dict(), "subjects": names, "real": report}, JUDGE)
    print(json.dumps(report))


if __name__ == "__main__":
    main()
