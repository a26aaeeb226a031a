"""Samplers against the published formulas, written out in their authors' own coordinates.

k-diffusion's are y = x / alpha, sigma = nsr and t = -log(sigma).
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from walks import FLOW, VP, levels_of, mixture, solve, start_of

from partway.denoiser import Array
from partway.noise import Noise
from partway.samplers import get_sampler
from partway.schedule import Level


def ddim(x: Array, x0: Array, bar_here: float, bar_there: float, eta: float, z: Array) -> Array:
    """Song et al. 2021, eq. 12 and 16, in alphas_cumprod."""
    eps = (x - math.sqrt(bar_here) * x0) / math.sqrt(1 - bar_here)
    s = eta * math.sqrt((1 - bar_there) / (1 - bar_here) * (1 - bar_here / bar_there))
    return math.sqrt(bar_there) * x0 + math.sqrt(1 - bar_there - s * s) * eps + s * z


@pytest.mark.parametrize(("name", "eta"), [("euler", 0.0), ("euler_ancestral", 1.0)])
def test_first_order_samplers_are_ddim(name: str, eta: float) -> None:
    levels = levels_of(VP, 0.9, 6)
    x = start_of(levels)
    got, _ = solve(get_sampler(name).solve(x, levels, Noise(5, x.shape)), mixture)
    noise = Noise(5, x.shape)
    for here, there in pairwise(levels):
        z = noise() if eta and there.sigma > 0 else np.zeros_like(x)
        x = ddim(x, mixture(x, here), here.alpha**2, there.alpha**2, eta, z)
    assert got == pytest.approx(x, abs=1e-6)  # noise is drawn in float32


def test_euler_on_the_flow_path_is_the_velocity_step() -> None:
    """Rectified flow (Liu et al. 2023): x += (t_there - t_here) * (eps - x0)."""
    levels = levels_of(FLOW, 1.0, 5)
    x = start_of(levels)
    got, _ = solve(get_sampler("euler").solve(x, levels, Noise(1, x.shape)), mixture)
    for here, there in pairwise(levels):
        velocity = (x - mixture(x, here)) / here.sigma
        x = x + (there.sigma - here.sigma) * velocity
    assert got == pytest.approx(x, abs=1e-9)


def test_dpmpp_2m_in_k_diffusions_coordinates() -> None:
    """Lu et al. 2022, algorithm 2, written in y = x / alpha and nsr with t = -log(nsr)."""
    levels = levels_of(VP, 0.9, 12)
    x = start_of(levels)
    got, _ = solve(get_sampler("dpmpp_2m").solve(x, levels, Noise(1, x.shape)), mixture)
    y, previous, h_previous = x / levels[0].alpha, None, 0.0
    for here, there in pairwise(levels):
        x0 = mixture(here.alpha * y, here)
        if there.nsr == 0.0:
            y = x0
            break
        h = math.log(here.nsr) - math.log(there.nsr)
        d = x0
        if previous is not None:
            r = h_previous / h
            assert r >= 0.5, "the clamp must not act on this grid"
            d = (1 + 1 / (2 * r)) * x0 - 1 / (2 * r) * previous
        y = there.nsr / here.nsr * y - math.expm1(-h) * d
        previous, h_previous = x0, h
    assert got == pytest.approx(y, abs=1e-9)


def denoised(y: Array, sigma: float) -> Array:
    """The mixture in k-diffusion's coordinates, through the vp path."""
    alpha = 1.0 / math.hypot(1.0, sigma)
    return mixture(alpha * y, Level(alpha, alpha * sigma))


def test_heun_is_algorithm_1_of_karras() -> None:
    levels = levels_of(VP, 0.9, 7)
    x = start_of(levels)
    got, _ = solve(get_sampler("heun").solve(x, levels, Noise(1, x.shape)), mixture)
    y = x / levels[0].alpha
    for t, t_next in pairwise(level.nsr for level in levels):
        d = (y - denoised(y, t)) / t
        y_next = y + (t_next - t) * d
        if t_next != 0:
            d_next = (y_next - denoised(y_next, t_next)) / t_next
            y_next = y + (t_next - t) * (d + d_next) / 2
        y = y_next
    assert got == pytest.approx(y, abs=1e-9)


def test_heun_on_the_flow_path_averages_velocities() -> None:
    levels = levels_of(FLOW, 1.0, 7)
    x = start_of(levels)
    got, _ = solve(get_sampler("heun").solve(x, levels, Noise(1, x.shape)), mixture)
    for here, there in pairwise(levels):
        v = (x - mixture(x, here)) / here.sigma
        ahead = x + (there.sigma - here.sigma) * v
        if there.sigma > 0:
            v = (v + (ahead - mixture(ahead, there)) / there.sigma) / 2
        x = x + (there.sigma - here.sigma) * v
    assert got == pytest.approx(x, abs=1e-9)


