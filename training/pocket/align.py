"""Lay drawings of one subject from different sets over one another, part upon part.

    python align.py           # after data.py: writes alignment.npz, 15 minutes of one core

Different hands draw a cat at different proportions: a network shown such pairs learns blur, not
style. Each source is therefore bent (a smooth field of 9 x 9 displacements) until its outline,
edges and colours lie on those of the target. The target stays as it was drawn; only what the
network starts from is bent. The four Fluent sets are one drawing finished in four ways: they need
no bending among themselves, and the flat one stands for all of them.

`alignment.npz`: `source`, `target` (P,) indices; `score` (P,) 0 … 1 agreement after bending, as in
data.agreement; `bend` (P, 2, 9, 9) float16: x, y displacements in units of the source's bounds (-1
… 1 from edge to edge), at places spread over the target's bounds.
"""

import argparse
import time

import numpy as np
import torch
from PIL import Image
from scipy import ndimage
from torch.nn import functional as F

from captions import load_index
from data import on_white
from paths import DATA

SIDE, GRID = 32, 9
LEAST = 0.15
"""Pairs that agree less before bending are not worth it."""
FLUENT, SAME = ("flat", "3d", "gradient", "silhouette"), 0.9
"""Sets that share their drawings, and the agreement that this counts for."""
STIFFNESS = 12.0
ROUNDS = 30


def features(picture: np.ndarray, bounds: list[int]) -> np.ndarray:
    """(5, SIDE, SIDE) float32 of the picture inside its bounds: opacity, edges, three colours."""
    left, top, right, bottom = (v // 2 for v in bounds)
    crop = picture[top : max(bottom, top + 4), left : max(right, left + 4)]
    crop = np.asarray(Image.fromarray(crop, "RGBA").resize((SIDE, SIDE), Image.Resampling.BOX))
    white = on_white(crop)
    luma = ndimage.gaussian_filter(white.mean(-1), 0.7)
    slope = ndimage.gaussian_filter(np.hypot(ndimage.sobel(luma, 0), ndimage.sobel(luma, 1)), 0.8)
    slope = slope / max(float(slope.std()), 1e-3)
    colour = white - white.mean((0, 1))
    layers = [crop[..., 3] / np.float32(255), slope, *colour.transpose(2, 0, 1)]
    return np.stack(layers).astype(np.float32)


def stand_ins(records: list[dict]) -> np.ndarray:
    """(N,) index of the picture whose shape stands for each picture's: of the Fluent ones the first
    in FLUENT that the subject has.
    """
    best: dict[str, int] = {}
    for i, record in enumerate(records):
        if record["style"] in FLUENT:
            rank = FLUENT.index(record["style"])
            held = best.get(record["subject"])
            if held is None or rank < FLUENT.index(records[held]["style"]):
                best[record["subject"]] = i
    return np.array([
        best[r["subject"]] if r["style"] in FLUENT else i for i, r in enumerate(records)
    ])  # fmt: skip


def blurred(layers: torch.Tensor, sigma: float) -> torch.Tensor:
    """(B, C, s, s), Gaussian blur."""
    radius = int(3 * sigma)
    weights = torch.exp(-(torch.arange(-radius, radius + 1) ** 2) / (2 * sigma**2))
    weights = (weights / weights.sum()).expand(layers.shape[1], 1, 1, -1)
    padded = F.pad(layers, (radius,) * 4, mode="replicate")
    rows = F.conv2d(padded, weights, groups=layers.shape[1])
    return F.conv2d(rows, weights.transpose(2, 3), groups=layers.shape[1])


def bent(layers: torch.Tensor, bend: torch.Tensor) -> torch.Tensor:
    """`layers` (B, C, s, s) looked up at their own places plus `bend` (B, 2, 9, 9)."""
    n, _, side, _ = layers.shape
    still = F.affine_grid(torch.eye(2, 3).expand(n, 2, 3), [n, 1, side, side], align_corners=False)
    field = F.interpolate(bend, size=(side, side), mode="bilinear", align_corners=True)
    places = still + field.permute(0, 2, 3, 1)
    return F.grid_sample(layers, places, align_corners=False, padding_mode="border")


def agreement_of(source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """(B,): correlation of the edges times the overlap of the silhouettes."""
    a, b = (x[:, 1].flatten(1) for x in (source, target))
    a, b = a - a.mean(1, keepdim=True), b - b.mean(1, keepdim=True)
    edges = F.cosine_similarity(a, b, dim=1).clamp_min(0)
    inside, other = source[:, 0] > 0.5, target[:, 0] > 0.5
    union = (inside | other).sum((1, 2)).clamp_min(1)
    return edges * (inside & other).sum((1, 2)) / union


def align(source: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Bends (B, 2, 9, 9) that lay `source` on `target`, and the agreement (B,) they reach."""
    weights = torch.tensor([2.0, 0.15, 1.0, 1.0, 1.0]).view(1, -1, 1, 1)
    bend = torch.zeros(len(source), 2, GRID, GRID, requires_grad=True)
    optimiser = torch.optim.Adam([bend], lr=0.02, betas=(0.8, 0.95))
    for sigma, rounds in ((1.7, ROUNDS // 2), (0.7, ROUNDS - ROUNDS // 2)):
        a, b = blurred(source, sigma), blurred(target, sigma)
        for _ in range(rounds):
            apart = (weights * (bent(a, bend) - b) ** 2).mean((2, 3)).sum()
            strain = sum((bend.diff(dim=d) ** 2).mean((1, 2, 3)).sum() for d in (2, 3))
            (apart + STIFFNESS * strain).backward()
            optimiser.step()
            optimiser.zero_grad()
    with torch.no_grad():
        return bend.detach(), agreement_of(bent(source, bend), target)


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    records, pictures = load_index(), np.load(DATA / "pictures128.npy", mmap_mode="r")
    pairs, shape = np.load(DATA / "agreement.npz"), stand_ins(records)
    source, target, score = (pairs[key] for key in ("source", "target", "score"))
    same = shape[source] == shape[target]
    keys = shape[source].astype(np.int64) * len(records) + shape[target]
    known = dict(zip(source * len(records) + target, score, strict=True))
    score = np.array([known.get(key, old) for key, old in zip(keys, score, strict=True)])
    score[same] = np.maximum(score[same], SAME)
    chosen = same | (score > LEAST)
    source, target, score, same, keys = (a[chosen] for a in (source, target, score, same, keys))
    unique, back = np.unique(keys[~same], return_inverse=True)
    layers = np.stack([
        features(np.asarray(picture), record["bounds"])
        for picture, record in zip(pictures, records, strict=True)
    ])  # fmt: skip
    bends, reached = np.zeros((len(unique), 2, GRID, GRID), np.float16), np.zeros(len(unique))
    begin = time.monotonic()
    for first in range(0, len(unique), 64):
        part = slice(first, first + 64)
        a, b = (torch.from_numpy(layers[k]) for k in divmod(unique[part], len(records)))
        bend, after = align(a, b)
        bends[part], reached[part] = bend.numpy(), after.numpy()
        if first % 640 == 0:
            print(f"{first} of {len(unique)}, {time.monotonic() - begin:.0f} s", flush=True)
    bend = np.zeros((len(score), 2, GRID, GRID), np.float16)
    before = score.copy()
    score[~same], bend[~same] = reached[back], bends[back]
    np.savez(DATA / "alignment.npz", source=source, target=target, score=score, bend=bend)
    print(f"agreement {before[~same].mean():.3f} before, {score[~same].mean():.3f} after bending")


if __name__ == "__main__":
    main()
