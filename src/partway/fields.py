"""One field of a request: brought to its own type, or refused with what was got."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, cast

from partway.errors import InvalidRequest

T = TypeVar("T")


def number(name: str, value: object) -> float:
    """A real number as float; NumPy's count, booleans and text do not."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise InvalidRequest(f"{name} is {value!r}, want a number")
    try:
        return float(value)
    except OverflowError as error:
        raise InvalidRequest(f"{name} has hundreds of digits, want a number") from error


def share(name: str, value: str, want: str) -> float:
    """A number as people write it: 0.45, 0,45 or 45%; its range is checked elsewhere."""
    plain = value.strip().replace(",", ".")
    try:
        return float(plain[:-1]) / 100 if plain.endswith("%") else float(plain)
    except ValueError as error:
        raise InvalidRequest(f"{name} is {value!r}, want {want}") from error


def whole(name: str, value: object) -> int:
    """A whole number as int."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise InvalidRequest(f"{name} is {value!r}, want a whole number")
    return int(value)


def text(name: str, value: object) -> str:
    """Text that can be written as UTF-8."""
    if not isinstance(value, str):
        raise InvalidRequest(f"{name} is {value!r}, want text")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InvalidRequest(f"{name} holds bytes that are no text: {value!r}") from error
    return value


def data(name: str, value: object) -> bytes:
    """The bytes of a file."""
    if not isinstance(value, (bytes, bytearray)):
        raise InvalidRequest(f"{name} is a {type(value).__name__}, want the bytes of an image file")
    return bytes(value)


def truth(name: str, value: object) -> bool:
    """True or False; numbers and text do not count."""
    if not isinstance(value, bool):
        raise InvalidRequest(f"{name} is {value!r}, want True or False")
    return value


def several(name: str, value: object, each: Callable[[str, object], T]) -> tuple[T, ...]:
    """Any number of values of one kind; a single text or file is not several."""
    if isinstance(value, (str, bytes, bytearray)) or not isinstance(value, Iterable):
        shown = f"[{value!r}]" if isinstance(value, str) else "a list"
        kind = f"{value!r}" if isinstance(value, str) else f"a {type(value).__name__}"
        raise InvalidRequest(f"{name} is {kind}, want several; try {shown}")
    return tuple(each(name, one) for one in cast("Iterable[object]", value))


def pair(name: str, value: Any, each: Callable[[str, object], T]) -> tuple[T, T]:
    """Two values of one kind."""
    try:
        first, second = value
    except (TypeError, ValueError) as error:
        raise InvalidRequest(f"{name} is {value!r}, want two numbers") from error
    return each(name, first), each(name, second)
