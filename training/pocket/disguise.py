"""Pictures stripped of their style, so that the network learns to put it back.

A *disguise* changes how a picture is finished and moves nothing: shading flattened to a few tones,
dark outlines, other light, other colours, blur. The picture itself is then the true answer, aligned
to the pixel, whatever its style. Numbers are drawn in NumPy, pictures changed in torch on any
device.
"""

import numpy as np
import torch
from torch.nn import functional as F

PARTS = ("flat", "tones", "ink", "light", "blur", "grey", "hue", "saturation", "gamma")
FIELD = 4
"""The light of a picture is a smooth field through FIELD x FIELD random numbers."""


def draw_disguise(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(len(PARTS),) amounts and the light's (FIELD, FIELD) field. Every part is often absent."""
    often = lambda share: float(rng.random() < share)  # noqa: E731
    amounts = {
        "flat": often(0.5) * rng.uniform(0.5, 1.0),
        "tones": rng.uniform(2.0, 6.0),
        "ink": often(0.35) * rng.uniform(0.3, 1.0),
        "light": often(0.45) * rng.uniform(0.1, 0.5),
        "blur": often(0.25) * rng.uniform(0.3, 1.0),
        "grey": often(0.06) * rng.uniform(0.6, 1.0),
        "hue": often(0.4) * 0.25 * rng.standard_normal(),
        "saturation": np.exp(often(0.5) * 0.3 * rng.standard_normal()),
        "gamma": np.exp(often(0.5) * 0.3 * rng.standard_normal()),
    }
    field = rng.standard_normal((FIELD, FIELD)).astype(np.float32)
    return np.array([amounts[part] for part in PARTS], np.float32), field


def smooth(x: torch.Tensor, radius: int) -> torch.Tensor:
    """Box means, edges repeated."""
    return F.avg_pool2d(F.pad(x, (radius,) * 4, mode="replicate"), 2 * radius + 1, 1)


def turn(hue: torch.Tensor) -> torch.Tensor:
    """(B, 3, 3) rotations of colour by `hue` (B,) radians about the grey axis."""
    c, s = hue.cos()[:, None, None], hue.sin()[:, None, None] / 3**0.5
    cross = torch.tensor([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]], device=hue.device)
    return c * torch.eye(3, device=hue.device) + (1 - c) / 3 + s * cross


def disguised(
    rgba: torch.Tensor, ink: torch.Tensor, amounts: torch.Tensor, field: torch.Tensor
) -> torch.Tensor:
    """Pictures (B, 4, s, s), premultiplied 0 … 1, changed by `amounts` (B, len(PARTS)).

    `ink` (B, 1, s, s) 0 … 1 is their line drawing, `field` (B, FIELD, FIELD) their light.
    """
    part = {name: amounts[:, i].view(-1, 1, 1, 1) for i, name in enumerate(PARTS)}
    rgba = rgba + part["blur"] * (smooth(smooth(rgba, 2), 2) - rgba)
    alpha = rgba[:, 3:]
    rgb = rgba[:, :3] / alpha.clamp_min(1e-3)
    calm = smooth(rgba, 2)
    calm = calm[:, :3] / calm[:, 3:].clamp_min(1e-3)
    luma = calm.mean(1, keepdim=True)
    toned = calm + (luma * part["tones"]).round() / part["tones"] - luma
    rgb = rgb + part["flat"] * (toned - rgb)
    grey = rgb.mean(1, keepdim=True)
    rgb = grey + (1 - part["grey"]) * part["saturation"] * (rgb - grey)
    rgb = torch.einsum("bij,bjhw->bihw", turn(amounts[:, PARTS.index("hue")]), rgb)
    light = F.interpolate(field.unsqueeze(1), size=rgb.shape[-2:], mode="bicubic")
    rgb = rgb.clamp(1e-3, 1) ** part["gamma"] * (1 + part["light"] * light)
    line = part["ink"] * ink
    alpha = torch.maximum(alpha, line)
    return torch.cat([rgb.clamp(0, 1) * (1 - line) * alpha, alpha], dim=1)
