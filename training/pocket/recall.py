"""How much a picture that was looked up counts beside the network's own estimate.

At noise fraction t the network's estimate `own` and the picture found, R, are two explanations of
the sample x; with d = |x - (1 - t) R|^2 - |x - (1 - t) own|^2 per position, over the channels and a
window of 3 x 3,

    x0 = own + w (R - own),   w = sigmoid(PRIOR + log share - WEIGHT d / (2 t^2))

which is Bayes' rule with the evidence weighed down by WEIGHT: channels and neighbours are far from
independent. From pure noise the picture wins if the finder is sure; with little noise only where it
agrees with what is there. `share` is the finder's probability of R; without words it is 0, and w.
"""

import torch
from torch import nn
from torch.nn import functional as F
from torch.onnx.operators import shape_as_tensor

from library import SIDE

PRIOR, WEIGHT = 8.0, 3.0


class Recall(nn.Module):
    """The module's formula: own, sample (B, C, h, w), timestep (B,), tokens (B, TOKENS, context) ->
    x0 (B, C, h, w).
    """

    def __init__(self, channels: int):
        super().__init__()
        self.channels = channels

    def found(
        self, tokens: torch.Tensor, height: torch.Tensor, width: torch.Tensor
    ) -> torch.Tensor:
        """(B, C, h, w): centred, cut or continued by its margin where the canvas is no square."""
        maps = tokens[..., : 4 * self.channels].transpose(1, 2).unflatten(2, (SIDE // 2, SIDE // 2))
        small = torch.minimum(height, width)
        axis = lambda n: (2 * torch.arange(n) + 1 - n) / small  # noqa: E731
        down, across = axis(height)[:, None], axis(width)[None]
        grid = torch.stack([across + 0 * down, down + 0 * across], dim=-1)
        grid = grid[None] + 0 * tokens[:, :1, :1, None]  # one a row, whatever the batch
        latents = F.pixel_shuffle(maps, 2)
        return F.grid_sample(latents, grid, padding_mode="border", align_corners=False)

    def forward(
        self, own: torch.Tensor, sample: torch.Tensor, timestep: torch.Tensor, tokens: torch.Tensor
    ) -> torch.Tensor:
        t = (timestep / 1000).clamp_min(0.02).view(-1, 1, 1, 1)
        share = tokens[:, 0, 4 * self.channels].view(-1, 1, 1, 1)
        height, width = shape_as_tensor(sample)[2:]
        found = self.found(tokens, height, width)
        error = lambda x0: ((sample - (1 - t) * x0) ** 2).sum(1, keepdim=True)  # noqa: E731
        evidence = (error(found) - error(own)) / (2 * t**2)
        evidence = F.avg_pool2d(F.pad(evidence, (1, 1, 1, 1), mode="replicate"), 3, 1)
        weight = (PRIOR + share.clamp_min(1e-6).log() - WEIGHT * evidence).sigmoid()
        return own + weight * (share > 0) * (found - own)
