"""The clean estimate: the one thing a sampler asks for.

    sampler ── Query(x, here, there) ──► guide ── rows ──► denoise ── x0 of each row ──► back

Everything between a sampler and the network is a coroutine like the sampler itself, so that one
network call can serve many of them (partway.batcher). Arrays are NumPy or torch: only arithmetic
operators are used on them.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from partway.errors import UnknownName
from partway.guidance import Guidance
from partway.schedule import Level, Schedule
from partway.strength import nsr_of

Array: TypeAlias = NDArray[np.floating[Any]]  # float32; float64 where tests want truth
Condition: TypeAlias = Any  # what a family's encode_prompt returns; only that family looks inside


class Query(NamedTuple):
    """A sampler asks for the clean estimate of `x`, on its way from level `here` to `there`.

    x      (C, h, w) latents at `level`
    at     where on the way a second question of the same step is asked; None is at `here`
    """

    x: Array
    here: Level
    there: Level
    at: Level | None = None

    @property
    def level(self) -> Level:
        """The level of `x`."""
        return self.here if self.at is None else self.at


class Row(NamedTuple):
    """One picture under one condition: a row of a network call."""

    x: Array
    level: Level
    condition: Condition


Solver: TypeAlias = Generator[Query, Array, Array]
Rows: TypeAlias = Generator[Sequence[Row], Sequence[Array], Array]


class Network(Protocol):
    """What `denoise` needs of a family."""

    @property
    def schedule(self) -> Schedule:
        """Trained range of levels."""
        ...

    @property
    def prediction(self) -> str:
        """A name in PREDICTIONS."""
        ...

    def predict(self, x: Array, levels: Sequence[Level], conditions: Sequence[Condition]) -> Array:
        """Raw network output for x (B, C, h, w), one level and one condition per row."""
        ...


def _column(values: Sequence[float]) -> Array:
    """(B,) numbers as (B, 1, 1, 1), to broadcast over latents."""
    return np.asarray(values, dtype=np.float32).reshape(-1, 1, 1, 1)


def _from_eps(x: Array, output: Array, alpha: Array, sigma: Array) -> Array:
    """eps is the noise: x0 = (x - sigma * eps) / alpha (Ho et al. 2020, eq. 9)."""
    return (x - sigma * output) / alpha


def _from_v(x: Array, output: Array, alpha: Array, sigma: Array) -> Array:
    """v = alpha * eps - sigma * x0 on the vp path (Salimans & Ho 2022, appendix D)."""
    return alpha * x - sigma * output


def _from_sample(x: Array, output: Array, alpha: Array, sigma: Array) -> Array:
    """The network predicts x0 itself."""
    del x, alpha, sigma
    return output


def _from_velocity(x: Array, output: Array, alpha: Array, sigma: Array) -> Array:
    """velocity = eps - x0 (Lipman et al. 2023); on the flow path alpha + sigma = 1."""
    return (x - sigma * output) / (alpha + sigma)


PREDICTIONS = {
    "eps": _from_eps,
    "v": _from_v,
    "sample": _from_sample,
    "velocity": _from_velocity,
}


def to_x0(prediction: str, x: Array, output: Array, levels: Sequence[Level]) -> Array:
    """Turn a network's output into the clean estimate x0.

    prediction  "eps", "v", "sample" or "velocity"
    x, output   (B, C, h, w)
    levels      B levels; "eps" has no x0 at pure noise (alpha = 0): such models end below it
    """
    if prediction not in PREDICTIONS:
        raise UnknownName("prediction", prediction, PREDICTIONS)
    alpha = _column([level.alpha for level in levels])
    sigma = _column([level.sigma for level in levels])
    return PREDICTIONS[prediction](x, output, alpha, sigma)


def denoise(network: Network, rows: Sequence[Row]) -> list[Array]:
    """Clean estimates of all rows in one network call.

    Below the network's lowest level it is asked at that level and only a share of its answer is
    taken, x0 = x/alpha + (nsr / nsr_lowest) * (x0_hat - x/alpha): the estimate tends to the input
    as the noise tends to 0.
    """
    schedule = network.schedule
    lowest = schedule.level(schedule.lowest)
    asked = [row.level if row.level.sigma > lowest.sigma else lowest for row in rows]
    # A row below the range is scaled to where the network expects its signal.
    inputs = [
        row.x if here is row.level else row.x * (here.alpha / row.level.alpha)
        for row, here in zip(rows, asked, strict=True)
    ]
    x = np.stack(inputs)
    output = network.predict(x, asked, [row.condition for row in rows])
    estimates = to_x0(network.prediction, x, output, asked)
    return [
        x0 if here is row.level else _towards(row, x0, nsr_of(schedule.lowest))
        for row, here, x0 in zip(rows, asked, estimates, strict=True)
    ]


def _towards(row: Row, x0: Array, nsr_lowest: float) -> Array:
    """The floor rule of `denoise` for one row."""
    plain = row.x / row.level.alpha
    share = row.level.nsr / nsr_lowest if nsr_lowest > 0.0 else 1.0
    return plain + share * (x0 - plain)


def estimates_of(
    xs: Sequence[Array],
    level: Level,
    condition: Condition,
    negative: Condition,
    guidance: Guidance,
) -> Generator[Sequence[Row], Sequence[Array], Sequence[Array]]:
    """Clean estimates of several x at one level in one network call, guidance merged.

    Yields one or two rows per x, is sent as many answers.
    """
    rows = [Row(x, level, condition) for x in xs]
    if not guidance.acts_at(level):
        return (yield rows)
    answers = yield [*rows, *(Row(x, level, negative) for x in xs)]
    triples = zip(xs, answers[: len(xs)], answers[len(xs) :], strict=True)
    return [_guided(x, told, away, guidance) for x, told, away in triples]


def _guided(x: Array, told: Array, away: Array, guidance: Guidance) -> Array:
    """The estimate of x under the condition, pulled away from that under the negative one."""
    x0 = away + guidance.scale * (told - away)
    return norm_kept(x, told, x0, guidance.norm_patch) if guidance.norm_patch else x0


def guide(solver: Solver, condition: Condition, negative: Condition, guidance: Guidance) -> Rows:
    """Turn a solver's queries into rows of a network call and merge the answers.

    Yields one or two rows per query, is sent as many estimates, returns the solver's result.
    """
    try:
        query = next(solver)
        while True:
            x0 = yield from estimates_of([query.x], query.level, condition, negative, guidance)
            query = solver.send(x0[0])
    except StopIteration as done:
        return done.value
    finally:
        solver.close()


def norm_kept(x: Array, told: Array, guided: Array, patch: int) -> Array:
    """The guided estimate, its velocity as long in every patch as that under the condition.

    On the flow path velocity is (x - x0) / sigma, so that lengths can be compared in x - x0.
    (Qwen-Image, huggingface/diffusers 0.42.1, pipeline_qwenimage.py.)
    """
    wanted, length = _lengths(x - told, patch), _lengths(x - guided, patch)
    ratio = np.divide(wanted, length, out=np.ones_like(length), where=length > 0.0)
    return x - ratio.repeat(patch, 0).repeat(patch, 1) * (x - guided)


def _lengths(values: Array, patch: int) -> Array:
    """(h / patch, w / patch) norms of the patches of (C, h, w)."""
    channels, height, width = values.shape
    patches = values.reshape(channels, height // patch, patch, width // patch, patch)
    return np.sqrt(np.square(patches).sum(axis=(0, 2, 4)))
