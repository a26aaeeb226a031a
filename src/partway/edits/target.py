"""A target instead of a number: the strength whose result keeps as much as was asked for.

A search is a coroutine like a sampler: it yields the strength to try next and is sent what the
result kept. It knows no model and no picture; `find` runs it.

    first   the model's calibration says where pictures keep as much on average
    second  a step along the average slope
    others  a secant step between the nearest trials above and below the target

Every run has the same source, prompt, noise and steps, so that only the dial moves: with a third of
the steps a picture keeps two points more or less, as much as a search may miss. What was found is
a plain strength: making the picture again needs no search.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from partway.calibration import PROMISED, Curve
from partway.errors import InvalidRequest, Unreachable
from partway.fidelity import percent
from partway.strength import DIGITS, start_noise_fraction, strength_at

if TYPE_CHECKING:
    from partway.request import EditRequest
    from partway.result import EditResult

MAX_RENDERS = 6
TOLERANCE = 0.02  # of kept structure
FAINTEST = 0.002  # share of change that stands for "as little as possible"
# Log-odds of kept per share of change: on average, and the limits of what two trials may say.
SLOPE, STEEPEST, FLATTEST = -6.0, -60.0, -2.0
CAUTION = 0.1  # of a bracket that a step leaves at both its ends


@dataclass(frozen=True, slots=True)
class Found:
    """What a search came to.

    result   a run at `strength`; its request has that plain strength
    kept     share of structure the result kept, 0 … 1
    renders  runs it took, the last one included
    """

    strength: float
    result: EditResult
    kept: float
    renders: int

    def missed(self, target: float) -> bool:
        """Whether the printed share differs from the asked one by more than two points."""
        return abs(percent(self.kept) - 100 * target) > 100 * TOLERANCE + 1e-9


Tried: TypeAlias = list[tuple[float, float]]  # (share of change, kept)
Search: TypeAlias = Generator[float, float, float]
Trials: TypeAlias = "Generator[EditRequest, EditResult, Found]"


def check_keep(keep: float) -> float:
    """Return `keep` as a float in [0, 1]; InvalidRequest for anything else."""
    if not 0.0 <= keep <= 1.0:  # also false for NaN
        raise InvalidRequest(
            f"keep is {keep}, allowed is 0 … 1 (or 0 % … 100 %): 1 keeps the source as it is; "
            "try --keep 70%"
        )
    return float(keep)


def search(target: float, curve: Curve) -> Search:
    """Look for the share of change at which `target` of the structure is kept.

    curve   what to expect of the model

    Ends with the best share tried. Unreachable where even an end of the dial keeps too little, or
    too much.
    """
    share = min(max(curve.share_of_change(1.0 - target), FAINTEST), 1.0)
    tried: Tried = []
    while len(tried) < MAX_RENDERS and share not in {other for other, _ in tried}:
        kept = yield share
        tried.append((share, kept))
        if abs(kept - target) <= TOLERANCE:
            break
        _check_reach(share, kept, target)
        share = following(tried, target)
    return min(tried, key=lambda trial: abs(trial[1] - target))[0]


def following(tried: Tried, target: float) -> float:
    """The share to try next: a secant step, inside what is bracketed.

    On average kept falls evenly with share, but each picture lets go around a level of its own, in
    an S; the log-odds of an S are straight, so the step is taken on those.
    """
    low = max((trial for trial in tried if trial[1] > target), default=None)
    high = min((trial for trial in tried if trial[1] <= target), default=None)
    if low is not None and high is not None and low[0] < high[0]:
        margin = CAUTION * (high[0] - low[0])
        return min(max(_step(low, high, target), low[0] + margin), high[0] - margin)
    latest = tried[::-1]  # first among equals: from an earlier one the step would be the same again
    near, *rest = sorted(latest, key=lambda trial: abs(trial[1] - target))
    return min(max(_step(near, rest[0] if rest else near, target), FAINTEST), 1.0)


def _step(near: tuple[float, float], other: tuple[float, float], target: float) -> float:
    """Where the line through two trials meets the target; SLOPE where they are the same."""
    slope = SLOPE
    if other[0] != near[0]:
        slope = (_log_odds(other[1]) - _log_odds(near[1])) / (other[0] - near[0])
        slope = min(max(slope, STEEPEST), FLATTEST)
    return near[0] + (_log_odds(target) - _log_odds(near[1])) / slope


def _log_odds(kept: float) -> float:
    """log(kept / (1 - kept)), finite."""
    inside = min(max(kept, 0.01), 0.99)
    return math.log(inside / (1.0 - inside))


def _check_reach(share: float, kept: float, target: float) -> None:
    """Unreachable where an end of the dial still keeps too little or too much."""
    if share == FAINTEST and kept < target:
        raise Unreachable(
            f"keeping {100 * target:g} % is out of reach: the model keeps at most "
            f"{percent(kept)} % of this picture, however little it may change. "
            f"Try --keep {percent(kept)}%, or -s 0 for the picture itself"
        )
    if share == 1.0 and kept > target:
        raise Unreachable(
            f"keeping {100 * target:g} % is out of reach: even the picture made from the prompt "
            f"alone keeps {percent(kept)} % of the structure. Try --keep {percent(kept)}%, "
            "another prompt or another seed"
        )


def find(
    run: Callable[[EditRequest], EditResult],
    request: EditRequest,
    keep: float,
    *,
    gain: float = 1.0,
    curve: Curve | None = None,
) -> Found:
    """The strength at which `request` keeps `keep` of its source's structure, and the picture.

    run  an engine's, with whatever listener and cancel belong to it

    All else as of `trials`.
    """
    walk = trials(request, keep, gain=gain, curve=curve)
    result: EditResult | None = None
    while True:
        try:
            asked = next(walk) if result is None else walk.send(result)
        except StopIteration as done:
            return done.value
        result = run(asked)


def trials(
    request: EditRequest,
    keep: float,
    *,
    gain: float = 1.0,
    curve: Curve | None = None,
) -> Trials:
    """The requests of a search: each is yielded to be run, and its result sent back.

    keep         0 … 1; exactly 1 is strength 0
    gain, curve  the model's calibration; without a curve the promise of dial `standard` guides

    Results within two points where the picture's response allows it in six runs; else the nearest.
    """
    check_keep(keep)
    if request.source is None:
        raise InvalidRequest("--keep needs a source: there is nothing else to keep")
    if request.extend is not None:
        raise InvalidRequest("--keep is for edits: a source that is extended is kept as it is")
    if keep == 1.0:
        result = yield request.with_(strength=0.0)
        return Found(0.0, result, 1.0, 1)
    guide = curve or typical(gain)
    walk = search(keep, guide)
    results: dict[float, EditResult] = {}
    share = next(walk)
    while True:
        wanted = strength_at(guide.noise_fraction(share), request.dial, gain, curve)
        strength = 1.0 if share == 1.0 else max(round(wanted, DIGITS), 10**-DIGITS)
        results[share] = yield request.with_(strength=strength)
        try:
            share = walk.send(_kept(results[share]))
        except StopIteration as done:
            result = results[done.value]
            strength = result.request.effective_strength
            return Found(strength, result, _kept(result), len(results))


def typical(gain: float) -> Curve:
    """The change that dial `standard` promises, as a curve for models that were never measured."""
    promised = [
        (1.0 - kept, start_noise_fraction(s, "standard", gain)) for s, kept in PROMISED.items()
    ]
    return Curve(((0.0, 0.0), *promised, (1.0, 1.0)))


def _kept(result: EditResult) -> float:
    """Share of structure kept, as printed: not below 0."""
    return 1.0 if result.kept is None else min(max(result.kept.structure, 0.0), 1.0)
