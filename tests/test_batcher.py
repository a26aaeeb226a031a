from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from partway.batcher import Advanced, Batcher, Broken, Finished, Job, Outcome
from partway.denoiser import Array, Condition, guide
from partway.errors import ModelError, NonFinite
from partway.guidance import Guidance
from partway.noise import Noise
from partway.plan import plan_edit
from partway.samplers import get_sampler
from partway.schedule import Level, Schedule

FLOW = Schedule(path="flow")


class Network:
    """Pulls towards its condition; counts calls and rows."""

    schedule = FLOW
    prediction = "sample"

    def __init__(self) -> None:
        self.calls: list[int] = []
        self.fractions: list[list[float]] = []

    def predict(self, x: Array, levels: Sequence[Level], conditions: Sequence[Condition]) -> Array:
        self.calls.append(len(x))
        self.fractions.append([level.noise_fraction for level in levels])
        if any(condition == "crash" for condition in conditions):
            raise RuntimeError("boom")
        rows = zip(x, levels, conditions, strict=True)
        return np.stack([0.9 * row * lv.alpha + 0.1 * c for row, lv, c in rows])


def job(
    network: Network, index: int, condition: Condition, *, strength: float = 1.0, steps: int = 4,
    guidance: float = 1.0, sampler: str = "euler", key: object = "k",
) -> Job:  # fmt: skip
    noise = Noise(index, (1, 3, 3))
    levels = plan_edit(strength, FLOW, dial="noise", steps=steps).levels
    solver = get_sampler(sampler).solve(noise(), levels, noise)
    return Job(index, key, network, guide(solver, condition, 0.0, Guidance(guidance)))  # type: ignore[arg-type]


def run(batcher: Batcher, jobs: list[Job]) -> dict[int, Outcome]:
    ends: dict[int, Outcome] = {}
    for one in jobs:
        batcher.add(one)
    while len(batcher):
        for outcome in batcher.step():
            if not isinstance(outcome, Advanced):
                ends[outcome.job.index] = outcome
    return ends


def alone(make: object, index: int) -> Array:
    end = run(Batcher(), [make(Network(), index)])[index]  # type: ignore[operator]
    assert isinstance(end, Finished)
    return end.latents


def test_mixed_jobs_share_calls_and_keep_their_pictures() -> None:
    def make(network: Network, i: int) -> Job:
        return job(
            network, i, 0.1 * i, strength=0.2 + 0.1 * i, steps=2 + i, guidance=1.0 + i % 3,
            sampler=("euler", "dpmpp_2m", "euler_ancestral")[i % 3],
        )  # fmt: skip

    network = Network()
    ends = run(Batcher(), [make(network, i) for i in range(6)])
    for i, end in ends.items():
        assert isinstance(end, Finished)
        assert np.array_equal(end.latents, alone(make, i))
    assert len(network.calls) == 7  # the longest job's steps, not the sum of 27
    assert len({round(f, 6) for f in network.fractions[0]}) == 6  # six levels in one call


def test_row_limit_and_turns() -> None:
    network = Network()
    batcher = Batcher(max_rows=4)
    ends = run(batcher, [job(network, i, 0.5, guidance=2.0, steps=3) for i in range(5)])
    assert len(ends) == 5
    assert max(network.calls) == 4
    assert sum(network.calls) == 5 * 3 * 2


def test_a_job_larger_than_the_limit_still_runs() -> None:
    network = Network()
    run(Batcher(max_rows=1), [job(network, 0, 0.5, guidance=2.0)])
    assert network.calls == [2, 2, 2, 2]


def test_different_keys_never_share() -> None:
    network = Network()
    run(Batcher(), [job(network, i, 0.5, key=i) for i in range(3)])
    assert network.calls == [1] * 12


def test_a_crash_ends_the_guilty_job_only() -> None:
    network = Network()
    ends = run(Batcher(), [job(network, 0, 0.5), job(network, 1, "crash"), job(network, 2, 0.7)])
    assert isinstance(ends[1], Broken)
    assert isinstance(ends[1].error, ModelError)
    assert "boom" in str(ends[1].error)
    assert isinstance(ends[0], Finished)
    assert isinstance(ends[2], Finished)


def test_nan_is_caught_in_the_row_where_it_arises() -> None:
    ends = run(Batcher(), [job(Network(), 0, 0.5), job(Network(), 1, float("nan"))])
    assert isinstance(ends[0], Finished)
    assert isinstance(ends[1], Broken)
    assert isinstance(ends[1].error, NonFinite)


def test_removal_takes_effect_at_once() -> None:
    network = Network()
    batcher = Batcher()
    jobs = [job(network, i, 0.5, steps=9) for i in range(2)]
    for one in jobs:
        batcher.add(one)
    batcher.step()
    batcher.remove(jobs[0])
    assert len(batcher) == 1
    batcher.step()
    assert network.calls == [2, 1]
    assert jobs[0].evaluations == 1
