"""The learned decoder: latents (B, 48, h, w) -> picture (B, 3, 16h, 16w) in about [-1, 1].

It starts from the codec's own linear picture, enlarged, and adds what the components cannot carry:
sharp edges across patch borders, and the second octave of detail between 128 and 256 px.
"""

import torch
from torch import nn
from torch.nn import functional as F

from codec import CHANNELS, Codec

STAGES = ((192, 4, 2), (128, 3, 2), (64, 2, 4))
"""(width, residual blocks, enlargement after them): 1, 2 and 4 points per latent position, then 16
x 16 pixels.
"""


class Block(nn.Module):
    """Two 3 x 3 convolutions, added to the input."""

    def __init__(self, width: int):
        super().__init__()
        self.norm = nn.GroupNorm(8, width)
        self.first, self.second = (
            nn.Conv2d(width, width, 3, padding=1),
            nn.Conv2d(width, width, 3, padding=1),
        )
        nn.init.zeros_(self.second.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.second(F.silu(self.first(F.silu(self.norm(x)))))


class Decoder(nn.Module):
    """The linear picture plus a learned correction."""

    def __init__(self, codec: Codec):
        super().__init__()
        self.codec = codec
        layers: list[nn.Module] = [nn.Conv2d(CHANNELS, STAGES[0][0], 3, padding=1)]
        for (width, blocks, factor), (following, *_) in zip(
            STAGES, [*STAGES[1:], (3,)], strict=True
        ):
            layers += [Block(width) for _ in range(blocks)]
            layers += [
                nn.SiLU(),
                nn.Conv2d(width, factor**2 * following, 3, padding=1),
                nn.PixelShuffle(factor),
            ]
        self.correction = nn.Sequential(*layers)
        nn.init.zeros_(layers[-2].weight)
        nn.init.zeros_(layers[-2].bias)

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        linear = F.interpolate(
            self.codec.decode(latents), scale_factor=2.0, mode="bilinear", align_corners=False
        )
        return linear + self.correction(latents).to(linear.dtype)


class Encoder(nn.Module):
    """picture (B, 3, 16h, 16w) in [-1, 1] -> latents (B, 48, h, w): 2 x 2 means, then the codec."""

    def __init__(self, codec: Codec):
        super().__init__()
        self.codec = codec

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.codec.encode(F.avg_pool2d(image, 2))
