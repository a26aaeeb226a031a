"""What pocket can look up: every training picture in a few bytes a patch, and how a prompt finds
two of them.

    python library.py         # after codec.py: writes library.npz and finder.pt under DATA

A network of ten million weights cannot remember thirteen thousand drawings, a table can. Latents
are stored by residual vector quantisation: each position is the sum of one entry of each of STAGES
code books. A `Finder` turns the words of a prompt into a query and every picture has a key; it is
trained as one large classification, caption -> picture. The best picture comes to the denoiser as
further context tokens (semi-parametric diffusion; Blattmann et al. 2022 condition on neighbours
in the same way). No held-out picture is in the table.
"""

import argparse
import math
import time

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import nn
from torch.nn import functional as F

from captions import caption, load_index
from codec import CHANNELS, Codec, load_codec
from data import held_out
from model import load_word_vectors
from paths import DATA

STAGES, CODES = 3, 4096
FOUND = 1
"""Pictures a prompt finds: two make a collage where they disagree."""
SIDE = 16
"""Latent positions of a stored picture, each way."""
TOKENS = FOUND * SIDE**2 // 4
"""Context tokens they come as: 2 x 2 positions each."""
WIDTH = 96
"""Numbers in a query and a key."""
STYLE_SHARE = 0.95
"""How much the style counts in use: with less, "pizza, cartoon" finds a flat pizza though there is
a cartoon; with more, "teapot, flat", were there none, any other flat thing.
"""


