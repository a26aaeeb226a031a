"""One source and prompt over many strengths: a list of requests that share everything else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from partway.errors import InvalidRequest
from partway.strength import check_strength

if TYPE_CHECKING:
    from collections.abc import Iterable

    from partway.request import EditRequest

MAX_CELLS = 101


def sweep_requests(request: EditRequest, strengths: Iterable[float]) -> list[EditRequest]:
    """The request at each strength; same prompt, seed and noise, so only the dial changes."""
    if request.source is None:
        raise InvalidRequest("a sweep needs a source: without one strength has no effect")
    return [request.with_(strength=strength) for strength in strengths]


def parse_strengths(text: str) -> list[float]:
    """Strengths from "0:1:0.1" (from, to inclusive, step) or "0.2,0.45,0.7"."""
    try:
        if ":" in text:
            values = _range(*(float(part) for part in text.split(":")))
        else:
            values = [float(part) for part in text.split(",") if part.strip()]
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidRequest(
            f"strengths are {text!r}, want FROM:TO:STEP or a list; try 0:1:0.1 or 0.2,0.45,0.7"
        ) from error
    if not 1 <= len(values) <= MAX_CELLS:
        raise InvalidRequest(f"{text!r} is {len(values)} strengths, allowed are 1 … {MAX_CELLS}")
    return [check_strength(value) for value in values]


def _range(start: float, stop: float, step: float) -> list[float]:
    """Evenly spaced values including both ends, free of accumulated rounding."""
    if not step > 0.0 or not stop >= start:
        raise ValueError(step)
    count = int((stop - start) / step + 1e-6) + 1
    if count > MAX_CELLS:
        raise InvalidRequest(f"that is {count} strengths, allowed are {MAX_CELLS}")
    return [round(start + i * step, 6) for i in range(count)]
