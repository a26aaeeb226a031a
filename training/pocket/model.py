"""The denoiser and its text encoder.

Forward process (flow): x = (1 - t) x0 + t eps, t = noise fraction, 1 is pure noise. The network is
wrapped per channel in the best linear estimate: with deviation s of a channel,

    x0_hat = c_skip x + c_out F(x),   v = (1-t)^2 s^2 + t^2
    c_skip = (1-t) s^2 / v,   c_out = t s / sqrt(v)

so F always predicts something of unit variance, and x0_hat(t -> 0) = x exactly (Karras et al. 2022,
section 5, with the flow path and one deviation a channel).

The context ends in tokens of the library (library.py): pictures that the prompt found. They enter
the network beside the sample, and a gate per position says how much of each goes straight into
x0_hat, as pointer networks copy words.
"""

import math
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.onnx.operators import shape_as_tensor

from codec import PATCH, Codec


@dataclass(frozen=True)
class Shape:
    """Sizes of the networks; stored in every checkpoint."""

    latent_channels: int = 48
    widths: tuple[int, int] = (128, 224)
    blocks: int = 1
    finish: int = 1
    heads: int = 4
    context: int = 256
    text_layers: int = 2
    vocabulary: int = 0
    word_vector: int = 100
    words: int = 24
    found: int = 1

    def as_dict(self) -> dict:
        return asdict(self)


class Attention(nn.Module):
    """Pre-norm multi-head attention, over itself or over a context, and added to its input."""

    def __init__(self, width: int, heads: int, context: int | None = None):
        super().__init__()
        self.heads, self.norm = heads, nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(context or width, 2 * width)
        self.out = nn.Linear(width, width)
        nn.init.zeros_(self.out.weight)

    def forward(self, tokens: torch.Tensor, context: torch.Tensor | None = None) -> torch.Tensor:
        """tokens (B, N, width), context (B, L, C) -> (B, N, width)."""
        h = self.norm(tokens)
        key, value = self.key_value(h if context is None else context).chunk(2, dim=-1)
        split = lambda v: v.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # noqa: E731
        query, key, value = split(self.query(h)), split(key), split(value)
        # Written out: for so few tokens the fused kernel is slower on a CPU.
        weights = (query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5).softmax(dim=-1)
        mixed = weights.to(value.dtype) @ value
        return tokens + self.out(mixed.transpose(1, 2).flatten(2))


class Mlp(nn.Sequential):
    """Pre-norm two-layer network, to be added to its input."""

    def __init__(self, width: int, factor: int):
        super().__init__(
            nn.LayerNorm(width),
            nn.Linear(width, factor * width),
            nn.GELU("tanh"),
            nn.Linear(factor * width, width),
        )
        nn.init.zeros_(self[-1].weight)


class TextEncoder(nn.Module):
    """Word ids (B, L) -> context (B, L, C). A padded place gives one learned vector, whatever
    stands beside it.

    A word is its own learned vector (zero until training meets the word) plus a projection of a
    fixed general word vector, so that words no caption ever used still land near their relatives.
    """

    def __init__(self, shape: Shape, word_vectors: torch.Tensor | None = None):
        super().__init__()
        width = shape.context
        self.own = nn.Embedding(shape.vocabulary, width)
        nn.init.zeros_(self.own.weight)
        vectors = (
            torch.zeros(shape.vocabulary, shape.word_vector)
            if word_vectors is None
            else word_vectors
        )
        self.register_buffer("vectors", vectors)
        self.project = nn.Linear(shape.word_vector, width, bias=False)
        self.position = nn.Parameter(0.02 * torch.randn(64, width))
        self.layers = nn.ModuleList(
            nn.ModuleList([Attention(width, 4), Mlp(width, 3)]) for _ in range(shape.text_layers)
        )
        self.norm = nn.LayerNorm(width)
        self.padding = nn.Parameter(0.02 * torch.randn(width))

    def words(self, ids: torch.Tensor, forget: float = 0.0) -> torch.Tensor:
        """(B, L, C); a word's own vector is forgotten with probability `forget` (training)."""
        own = self.own(ids)
        if forget:
            own = own * (torch.rand(*ids.shape, 1, device=ids.device) >= forget)
        return own + self.project(self.vectors[ids])

    def forward(self, ids: torch.Tensor, forget: float = 0.0) -> torch.Tensor:
        seen = (ids != 0).unsqueeze(-1).to(self.padding.dtype)
        x = (self.words(ids, forget) + self.position[: ids.shape[1]]) * seen + self.padding * (
            1 - seen
        )
        for attention, mlp in self.layers:
            x = attention(x)
            x = x + mlp(x)
        return self.norm(x) * seen + self.padding * (1 - seen)


