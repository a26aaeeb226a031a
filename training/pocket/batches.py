"""What the denoiser is shown: random pictures with prompts, and the same subject crossing from
style to style.

A *plain* sample is a picture and a prompt that describes it. A *crossed* sample has a second
picture of the same subject, drawn in another style (or the line drawing of the picture itself),
moved so that both have the same bounds. Its input lies on the straight path from the second picture
at noise fraction s to the first picture without noise,

    x_t = (t / s) ((1 - s) other + s eps) + (1 - t / s) x0,    t <= s <= 1,

so the network learns to leave style A for the prompt's style B from the start level of an edit
downwards. With s = 1 nothing of the other picture is left, and x_t is the plain path: pure noise
stays independent of any source. Pairs that agree badly in shape only cross from high s.

A `Planner` decides (numbers only, in as many processes as wanted), a `Painter` draws (on any
device). The plan of step k depends on the seed and on k alone.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np
import torch
from tokenizers import Tokenizer
from torch.nn import functional as F

from captions import caption, load_index
from codec import Codec
from data import COLOURS, held_out
from paths import DATA

CROSSED = 0.6
"""Share of samples that cross styles where their subject allows it."""
LOWEST_START = 0.38
"""Below this noise fraction the picture itself should survive: no crossing starts there."""
SIDED = re.compile(r"left|right|clock|letter|button")
"""Subjects that a mirror would turn into another subject."""


@dataclass
class Batch:
    """`target`, `other` (B, C, h, w) latents; `ids` (B, L); `t`, `start` (B,); start 1 is plain."""

    target: torch.Tensor
    other: torch.Tensor
    ids: torch.Tensor
    t: torch.Tensor
    start: torch.Tensor

    def noised(self, eps: torch.Tensor) -> torch.Tensor:
        """x_t of the module's docstring."""
        t, s = self.t.view(-1, 1, 1, 1), self.start.view(-1, 1, 1, 1)
        return t / s * (1 - s) * self.other + (1 - t / s) * self.target + t * eps


def lowest_start(score: float) -> float:
    """Noise fraction from which a pair with this agreement may cross."""
    return float(np.clip(0.95 - 0.72 * score, LOWEST_START, 0.9))


def place(bounds: list[int]) -> tuple[float, float, float, float]:
    """Centre x, y and half extents of `bounds`, in grid units (-1 … 1 over the picture)."""
    left, top, right, bottom = (v / 128 - 1 for v in bounds)
    width, height = max(right - left, 0.1), max(bottom - top, 0.1)
    return (left + right) / 2, (top + bottom) / 2, width / 2, height / 2


class Planner:
    """Random decisions about samples: indices, affine maps, backgrounds, prompts, levels."""

    def __init__(self, *, held: bool = False, crossed: float = CROSSED):
        self.records, self.crossed = load_index(), crossed
        hidden = held_out(self.records)
        self.usable = np.flatnonzero(hidden if held else ~hidden)
        self.tokenizer = Tokenizer.from_file(str(DATA / "tokenizer.json"))
        self.partners: dict[int, list[tuple[int, float]]] = {}
        pairs, allowed = np.load(DATA / "agreement.npz"), set(self.usable.tolist())
        for a, b, score in zip(pairs["source"], pairs["target"], pairs["score"], strict=True):
            if int(a) in allowed and int(b) in allowed and score > 0.2:
                self.partners.setdefault(int(b), []).append((int(a), float(score)))

    def level(self, rng: np.random.Generator) -> float:
        """Noise fraction: mostly logit-normal around 0.6, where restyling happens."""
        if rng.random() < 0.125:
            return float(rng.uniform(0.01, 1.0))
        return float(1 / (1 + np.exp(-(0.45 + 1.0 * rng.standard_normal()))))

    def partner(self, index: int, drawn: bool, rng: np.random.Generator) -> tuple[int, bool, float]:
        """(picture, is it drawn, agreement) to cross from."""
        if drawn:
            return index, False, 1.0
        others = self.partners.get(index, [])
        if not others or rng.random() < 0.2:
            return index, True, 1.0
        weights = np.array([score for _, score in others]) ** 1.5
        other, score = others[int(rng.choice(len(others), p=weights / weights.sum()))]
        return other, False, score

    def sample(self, rng: np.random.Generator) -> dict:
        """One sample."""
        index, drawn = int(rng.choice(self.usable)), bool(rng.random() < 0.12)
        record = self.records[index]
        t, start, other, other_drawn = self.level(rng), 1.0, index, drawn
        if rng.random() < self.crossed:
            candidate, candidate_drawn, score = self.partner(index, drawn, rng)
            low = max(t, lowest_start(score))
            if low < 0.97:
                same = low == t and rng.random() < 0.5
                start = t if same else float(rng.uniform(low, 0.98))
                other, other_drawn = candidate, candidate_drawn
        flip = -1.0 if rng.random() < 0.3 and not SIDED.search(record["subject"]) else 1.0
        zoom, dx, dy = 1.0, 0.0, 0.0
        if rng.random() < 0.5:
            zoom = float(np.exp(rng.uniform(-0.05, 0.2)))
            dx, dy = rng.uniform(-0.12, 0.12, 2)
        background, tint = None, np.ones(3)
        if rng.random() < 0.15:
            background = str(rng.choice(list(COLOURS)))
            tint = np.clip(np.array(COLOURS[background]) / 255 + rng.normal(0, 0.03, 3), 0, 1)
            background = None if background == "white" else background
        style = "sketch" if drawn else record["style"]
        text = caption(record, style, background, rng, keep_style=start < 1)
        if start == 1.0 and rng.random() < 0.12:
            text = ""
        theta = np.array([[flip * zoom, 0, dx], [0, zoom, dy]])
        return {
            "target": index, "target_drawn": drawn, "other": other, "other_drawn": other_drawn,
            "theta": theta, "other_theta": self.follow(theta, index, other), "tint": tint,
            "text": text, "t": t, "start": start,
        }  # fmt: skip

    def follow(self, theta: np.ndarray, target: int, other: int) -> np.ndarray:
        """`theta`, changed so that the other picture's bounds land on the target's."""
        if target == other:
            return theta
        tx, ty, tw, th = place(self.records[target]["bounds"])
        ox, oy, ow, oh = place(self.records[other]["bounds"])
        sx, sy = ow / tw, oh / th
        return np.array(
            [
                [theta[0, 0] * sx, 0, (theta[0, 2] - tx) * sx + ox],
                [0, theta[1, 1] * sy, (theta[1, 2] - ty) * sy + oy],
            ]
        )

    def plan(self, size: int, seed: int, step: int) -> dict[str, np.ndarray]:
        """`size` samples as arrays; `ids` (B, L) instead of the prompts."""
        rng = np.random.default_rng([seed, step])
        samples = [self.sample(rng) for _ in range(size)]
        texts = [s.pop("text") for s in samples]
        arrays = {key: np.array([s[key] for s in samples]) for key in samples[0]}
        ids = np.array([e.ids for e in self.tokenizer.encode_batch(texts)], np.int64)
        return arrays | {"ids": ids}


