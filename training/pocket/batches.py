"""What the denoiser is shown: random pictures with prompts, and pictures crossing from style to
style.

A *plain* sample is a picture and a prompt that describes it. A *crossed* sample has a second
picture that shows the same in another manner. Its input lies on the straight path from the second
picture at noise fraction s to the first picture without noise,

    x_t = (t / s) ((1 - s) other + s eps) + (1 - t / s) x0,    t <= s <= 1,

so the network learns to leave style A for the prompt's style B from the start level of an edit
downwards; at t = s, where an edit begins, the input is the other picture and noise alone. With s =
1 nothing of the other picture is left, and x_t is the plain path: pure noise stays independent of
any source. The other picture is

    another drawing    of the same subject, laid on the first and bent to its parts (align.py);
    a line drawing     of the picture itself;
    a disguise         of the picture itself (disguise.py).

What lies exactly on the picture may cross from little noise, loosely fitting drawings only from
more. Without a prompt nothing crosses: who asks for nothing gets the picture as it is, and what
guidance amplifies is all that a prompt would change about it.

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
from disguise import FIELD, PARTS, disguised, draw_disguise
from library import load_library
from model import Shape
from paths import DATA

CROSSED = 0.6
"""Share of samples with a prompt that cross."""
SILENT = 0.12
"""Share of samples without a prompt."""
LOWEST_START = 0.3
"""Below this noise fraction the picture itself should survive: no crossing starts there."""
BEGINNING = 0.5
"""Share of the crossed samples with t = s."""
GRID = 9
"""Points a side of a bend (align.py)."""
BARRED = (0.42, 0.3, 0.2, 0.08)
"""How often the library offers all it has, not the target itself, nothing of its subject, nothing
at all: in use, a prompt may name a picture that it holds or one that it lacks.
"""
SIDED = re.compile(r"left|right|clock|letter|button")
"""Subjects that a mirror would turn into another subject."""


@dataclass
class Batch:
    """`target`, `other` (B, C, h, w) latents; `ids` (B, L); `found` (B, TOKENS, context) what the
    prompt found in the library; `t`, `start` (B,); start 1 is plain.
    """

    target: torch.Tensor
    other: torch.Tensor
    ids: torch.Tensor
    found: torch.Tensor
    t: torch.Tensor
    start: torch.Tensor

    def noised(self, eps: torch.Tensor) -> torch.Tensor:
        """x_t of the module's docstring."""
        t, s = self.t.view(-1, 1, 1, 1), self.start.view(-1, 1, 1, 1)
        return t / s * (1 - s) * self.other + (1 - t / s) * self.target + t * eps


