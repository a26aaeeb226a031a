"""The types that options' values are read with: each answers a wrong one with what to type."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from partway.errors import InvalidRequest, UnknownName
from partway.fields import share
from partway.noise import MAX_SEED
from partway.samplers.names import resolve_sampler, resolve_spacing
from partway.strength import WORDS, strength_or_word

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class Registered(click.ParamType):  # pyright: ignore[reportMissingTypeArgument]  newer click
    """A name from a registry; a wrong one is answered with the nearest."""

    def __init__(self, kind: str, names: Iterable[str]) -> None:
        self.name = kind
        self._names = tuple(names)

    def convert(self, value: Any, param: Any, ctx: Any) -> str:
        """The name itself, or UnknownName."""
        del param, ctx
        if value not in self._names:
            raise UnknownName(self.name, value, self._names)
        return value

    def get_metavar(self, param: Any, ctx: Any = None) -> str:
        """All names, as in "[uniform|karras]"."""
        del param, ctx
        return f"[{'|'.join(self._names)}]"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Names that start as typed."""
        from click.shell_completion import CompletionItem

        del ctx, param
        return [CompletionItem(name) for name in self._names if name.startswith(incomplete)]


SPACING_OF_NAME = "partway.spacing"  # in a context's meta: that of --sampler "DPM++ 2M Karras"


class SamplerName(Registered):
    """A sampler under any usual name; a spacing at its end is kept for --spacing."""

    def convert(self, value: Any, param: Any, ctx: Any) -> str:
        """The registered name, or UnknownName."""
        del param
        name, spacing = resolve_sampler(value)
        if ctx is not None:
            ctx.meta[SPACING_OF_NAME] = spacing
        return name


class SpacingName(Registered):
    """A spacing under any usual name."""

    def convert(self, value: Any, param: Any, ctx: Any) -> str:
        """The registered name, or UnknownName."""
        del param, ctx
        return resolve_spacing(value)


class Interval(click.ParamType):  # pyright: ignore[reportMissingTypeArgument]  newer click
    """LOW:HIGH, two noise fractions."""

    name = "LOW:HIGH"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[float, float]:
        """Both numbers, or InvalidRequest."""
        del param, ctx
        if isinstance(value, tuple):
            return value  # pyright: ignore[reportUnknownVariableType]  the default, as declared
        try:
            low, high = (float(part) for part in value.split(":"))
        except ValueError as error:
            raise InvalidRequest(
                f"guidance interval is {value!r}, want LOW:HIGH; try 0.2:0.9"
            ) from error
        if not 0.0 <= low < high <= 1.0:
            raise InvalidRequest(
                f"guidance interval is {value}, want 0 ≤ LOW < HIGH ≤ 1; try 0.2:0.9"
            )
        return low, high


class Seed(click.ParamType):  # pyright: ignore[reportMissingTypeArgument]  newer click
    """A whole number, or `random`."""

    name = "N|random"

    def convert(self, value: Any, param: Any, ctx: Any) -> int:
        """The number; a fresh one for `random`; InvalidRequest for anything else."""
        del param, ctx
        if value == "random":
            return secrets.randbelow(MAX_SEED + 1)
        try:
            return int(value)
        except ValueError as error:
            raise InvalidRequest(f"seed is {value!r}, want a whole number or random") from error


class Size(click.ParamType):  # pyright: ignore[reportMissingTypeArgument]  newer click
    """WIDTHxHEIGHT in pixels."""

    name = "WxH"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[int, int]:
        """Width and height, or InvalidRequest."""
        del param, ctx
        try:
            width, height = (int(part) for part in value.lower().replace("×", "x").split("x"))
        except ValueError as error:
            raise InvalidRequest(f"size is {value!r}, want WxH; try 128x128") from error
        return width, height


class Strength(click.ParamType):  # pyright: ignore[reportMissingTypeArgument]  newer click
    """A strength: a number, or one of WORDS, which the model turns into one."""

    name = f"number|{'|'.join(WORDS)}"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float | str:
        """The number or the word."""
        del param, ctx
        return value if isinstance(value, float) else strength_or_word(str(value))

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Words that start as typed."""
        from click.shell_completion import CompletionItem

        del ctx, param
        return [CompletionItem(word) for word in WORDS if word.startswith(incomplete)]


class Keep(click.ParamType):  # pyright: ignore[reportMissingTypeArgument]  newer click
    """A share to keep: 70% or 0.7."""

    name = "share"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The share; its range is the search's to check."""
        del param, ctx
        if isinstance(value, float):
            return value
        return share("keep", str(value), "a share of the structure; try --keep 70%")
