from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partway.denoiser import (
    PREDICTIONS,
    Array,
    Condition,
    Query,
    Row,
    Rows,
    Solver,
    denoise,
    guide,
    to_x0,
)
from partway.errors import InvalidRequest, UnknownName
from partway.guidance import Guidance
from partway.noise import Noise
from partway.plan import plan_edit
from partway.samplers.euler import euler
from partway.schedule import Level, Schedule

VP, FLOW = Schedule(path="vp"), Schedule(path="flow")


def forward(path: Schedule, fraction: float) -> tuple[Array, Array, Array, Level]:
    rng = np.random.RandomState(0)
    x0, eps = rng.standard_normal((2, 2, 3, 4, 4)).astype(np.float32)
    level = path.level(fraction)
    return x0, eps, (level.alpha * x0 + level.sigma * eps).astype(np.float32), level


@given(st.floats(0.01, 0.95))
def test_predictions_agree_on_x0(fraction: float) -> None:
    x0, eps, x, level = forward(VP, fraction)
    outputs = {"eps": eps, "v": level.alpha * eps - level.sigma * x0, "sample": x0}
    for prediction, output in outputs.items():
        assert to_x0(prediction, x, output, [level] * 2) == pytest.approx(x0, abs=2e-4)
    x0, eps, x, level = forward(FLOW, fraction)
    assert to_x0("velocity", x, eps - x0, [level] * 2) == pytest.approx(x0, abs=1e-5)
    assert to_x0("eps", x, eps, [level] * 2) == pytest.approx(x0, abs=2e-4)


def test_levels_are_per_row() -> None:
    x0, eps, _, _ = forward(FLOW, 0.5)
    levels = [FLOW.level(0.2), FLOW.level(0.8)]
    x = np.stack([lv.alpha * a + lv.sigma * b for lv, a, b in zip(levels, x0, eps, strict=True)])
    assert to_x0("velocity", x, eps - x0, levels) == pytest.approx(x0, abs=1e-5)


def test_unknown_prediction() -> None:
    x0, _, x, level = forward(FLOW, 0.5)
    with pytest.raises(UnknownName, match="velocity"):
        to_x0("flow", x, x0, [level])
    assert set(PREDICTIONS) == {"eps", "v", "sample", "velocity"}


class Network:
    """Answers with its condition; remembers what it was asked."""

    prediction = "sample"

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.asked: list[tuple[Array, tuple[Level, ...]]] = []

    def predict(self, x: Array, levels: Sequence[Level], conditions: Sequence[Condition]) -> Array:
        self.asked.append((x, tuple(levels)))
        return np.stack([np.full_like(row, c) for row, c in zip(x, conditions, strict=True)])


def test_the_floor_rule_tends_to_the_input() -> None:
    network = Network(Schedule(path="flow", lowest=0.1))
    lowest = network.schedule.level(0.1)
    plain = np.full((3, 2, 2), 0.5, np.float32)
    shares: list[float] = []
    for fraction in (0.3, 0.1, 0.05, 0.01, 0.001):
        level = network.schedule.level(fraction)
        x0 = denoise(network, [Row(level.alpha * plain, level, 1.0)])[0]
        shares.append(float((x0 - plain).mean() / 0.5))
        assert network.asked[-1][1][0].sigma == pytest.approx(max(level.sigma, lowest.sigma))
        # the network sees its signal at the scale it was trained on
        assert network.asked[-1][0] == pytest.approx(plain[None] * network.asked[-1][1][0].alpha)
    assert shares[:2] == pytest.approx([1, 1])
    assert shares[2] == pytest.approx((0.05 / 0.95) / (0.1 / 0.9))
    assert shares[4] == pytest.approx((0.001 / 0.999) / (0.1 / 0.9))


def drive(rows: Rows, network: Network) -> tuple[Array, list[int]]:
    sizes: list[int] = []
    try:
        asked = next(rows)
        while True:
            sizes.append(len(asked))
            asked = rows.send(denoise(network, asked))
    except StopIteration as done:
        return done.value, sizes


def run_guided(guidance: Guidance) -> tuple[Array, list[int]]:
    network = Network(FLOW)
    levels = plan_edit(1.0, FLOW, steps=4).levels
    x = Noise(1, (1, 2, 2))()
    return drive(guide(euler(x, levels, Noise(1, x.shape)), 0.5, 0.2, guidance), network)


def test_guidance_extrapolates_from_the_negative() -> None:
    assert run_guided(Guidance(3.0))[0] == pytest.approx(0.2 + 3 * 0.3)
    assert run_guided(Guidance(0.0))[0] == pytest.approx(0.2)


def test_guidance_one_is_off_and_costs_one_row() -> None:
    result, sizes = run_guided(Guidance(1.0))
    assert result == pytest.approx(0.5)
    assert sizes == [1, 1, 1, 1]


def test_guidance_acts_only_inside_its_interval() -> None:
    _, sizes = run_guided(Guidance(3.0, (0.4, 0.8)))  # levels 1, 0.75, 0.5, 0.25
    assert sizes == [1, 2, 2, 1]


@pytest.mark.parametrize(
    ("scale", "interval"), [(-1, (0, 1)), (float("nan"), (0, 1)), (3, (0.5, 0.2)), (3, (0, 2))]
)
def test_bad_guidance(scale: float, interval: tuple[float, float]) -> None:
    with pytest.raises(InvalidRequest, match="allowed"):
        Guidance(scale, interval)


def test_closing_the_rows_closes_the_solver() -> None:
    closed: list[bool] = []

    def solver() -> Solver:
        try:
            yield Query(np.zeros((1, 1, 1), np.float32), FLOW.level(0.5), FLOW.level(0.0))
        finally:
            closed.append(True)
        return np.zeros((1, 1, 1), np.float32)

    rows = guide(solver(), 0, 0, Guidance())
    next(rows)
    rows.close()
    assert closed == [True]
