"""How far a model changes pictures at each noise level: the renders behind a calibration."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from partway.calibration import LEVELS, Calibration, fit
from partway.errors import Cancelled, InvalidRequest, PartwayError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from partway.request import EditRequest
    from partway.result import EditResult

RunMany: TypeAlias = "Callable[[Sequence[EditRequest]], list[EditResult | PartwayError]]"
LEAST_PICTURES = 3  # fewer say more about themselves than about the model


def changes(
    run_many: RunMany, requests: Sequence[EditRequest], levels: Sequence[float] = LEVELS
) -> NDArray[np.float64]:
    """Change, 1 - kept structure, of each request at each noise fraction: (requests, levels).

    run_many  an engine's, with whatever listener and cancel belong to it
    requests  pictures with the prompts to edit them towards; their strength is not used

    All levels of one picture share a run. Raises the first error.
    """
    if len(requests) < LEAST_PICTURES:
        raise InvalidRequest(
            f"{len(requests)} pictures to measure, want at least {LEAST_PICTURES}: sixteen and "
            "more, of the kind you edit, give a curve to rely on"
        )
    rows: list[list[float]] = []
    for request in requests:
        if request.source is None:
            raise InvalidRequest("a picture without a source cannot change")
        outcomes = run_many([request.with_(strength=f, dial="noise") for f in levels])
        rows.append([_change(outcome) for outcome in outcomes])
    return np.array(rows)


def calibrate(run_many: RunMany, requests: Sequence[EditRequest]) -> Calibration:
    """Measure and fit; errors as of `changes` and of `partway.calibration.fit`."""
    return fit(LEVELS, changes(run_many, requests))


def _change(outcome: Any) -> float:
    """1 - kept structure of a result."""
    if isinstance(outcome, PartwayError):
        raise outcome
    if outcome.kept is None:
        raise Cancelled("nothing was measured")
    return 1.0 - outcome.kept.structure