def test_dpmpp_2m_sde_in_k_diffusions_coordinates() -> None:
    """Lu et al. 2022, SDE-DPM-Solver++(2M); "midpoint", eta = 1."""
    levels = levels_of(VP, 0.9, 12)
    x = start_of(levels)
    got, _ = solve(get_sampler("dpmpp_2m_sde").solve(x, levels, Noise(5, x.shape)), mixture)
    noise = Noise(5, x.shape)
    y, previous, h_previous = x / levels[0].alpha, None, 0.0
    for here, there in pairwise(level.nsr for level in levels):
        x0 = denoised(y, here)
        if there == 0.0:
            y = x0
            break
        h = math.log(here) - math.log(there)
        y = there / here * math.exp(-h) * y + (1 - math.exp(-2 * h)) * x0
        if previous is not None:
            r = h_previous / h
            assert r >= 0.5, "the clamp must not act on this grid"
            y = y + 0.5 * (1 - math.exp(-2 * h)) / r * (x0 - previous)
        y = y + noise() * there * math.sqrt(1 - math.exp(-2 * h))
        previous, h_previous = x0, h
    assert got == pytest.approx(y, abs=1e-6)


def test_dpmpp_sde_in_k_diffusions_coordinates() -> None:
    """Two ancestral steps from the same y, with r = 1/2 and eta = 1 down to sigma_down.

    The noise of the whole interval is made of that of its halves as the SDE's own linear part
    carries it on (k-diffusion draws both from one Brownian path).
    """
    levels = levels_of(VP, 0.9, 6)
    x = start_of(levels)
    got, _ = solve(get_sampler("dpmpp_sde").solve(x, levels, Noise(5, x.shape)), mixture)
    noise = Noise(5, x.shape)

    def ancestral(high: float, low: float) -> tuple[float, float]:
        up = math.sqrt(low**2 * (high**2 - low**2) / high**2)
        return math.sqrt(low**2 - up**2), up

    y = x / levels[0].alpha
    for here, there in pairwise(level.nsr for level in levels):
        x0 = denoised(y, here)
        if there == 0.0:
            y = x0
            break
        middle = math.exp((math.log(here) + math.log(there)) / 2)
        down, up = ancestral(here, middle)
        z1, z2 = noise(), noise()
        y2 = down / here * y + (1 - down / here) * x0 + up * z1
        x0 = denoised(y2, middle)
        down, up = ancestral(here, there)
        whole = (there / middle) ** 2 * ancestral(here, middle)[1] * z1
        whole = whole + ancestral(middle, there)[1] * z2
        y = down / here * y + (1 - down / here) * x0 + whole
        weights = math.hypot((there / middle) ** 2 * ancestral(here, middle)[1],
                             ancestral(middle, there)[1])  # fmt: skip
        assert weights == pytest.approx(up)
    assert got == pytest.approx(y, abs=1e-6)


def test_unipc_by_its_linear_system() -> None:
    """Zhao et al. 2023, algorithms 5 to 8 with p = 2 and B(h) = e^h - 1, on the clean estimate.

    Their hh is -h; R and b as they stand there for any order, solved numerically.
    """
    levels = levels_of(VP, 0.9, 12)
    x = start_of(levels)
    got, _ = solve(get_sampler("unipc").solve(x, levels, Noise(1, x.shape)), mixture)

    def lam(level: Level) -> float:
        return math.log(level.alpha / level.sigma)

    def rho(ratios: list[float], hh: float) -> Array:
        order, big_b, factorial = len(ratios), math.expm1(hh), 1
        rows: list[list[float]] = []
        right: list[float] = []
        phi = math.expm1(hh) / hh - 1
        for i in range(1, order + 1):
            rows.append([r ** (i - 1) for r in ratios])
            right.append(phi * factorial / big_b)
            factorial *= i + 1
            phi = phi / hh - 1 / factorial
        return np.linalg.solve(np.array(rows), np.array(right))

    estimates: list[Array] = []  # m_0, m_1, …; at the predicted points
    base = x  # the corrected x of the step before
    for i, (here, there) in enumerate(pairwise(levels)):
        m = mixture(x, here)
        if i > 0:
            last = levels[i - 1]
            hh = -(lam(here) - lam(last))
            m0, total = estimates[-1], 0.5 * (m - estimates[-1])
            if i > 1:
                r = (lam(levels[i - 2]) - lam(last)) / -hh
                weights = rho([r, 1.0], hh)
                total = weights[0] * (estimates[-2] - m0) / r + weights[1] * (m - m0)
            x = here.sigma / last.sigma * base - here.alpha * math.expm1(hh) * (m0 + total)
        base = x
        estimates.append(m)
        if there.sigma == 0.0:
            x = m
            break
        hh = -(lam(there) - lam(here))
        total = np.zeros_like(x)
        if i > 0:
            r = (lam(levels[i - 1]) - lam(here)) / -hh
            total = 0.5 * (estimates[-2] - m) / r
        x = there.sigma / here.sigma * x - there.alpha * math.expm1(hh) * (m + total)
    assert got == pytest.approx(x, abs=1e-9)