class Painter:
    """Draws plans: pictures moved, composed on their backgrounds and encoded, on any device."""

    def __init__(self, codec: Codec, device: str):
        mode = "r" if device == "cpu" else None
        self.pictures = np.load(DATA / "pictures128.npy", mmap_mode=mode)
        self.sketches = np.load(DATA / "sketches128.npy", mmap_mode=mode)
        self.codec, self.device = codec.to(device), device
        if device != "cpu":
            self.pictures = torch.from_numpy(self.pictures).to(device)
            self.sketches = torch.from_numpy(self.sketches).to(device)

    def load(self, indices: np.ndarray, drawn: np.ndarray) -> torch.Tensor:
        """(B, 4, 128, 128) premultiplied 0 … 255; line drawings where `drawn`."""
        if self.device == "cpu":
            rgba = torch.from_numpy(self.pictures[indices])
            ink = torch.from_numpy(self.sketches[indices[drawn]])
        else:
            rgba, ink = self.pictures[indices], self.sketches[indices[drawn]]
        rgba = rgba.permute(0, 3, 1, 2).float()
        where = torch.from_numpy(np.flatnonzero(drawn)).to(self.device)
        rgba[where] = F.pad(ink.float().unsqueeze(1), (0, 0, 0, 0, 3, 0))
        return rgba

    def draw(
        self, indices: np.ndarray, drawn: np.ndarray, theta: np.ndarray, tint: torch.Tensor
    ) -> torch.Tensor:
        """Latents (B, C, 16, 16)."""
        raw = self.load(indices, drawn)
        moves = torch.from_numpy(theta).float().to(self.device)
        grid = F.affine_grid(moves, list(raw.shape), align_corners=False)
        rgba = F.grid_sample(raw, grid, align_corners=False) / 255
        image = rgba[:, :3] + (1 - rgba[:, 3:]) * tint
        return self.codec.encode(image * 2 - 1)

    @torch.no_grad()
    def paint(self, plan: dict[str, np.ndarray]) -> Batch:
        put = lambda v: torch.from_numpy(v).to(self.device)  # noqa: E731
        tint = put(plan["tint"]).float()[..., None, None]
        target = self.draw(plan["target"], plan["target_drawn"], plan["theta"], tint)
        other, crossed = target.clone(), np.flatnonzero(plan["start"] < 1)
        if len(crossed):
            keys = ("other", "other_drawn", "other_theta")
            other[put(crossed)] = self.draw(*(plan[k][crossed] for k in keys), tint[put(crossed)])
        t, start = (put(plan[key]).float() for key in ("t", "start"))
        return Batch(target, other, put(plan["ids"]), t, start)


def plans(planner: Planner, size: int, seed: int, step: int, workers: int) -> Iterator[dict]:
    """The plans of steps `step`, `step + 1`, …; made ahead by `workers` processes where not 0."""
    if not workers:
        while True:
            yield planner.plan(size, seed, step)
            step += 1
    _shared.append(planner)
    with get_context("fork").Pool(workers) as pool:
        waiting = [pool.apply_async(_plan, (size, seed, step + k)) for k in range(4 * workers)]
        while True:
            yield waiting.pop(0).get()
            step += 1
            waiting.append(pool.apply_async(_plan, (size, seed, step + 4 * workers - 1)))


_shared: list[Planner] = []
"""The planner as the worker processes inherit it."""


def _plan(size: int, seed: int, step: int) -> dict[str, np.ndarray]:
    return _shared[-1].plan(size, seed, step)
