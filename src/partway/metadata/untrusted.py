"""JSON from somebody else's text: read within limits, and asked for its types before use."""

from __future__ import annotations

import json
import math
import re
from typing import Any, TypeGuard

MAX_JSON = 4 * 2**20  # characters; node graphs of real use are some hundred thousand
MAX_VALUE = 2000  # characters of one short value
HALF = re.compile(r"\\u[dD][89a-fA-F]")  # of a character beyond 16 bits: alone it is none


def parsed(text: object) -> Any:
    """JSON of a text, or None: too long, too deep, or none at all."""
    if not isinstance(text, str) or len(text) > MAX_JSON:
        return None
    try:
        return loaded(text)
    except (ValueError, RecursionError):
        return None


def loaded(text: str) -> Any:
    """JSON of a text, whose half characters are read as "?": no file and no answer takes them."""
    value = json.loads(text)
    if HALF.search(text) is None:
        return value
    return json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))


def is_object(value: object) -> TypeGuard[dict[str, Any]]:
    """Whether a JSON value is an object."""
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[Any]]:
    """Whether a JSON value is a list."""
    return isinstance(value, list)


def is_whole(value: object) -> TypeGuard[int]:
    """Whether a JSON value is a whole number; true and false are none."""
    return isinstance(value, int) and not isinstance(value, bool)


def plain(value: object) -> str:
    """A scalar as short text; "" for anything else."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}" if math.isfinite(value) else ""
    if isinstance(value, int):
        return str(value) if abs(value) < 10**40 else ""
    return value[:MAX_VALUE] if isinstance(value, str) else ""
