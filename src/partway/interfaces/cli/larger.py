"""How much larger a result shall be: -x, a factor, or --to, a size."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from partway.errors import InvalidRequest

if TYPE_CHECKING:
    from partway.geometry import Extent

Larger: TypeAlias = "Callable[[Extent], float]"  # of a source → the scale of its result


class Bound(click.ParamType):  # pyright: ignore[reportMissingTypeArgument]  newer click
    """PIXELS of the long side, or WxH that the result fits into."""

    name = "PIXELS|WxH"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[int, int]:
        """The largest width and height, or InvalidRequest."""
        del param, ctx
        if isinstance(value, tuple):
            return value  # pyright: ignore[reportUnknownVariableType]  converted already
        try:
            sides = [int(side) for side in str(value).lower().replace("×", "x").split("x")]
            width, height = sides * 2 if len(sides) == 1 else sides
        except ValueError as error:
            raise InvalidRequest(
                f"--to is {value!r}, want pixels of the long side, or WxH; try --to 2048"
            ) from error
        return width, height


def larger_of(scale: float | None, bound: tuple[int, int] | None) -> Larger | None:
    """What -x or --to ask for; None where neither is given."""
    if scale is not None and bound is not None:
        raise InvalidRequest("give -x or --to, not both")
    if scale is not None:

        def times(source: Extent) -> float:
            del source
            return scale

        return times
    if bound is None:
        return None

    def within(source: Extent) -> float:
        times = min(bound[0] / source.width, bound[1] / source.height)
        if times <= 1.0:
            raise InvalidRequest(
                f"--to {bound[0]}x{bound[1]} is no larger than the source, {source}: "
                "an upscale enlarges"
            )
        return times

    return within