def nearest(points: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
    """(P,) index of the nearest code of each point."""
    offset = (codes**2).sum(1) / 2
    parts = [(part @ codes.T - offset).argmax(1) for part in points.split(16_384)]
    return torch.cat(parts)


def code_book(points: torch.Tensor, rounds: int, generator: torch.Generator) -> torch.Tensor:
    """(CODES, C) by k-means, from random points; a code without points becomes a random point."""
    pick = lambda n: points[torch.randint(len(points), (n,), generator=generator)]  # noqa: E731
    codes = pick(CODES)
    for _ in range(rounds):
        owner = nearest(points, codes)
        counts = torch.bincount(owner, minlength=CODES)
        codes = torch.zeros_like(codes).index_add_(0, owner, points) / counts.clamp(1)[:, None]
        codes[counts == 0] = pick(int((counts == 0).sum()))
    return codes


@torch.no_grad()
def encode_all(codec: Codec, pictures: np.ndarray, entries: np.ndarray) -> torch.Tensor:
    """(N * 256, C) latents of the pictures on white."""
    rows = []
    for part in np.array_split(entries, math.ceil(len(entries) / 256)):
        rgba = torch.from_numpy(pictures[part]).float() / 255
        image = (rgba[..., :3] + 1 - rgba[..., 3:]).permute(0, 3, 1, 2) * 2 - 1
        rows.append(codec.encode(image).permute(0, 2, 3, 1).reshape(-1, CHANNELS))
    return torch.cat(rows)


def build() -> dict[str, np.ndarray]:
    """`entries` (N,) picture numbers, `codes` (STAGES, CODES, C), `indices` (N, 256, STAGES)."""
    records, generator = load_index(), torch.Generator().manual_seed(0)
    entries = np.flatnonzero(~held_out(records))
    pictures = np.load(DATA / "pictures128.npy", mmap_mode="r")
    codec = load_codec()
    latents = encode_all(codec, pictures, entries)
    pixels = codec.synthesis.flatten(1).norm(dim=1)  # so that errors count as they do in pixels
    blank = latents[0].clone()  # a corner of the first picture
    drawn = ((latents - blank).norm(dim=1) > 0.3).nonzero().flatten()
    rest = latents[drawn] * pixels
    chosen = torch.randperm(len(drawn), generator=generator)[:150_000]
    total, books = rest.var(dim=0).sum(), []
    indices = torch.zeros(len(latents), STAGES, dtype=torch.int32)
    for stage in range(STAGES):
        book = code_book(rest[chosen], 6, generator)
        book[0] = blank * pixels if stage == 0 else 0.0
        owner = nearest(rest, book)
        rest = rest - book[owner]
        books.append(book / pixels)
        indices[drawn, stage] = owner.int()
        left = rest.pow(2).sum(dim=1).mean()
        print(f"stage {stage}: {10 * math.log10(total / left):.1f} dB", flush=True)
    return {
        "entries": entries,
        "codes": torch.stack(books).numpy().astype(np.float16),
        "indices": indices.view(-1, SIDE**2, STAGES).numpy().astype(np.uint16),
    }


class Finder(nn.Module):
    """ids (B, L) -> logits (B, N) over the pictures of the library.

    A word is a learned vector plus a projection of its general word vector, with a weight of its
    own; a key is the sum of what its subject, its style and the picture itself have learnt.
    """

    def __init__(self, vectors: torch.Tensor, subjects: torch.Tensor, styles: torch.Tensor):
        super().__init__()
        self.own = nn.Embedding(len(vectors), WIDTH)
        nn.init.zeros_(self.own.weight)
        self.register_buffer("vectors", vectors)
        self.project = nn.Linear(vectors.shape[1], WIDTH, bias=False)
        self.weigh = nn.Linear(WIDTH, 1)
        self.think = nn.Sequential(
            nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH)
        )
        self.register_buffer("subjects", subjects)
        self.register_buffer("styles", styles)
        self.subject = nn.Parameter(0.1 * torch.randn(int(subjects.max()) + 1, WIDTH))
        self.style = nn.Parameter(0.1 * torch.randn(int(styles.max()) + 1, WIDTH))
        self.single = nn.Parameter(torch.zeros(len(subjects), WIDTH))

    def words(self, ids: torch.Tensor, forget: float) -> torch.Tensor:
        own = self.own(ids)
        if forget:
            own = own * (torch.rand(*ids.shape, 1) >= forget)
        return own + self.project(self.vectors[ids] / 10)

    def keys(self, style_share: float = 1.0) -> torch.Tensor:
        """(N, WIDTH)."""
        manner = style_share * self.style[self.styles]
        return self.subject[self.subjects] + manner + self.single

    def query(self, words: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        """Word vectors (B, L, WIDTH) of `ids` -> (B, WIDTH)."""
        weight = F.softplus(self.weigh(words)) * (ids != 0).unsqueeze(-1)
        mean = (weight * words).sum(1) / (weight.sum(1) + 0.1)
        return mean + self.think(mean)

    def forward(self, ids: torch.Tensor, forget: float = 0.0) -> torch.Tensor:
        return self.query(self.words(ids, forget), ids) @ self.keys().T


class Table(nn.Module):
    """Rows of a large table in 8 bits a number, with one scale a row."""

    def __init__(self, rows: torch.Tensor):
        super().__init__()
        scale = rows.abs().amax(dim=1, keepdim=True).clamp_min(1e-6) / 127
        self.register_buffer("scale", scale)
        self.register_buffer("small", (rows / scale).round().to(torch.int8))

    def cut(self, rows: int) -> None:
        """Drop the rows behind the first `rows`."""
        self.scale, self.small = self.scale[:rows].clone(), self.small[:rows].clone()

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.small[ids].float() * self.scale[ids]


RELUCTANT = {"silhouette": 2.5}
"""Styles that only come when asked for, and by how much: a silhouette shares the shape of three
other sets, and a prompt that misses its own style means none.
"""


class FoldedFinder(nn.Module):
    """A finder for use: one table of words, one of keys."""

    def __init__(self, finder: Finder, styles: list[str]):
        """`styles` (N,) names those of the pictures."""
        super().__init__()
        with torch.no_grad():
            self.words = Table(finder.own.weight + finder.project(finder.vectors / 10))
            self.keys = Table(finder.keys(STYLE_SHARE))
            penalty = torch.tensor([RELUCTANT.get(name, 0.0) for name in styles])
            self.register_buffer("penalty", penalty.float())
        self.weigh, self.think, self.query = finder.weigh, finder.think, finder.query

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        keys = self.keys.small.float() * self.keys.scale
        return self.query(self.words(ids), ids) @ keys.T - self.penalty


def new_finder(entries: np.ndarray) -> Finder:
    """Untrained."""
    records = load_index()
    number = lambda values: np.unique([values(records[i]) for i in entries], return_inverse=True)[1]  # noqa: E731
    subjects, styles = number(lambda r: r["subject"]), number(lambda r: r["style"])
    vectors = load_word_vectors(DATA / "word_vectors.npy")
    return Finder(vectors, torch.from_numpy(subjects), torch.from_numpy(styles))


def train(entries: np.ndarray, steps: int = 1600, batch: int = 512) -> Finder:
    """Caption -> picture, by cross entropy over the whole library."""
    torch.manual_seed(0)
    records, rng = load_index(), np.random.default_rng(0)
    tokenizer = Tokenizer.from_file(str(DATA / "tokenizer.json"))
    finder = new_finder(entries)
    free = [finder.single, finder.own.weight]
    rest = [p for p in finder.parameters() if not any(p is q for q in free)]
    groups = [{"params": rest, "weight_decay": 0.0}, {"params": free, "weight_decay": 0.03}]
    optimiser = torch.optim.AdamW(groups, 4e-3)
    begin = time.monotonic()
    for step in range(steps):
        place = rng.integers(len(entries), size=batch)
        texts = []
        for i in place:
            record = records[entries[i]]
            style = "sketch" if rng.random() < 0.08 else record["style"]
            texts.append(caption(record, style, None, rng))
        ids = torch.tensor([e.ids for e in tokenizer.encode_batch(texts)])
        loss = F.cross_entropy(finder(ids, 0.15), torch.from_numpy(place))
        for group in optimiser.param_groups:
            group["lr"] = 4e-3 * min(1.0, step / 100) * min(1.0, (steps - step) / (0.6 * steps))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if step % 200 == 0:
            print(f"step {step}: {loss.item():.3f}, {time.monotonic() - begin:.0f} s", flush=True)
    return finder.eval()


class Library(nn.Module):
    """ids (B, L) -> TOKENS context tokens (B, TOKENS, context): the latents of the pictures found,
    2 x 2 positions a token, then in two more columns how sure the finder is.
    """

    def __init__(self, finder: Finder, parts: dict[str, np.ndarray], context: int):
        super().__init__()
        self.finder, self.context = finder.requires_grad_(False), context
        self.register_buffer("codes", torch.from_numpy(parts["codes"]).float())
        self.register_buffer("indices", torch.from_numpy(parts["indices"].astype(np.int32)))
        self.register_buffer("entries", torch.from_numpy(parts["entries"]))

    def folded(self) -> FoldedFinder:
        """The finder as a model carries it."""
        records = load_index()
        return FoldedFinder(self.finder, [records[i]["style"] for i in self.entries.tolist()])

    def extend(self) -> None:
        """Take up the held-out pictures whose subject is there in another style: their keys are
        the sum of both, their latents are written with the code books that there are.
        """
        records = load_index()
        known, finder = self.entries.tolist(), self.finder
        subjects = {
            records[i]["subject"]: int(n) for i, n in zip(known, finder.subjects, strict=True)
        }
        styles = {records[i]["style"]: int(n) for i, n in zip(known, finder.styles, strict=True)}
        held = np.flatnonzero(held_out(records))
        new = np.array([i for i in held if records[i]["subject"] in subjects])
        pictures, codec = np.load(DATA / "pictures128.npy", mmap_mode="r"), load_codec()
        pixels = codec.synthesis.flatten(1).norm(dim=1)
        rest = encode_all(codec, pictures, new) * pixels
        indices = []
        for book in self.codes * pixels:
            indices.append(nearest(rest, book))
            rest = rest - book[indices[-1]]
        rows = torch.stack(indices, 1).view(len(new), SIDE**2, STAGES).int()
        self.indices = torch.cat([self.indices, rows])
        self.entries = torch.cat([self.entries, torch.from_numpy(new)])
        numbers = torch.tensor([subjects[records[i]["subject"]] for i in new])
        finder.subjects = torch.cat([finder.subjects, numbers])
        numbers = torch.tensor([styles[records[i]["style"]] for i in new])
        finder.styles = torch.cat([finder.styles, numbers])
        finder.single = nn.Parameter(F.pad(finder.single, (0, 0, 0, len(new))), requires_grad=False)

    def pictures(self, found: torch.Tensor) -> torch.Tensor:
        """(B, FOUND) places in the library -> latents (B, FOUND, C, 16, 16)."""
        rows = self.indices[found].long()
        latents = sum(self.codes[stage][rows[..., stage]] for stage in range(STAGES))
        return latents.transpose(-1, -2).unflatten(-1, (SIDE, SIDE))

    def forward(self, ids: torch.Tensor, barred: torch.Tensor | None = None) -> torch.Tensor:
        """`barred` (B, N) bool: not to be found."""
        logits = self.finder(ids)
        if barred is not None:
            logits = logits.masked_fill(barred, -1e4)
        best, found = logits.topk(FOUND, dim=1)
        share = (best - logits.logsumexp(dim=1, keepdim=True)).exp()
        latents = F.pixel_unshuffle(self.pictures(found).flatten(0, 1), 2)
        tokens = latents.flatten(2).transpose(1, 2)  # (B * FOUND, 64, 4 C)
        sure = (
            torch.stack([share, best / 10], dim=-1)
            .flatten(0, 1)[:, None]
            .expand(-1, SIDE**2 // 4, -1)
        )
        tokens = torch.cat([tokens, sure], dim=-1)
        tokens = F.pad(tokens, (0, self.context - tokens.shape[-1]))
        tokens = tokens.unflatten(0, (-1, FOUND)).flatten(1, 2)
        return tokens * (ids != 0).any(1)[:, None, None]


def load_library(context: int) -> Library:
    parts = dict(np.load(DATA / "library.npz"))
    finder = new_finder(parts["entries"])
    finder.load_state_dict(torch.load(DATA / "finder.pt"))
    return Library(finder.eval(), parts, context)


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    parts = build()
    np.savez(DATA / "library.npz", **parts)
    torch.save(train(parts["entries"]).state_dict(), DATA / "finder.pt")


if __name__ == "__main__":
    main()
