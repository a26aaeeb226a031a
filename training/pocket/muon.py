"""Muon: the momentum of a weight matrix, made orthogonal, is the step (Jordan et al. 2024).

Every direction of the matrix then moves by the same length, which a short training profits from.
The step of a rows x columns matrix has root mean square 0.2, as AdamW's about has, so one rate
serves both (Liu et al. 2025, arXiv 2502.16982).
"""

import torch
from torch import distributed

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the quintic iteration; singular values end between 0.7 and 1.2."""


def orthogonal(matrix: torch.Tensor, rounds: int = 5) -> torch.Tensor:
    """(rows, columns) -> nearly the nearest matrix with singular values 1."""
    a, b, c = COEFFICIENTS
    x = matrix.to(torch.bfloat16)
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    x = x / (x.norm() + 1e-7)
    for _ in range(rounds):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.T if tall else x).to(matrix.dtype)


class Muon:
    """For weights of two dimensions and more (convolutions are flattened); each of several
    processes makes its share of the steps.
    """

    def __init__(self, parameters: list[torch.Tensor], rank: int = 0, processes: int = 1):
        self.parameters, self.rank, self.processes = parameters, rank, processes
        self.momentum = [torch.zeros_like(p) for p in parameters]
        self.turn, loads = [], [0.0] * processes
        for p in parameters:  # the largest part of the work goes to who has least so far
            rows, columns = len(p), p.numel() // len(p)
            who = loads.index(min(loads))
            loads[who] += p.numel() * min(rows, columns)
            self.turn.append(who)

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Needs the same gradients in all processes."""
        steps = []
        for p, momentum, who in zip(self.parameters, self.momentum, self.turn, strict=True):
            momentum.lerp_(p.grad, 0.05)
            if who == self.rank:
                looking_ahead = p.grad.lerp(momentum, 0.95).flatten(1)
                steps.append(orthogonal(looking_ahead) * (0.2 * max(looking_ahead.shape) ** 0.5))
            else:
                steps.append(torch.zeros(p.flatten(1).shape))
        if self.processes > 1:
            flat = torch.cat([s.flatten() for s in steps])
            distributed.all_reduce(flat)
            parts = flat.split([s.numel() for s in steps])
            steps = [f.view_as(s) for f, s in zip(parts, steps, strict=True)]
        for p, step in zip(self.parameters, steps, strict=True):
            p.add_(step.view(p.shape), alpha=-rate)

    def state_dict(self) -> dict:
        return {"momentum": self.momentum}

    def load_state_dict(self, state: dict) -> None:
        self.momentum = state["momentum"]