def lowest_start(score: float) -> float:
    """Noise fraction from which a pair with this agreement may cross."""
    return float(np.clip(1.1 - 1.1 * score, LOWEST_START, 0.85))


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
        self.partners: dict[int, list[tuple[int, float, int]]] = {}
        pairs, allowed = np.load(DATA / "alignment.npz"), set(self.usable.tolist())
        self.bends = pairs["bend"]
        columns = (pairs[key].tolist() for key in ("source", "target", "score"))
        for row, (a, b, score) in enumerate(zip(*columns, strict=True)):
            if a in allowed and b in allowed and score > 0.3:
                self.partners.setdefault(b, []).append((a, score, row))

    def level(self, rng: np.random.Generator) -> float:
        """Noise fraction: mostly logit-normal around 0.55, where restyling happens."""
        if rng.random() < 0.125:
            return float(rng.uniform(0.01, 1.0))
        return float(1 / (1 + np.exp(-(0.2 + 1.0 * rng.standard_normal()))))

    def crossing(self, index: int, drawn: bool, rng: np.random.Generator) -> dict:
        """What to cross from: picture, is it drawn, its bend, its disguise, and its agreement."""
        plain = {
            "other": index, "other_drawn": drawn, "bend": np.zeros((2, GRID, GRID), np.float32),
            "disguise": np.zeros(len(PARTS), np.float32),
            "light": np.zeros((FIELD, FIELD), np.float32), "disguised": False, "score": 1.0,
        }  # fmt: skip
        others, kind = self.partners.get(index, []), rng.random()
        if drawn:
            return plain | {"other_drawn": False}
        if kind < 0.12:
            return plain | {"other_drawn": True}
        if kind < 0.35 or not others:
            amounts, light = draw_disguise(rng)
            return plain | {"disguise": amounts, "light": light, "disguised": True}
        weights = np.array([score for _, score, _ in others])
        other, score, row = others[int(rng.choice(len(others), p=weights / weights.sum()))]
        bend = self.bends[row].astype(np.float32) * self.extent(other)[:, None, None]
        found = plain | {"other": other, "bend": bend, "score": score}
        if kind > 0.85:
            found["disguise"], found["light"] = draw_disguise(rng)
            found["disguised"] = True
        return found

    def extent(self, index: int) -> np.ndarray:
        """(2,) half extents of a picture's bounds, in grid units."""
        return np.array(place(self.records[index]["bounds"])[2:], np.float32)

    def levels(self, crossed: bool, low: float, rng: np.random.Generator) -> tuple[float, float]:
        """t and start of a sample whose other picture may cross from `low`."""
        if not crossed:
            return self.level(rng), 1.0
        start = float(rng.uniform(low, 0.98))
        if rng.random() < BEGINNING:
            return start, start
        return float(start * max(rng.random(), 0.02) ** 0.8), start

    def sample(self, rng: np.random.Generator) -> dict:
        """One sample."""
        index, drawn = int(rng.choice(self.usable)), bool(rng.random() < 0.1)
        record, other = self.records[index], self.crossing(index, drawn, rng)
        silent = bool(rng.random() < SILENT)
        crossed = not silent and bool(rng.random() < self.crossed)
        t, start = self.levels(crossed, lowest_start(other["score"]), rng)
        flip = -1.0 if rng.random() < 0.1 and not SIDED.search(record["subject"]) else 1.0
        zoom, dx, dy = 1.0, 0.0, 0.0
        if rng.random() < 0.35:
            zoom = float(np.exp(rng.uniform(-0.05, 0.2)))
            dx, dy = rng.uniform(-0.12, 0.12, 2)
        background, tint = None, np.ones(3)
        if rng.random() < 0.15:
            background = str(rng.choice(list(COLOURS)))
            tint = np.clip(np.array(COLOURS[background]) / 255 + rng.normal(0, 0.03, 3), 0, 1)
            background = None if background == "white" else background
        style = "sketch" if drawn else record["style"]
        text = "" if silent else caption(record, style, background, rng, keep_style=start < 1)
        theta = np.array([[flip * zoom, 0, dx], [0, zoom, dy]])
        return {
            "target": index, "target_drawn": drawn, "theta": theta, "tint": tint,
            "other_theta": self.follow(theta, index, other["other"]),
            "bend_theta": self.within(theta, index), **other,
            "text": text, "t": t, "start": start, "barred": int(rng.choice(4, p=BARRED)),
        }  # fmt: skip

    def within(self, theta: np.ndarray, target: int) -> np.ndarray:
        """`theta`, changed so that the target's bounds become -1 … 1."""
        x, y, width, height = place(self.records[target]["bounds"])
        centre = np.array([[0, 0, x], [0, 0, y]])
        return (theta - centre) / np.array([[width], [height]])

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
        self.library = load_library(Shape.context).to(device)
        names = [record["subject"] for record in load_index()]
        self.subjects = np.unique(names, return_inverse=True)[1]
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

    def compose(self, rgba: torch.Tensor, places: torch.Tensor, tint: torch.Tensor) -> torch.Tensor:
        """Latents (B, C, 16, 16) of pictures (B, 4, 128, 128) looked up at `places`."""
        moved = F.grid_sample(rgba, places, align_corners=False)
        return self.codec.encode((moved[:, :3] + (1 - moved[:, 3:]) * tint) * 2 - 1)

    def grid(self, theta: np.ndarray) -> torch.Tensor:
        moves = torch.from_numpy(theta).float().to(self.device)
        return F.affine_grid(moves, [len(theta), 1, 128, 128], align_corners=False)

    def draw_other(self, plan: dict[str, np.ndarray], tint: torch.Tensor) -> torch.Tensor:
        """Latents of the pictures to cross from, disguised and bent as planned."""
        put = lambda v: torch.from_numpy(v).to(self.device)  # noqa: E731
        rgba = self.load(plan["other"], plan["other_drawn"]) / 255
        changed = np.flatnonzero(plan["disguised"])
        if len(changed):
            ink = self.load(plan["other"][changed], np.ones(len(changed), bool))[:, 3:] / 255
            amounts, light = put(plan["disguise"][changed]), put(plan["light"][changed])
            rgba[put(changed)] = disguised(rgba[put(changed)], ink, amounts, light)
        places = self.grid(plan["other_theta"])
        bent = np.flatnonzero(np.abs(plan["bend"]).max(axis=(1, 2, 3)))
        if len(bent):
            inside = self.grid(plan["bend_theta"][bent])
            field = F.grid_sample(
                put(plan["bend"][bent]), inside, align_corners=True, padding_mode="border"
            )
            places[put(bent)] += field.permute(0, 2, 3, 1)
        return self.compose(rgba, places, tint)

    def look_up(self, plan: dict[str, np.ndarray]) -> torch.Tensor:
        """(B, TOKENS, context)."""
        entries, bar = self.library.entries.cpu().numpy(), plan["barred"][:, None]
        same = entries[None] == plan["target"][:, None]
        related = self.subjects[entries][None] == self.subjects[plan["target"]][:, None]
        barred = np.where(bar == 1, same, (bar == 2) & related)
        ids = torch.from_numpy(plan["ids"] * (bar < 3)).to(self.device)
        return self.library(ids, torch.from_numpy(barred).to(self.device))

    @torch.no_grad()
    def paint(self, plan: dict[str, np.ndarray]) -> Batch:
        put = lambda v: torch.from_numpy(v).to(self.device)  # noqa: E731
        tint = put(plan["tint"]).float()[..., None, None]
        rgba = self.load(plan["target"], plan["target_drawn"]) / 255
        target = self.compose(rgba, self.grid(plan["theta"]), tint)
        other, crossed = target.clone(), np.flatnonzero(plan["start"] < 1)
        if len(crossed):
            part = {key: value[crossed] for key, value in plan.items()}
            other[put(crossed)] = self.draw_other(part, tint[put(crossed)])
        t, start = (put(plan[key]).float() for key in ("t", "start"))
        return Batch(target, other, put(plan["ids"]), self.look_up(plan), t, start)


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