class ResBlock(nn.Module):
    """Two 3 x 3 convolutions; time and prompt scale and shift between them."""

    def __init__(self, inner: int, outer: int, condition: int):
        super().__init__()
        self.norm1, self.conv1 = nn.GroupNorm(16, inner), nn.Conv2d(inner, outer, 3, padding=1)
        self.modulate = nn.Linear(condition, 2 * outer)
        self.norm2, self.conv2 = nn.GroupNorm(16, outer), nn.Conv2d(outer, outer, 3, padding=1)
        self.skip = nn.Conv2d(inner, outer, 1) if inner != outer else nn.Identity()
        nn.init.zeros_(self.conv2.weight)

    def forward(self, x: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        h = self.conv1(F.silu(self.norm1(x)))
        scale, shift = self.modulate(condition)[..., None, None].chunk(2, dim=1)
        h = self.conv2(F.silu(self.norm2(h) * (1 + scale) + shift))
        return self.skip(x) + h


class Stage(nn.Module):
    """A ResBlock; then every position looks at the others, at the prompt, and thinks."""

    def __init__(self, inner: int, outer: int, shape: Shape, condition: int):
        super().__init__()
        self.block = ResBlock(inner, outer, condition)
        self.among = Attention(outer, shape.heads)
        self.cross = Attention(outer, shape.heads, shape.context)
        self.mlp = Mlp(outer, 3)

    def forward(
        self, x: torch.Tensor, condition: torch.Tensor, context: torch.Tensor
    ) -> torch.Tensor:
        x = self.block(x, condition)
        height, width = x.shape[-2:]
        tokens = self.cross(self.among(x.flatten(2).transpose(1, 2)), context)
        tokens = tokens + self.mlp(tokens)
        return tokens.transpose(1, 2).unflatten(2, (height, width))


class Fit(nn.Module):
    """Found pictures (B, C, s, s) -> (B, C, h, w): as large as the canvas's shorter side, centred,
    continued by their margin along the longer one. Latents do not bear being resized, pixels do.
    """

    def __init__(self, codec: Codec):
        super().__init__()
        self.codec = codec

    def forward(self, latents: torch.Tensor, sample: torch.Tensor) -> torch.Tensor:
        if not torch.onnx.is_in_onnx_export() and latents.shape[-2:] == sample.shape[-2:]:
            return latents
        height, width = (PATCH * n for n in shape_as_tensor(sample)[2:])
        small = torch.minimum(height, width)
        axis = lambda n: (2 * torch.arange(n) + 1 - n) / small  # noqa: E731
        down, across = axis(height)[:, None], axis(width)[None]
        grid = torch.stack([across + 0 * down, down + 0 * across], dim=-1)
        grid = grid[None] + 0 * latents[:, :1, :1, :1]  # one a row, whatever the batch
        image = self.codec.decode(latents)
        placed = F.grid_sample(image, grid, padding_mode="border", align_corners=False)
        return self.codec.encode(placed)


class Denoiser(nn.Module):
    """sample (B, C, h, w), timestep (B,) = 1000 t, context (B, L, 256) -> x0 (B, C, h, w). h and w
    even.
    """

    def __init__(self, shape: Shape, codec: Codec):
        super().__init__()
        fine, coarse = shape.widths
        condition = 2 * coarse
        self.fit = Fit(codec)
        self.register_buffer("deviation", codec.deviation)
        self.register_buffer("frequencies", torch.exp(torch.linspace(0, math.log(1000.0), 64)))
        self.time = nn.Sequential(
            nn.Linear(128, condition), nn.SiLU(), nn.Linear(condition, condition)
        )
        self.pool = nn.Linear(shape.context, 8)
        self.prompt = nn.Linear(8 * shape.context, condition)
        self.found, self.words = shape.found, shape.words
        seen = shape.latent_channels * (1 + shape.found) + 2 * shape.found
        self.inlet = nn.Conv2d(seen, fine, 3, padding=1)
        self.down = nn.ModuleList(ResBlock(fine, fine, condition) for _ in range(shape.blocks))
        self.squeeze = nn.Conv2d(fine, coarse, 3, stride=2, padding=1)
        self.deep = nn.ModuleList(
            Stage(coarse, coarse, shape, condition) for _ in range(shape.blocks + 1)
        )
        self.rise = nn.ModuleList(
            Stage(2 * coarse, coarse, shape, condition) for _ in range(shape.blocks)
        )
        self.widen = nn.Conv2d(coarse, 4 * fine, 1)
        self.up = nn.ModuleList(ResBlock(2 * fine, fine, condition) for _ in range(shape.blocks))
        self.finish = nn.ModuleList(ResBlock(fine, fine, condition) for _ in range(shape.finish))
        self.last = nn.GroupNorm(16, fine)
        self.outlet = nn.Conv2d(fine, shape.latent_channels + 1 + shape.found, 3, padding=1)
        nn.init.zeros_(self.outlet.weight)
        with torch.no_grad():
            self.outlet.bias[-shape.found :] = -2.0  # what was found must prove itself first

    def condition(self, t: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
        """Time features plus the prompt, pooled by eight learned attention maps over its words: (B,
        2 coarse).
        """
        angles = t[:, None] * self.frequencies
        time = self.time(torch.cat([angles.sin(), angles.cos()], dim=1))
        attention = self.pool(context).softmax(dim=1)
        pooled = (attention.transpose(1, 2) @ context).flatten(1)
        return F.silu(time + self.prompt(pooled))

    def split(
        self, context: torch.Tensor, sample: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Words (B, L, C), pictures found (B, found, C, h, w), how sure (B, 2 found, h, w)."""
        words, tokens = context[:, : self.words], context[:, self.words :]
        channels = self.deviation.shape[0]
        maps = tokens.transpose(1, 2).unflatten(2, (self.found, 8, 8)).transpose(1, 2).flatten(0, 1)
        latents = self.fit(F.pixel_shuffle(maps[:, : 4 * channels], 2), sample)
        sure = maps[:, 4 * channels : 4 * channels + 2, :1, :1].unflatten(0, (-1, self.found))
        everywhere = torch.zeros_like(sample[:, :1])
        return words, latents.unflatten(0, (-1, self.found)), sure.flatten(1, 2) + everywhere

    def network(
        self, x: torch.Tensor, t: torch.Tensor, context: torch.Tensor, seen: torch.Tensor
    ) -> torch.Tensor:
        """F of the module's docstring, and the logits of the gate. `seen` stands beside `x`."""
        condition = self.condition(t, context)
        x, kept = self.inlet(torch.cat([x, seen], dim=1)), []
        for block in self.down:
            x = block(x, condition)
            kept.append(x)
        x, low = self.squeeze(x), []
        for i, stage in enumerate(self.deep):
            x = stage(x, condition, context)
            if i < len(self.rise):
                low.append(x)
        for stage in self.rise:
            x = stage(torch.cat([x, low.pop()], dim=1), condition, context)
        x = F.pixel_shuffle(self.widen(x), 2)
        for block in self.up:
            x = block(torch.cat([x, kept.pop()], dim=1), condition)
        for block in self.finish:
            x = block(x, condition)
        return self.outlet(F.silu(self.last(x)))

    def coefficients(self, t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """c_in, c_skip, c_out, each (B, C, 1, 1)."""
        t = t.view(-1, 1, 1, 1)
        s = self.deviation.view(1, -1, 1, 1)
        variance = (1 - t) ** 2 * s**2 + t**2
        return variance.rsqrt(), (1 - t) * s**2 / variance, t * s * variance.rsqrt()

    def forward(
        self, sample: torch.Tensor, timestep: torch.Tensor, context: torch.Tensor
    ) -> torch.Tensor:
        t = timestep / 1000
        c_in, c_skip, c_out = self.coefficients(t)
        words, found, sure = self.split(context, sample)
        seen = torch.cat([(found / self.deviation.view(1, 1, -1, 1, 1)).flatten(1, 2), sure], dim=1)
        out = self.network(c_in * sample, t, words, seen).to(sample.dtype)
        drawn, gate = out.split([self.deviation.shape[0], 1 + self.found], dim=1)
        # The sample itself is the better witness the less noise it has: its logit starts there.
        known = torch.log1p(((1 - t) / t.clamp_min(1e-3)) ** 2).view(-1, 1, 1, 1)
        gate = torch.cat([gate[:, :1] + known, gate[:, 1:]], dim=1).softmax(dim=1).unsqueeze(2)
        own = c_skip * sample + c_out * drawn
        return (gate * torch.cat([own.unsqueeze(1), found], dim=1)).sum(dim=1)


def count(module: nn.Module) -> float:
    """Millions of parameters."""
    return sum(p.numel() for p in module.parameters()) / 1e6


def load_word_vectors(path) -> torch.Tensor:
    return torch.tensor(np.load(path))
