"""Options that several commands share, as decorators, and the types their values are read with.

Parameters carry the names of EditRequest's fields, so that what `edit_options` collects goes into
a request as it is. Ranges are checked by the request itself: one message, whatever the surface.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from partway.errors import InvalidRequest, UnknownName
from partway.fields import share
from partway.noise import MAX_SEED
from partway.request import DEFAULT_SAMPLER, DEFAULT_SPACING, PRECISIONS, RUNTIMES
from partway.samplers import SAMPLERS
from partway.samplers.names import resolve_sampler, resolve_spacing
from partway.spacings import SPACINGS
from partway.strength import DEFAULT_DIAL, DEFAULT_STRENGTH, DIALS, WORDS, strength_or_word

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

F = TypeVar("F", bound=Callable[..., Any])


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


def _spacing(ctx: click.Context, param: click.Parameter, value: str | None) -> str:
    """What --spacing says, else what the sampler's name says; InvalidRequest where they differ."""
    del param
    named: str | None = ctx.meta.get(SPACING_OF_NAME)
    if value is not None and named is not None and value != named:
        raise InvalidRequest(
            f"the sampler's name says spacing {named}, --spacing says {value}: leave one out"
        )
    return value or named or DEFAULT_SPACING


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


def _all(function: F, options: Iterable[Callable[[F], F]]) -> F:
    """Apply decorators so that --help lists them in this order."""
    for option in reversed(list(options)):
        function = option(function)
    return function


def dial_options(function: F) -> F:
    """--dial, --steps, --full-steps, --sampler, --spacing, --model: what a plan depends on."""
    return _all(
        function,
        (
            click.option(
                "--dial",
                type=Registered("dial", DIALS),
                default=DEFAULT_DIAL,
                show_default=True,
                help="How strength is read.",
            ),
            click.option("--steps", type=int, help="Exactly this many steps, at any strength."),
            click.option(
                "--full-steps",
                type=int,
                help="Density of a full run of so many; an edit takes its share of them. "
                "[default: the model's own]",
            ),
            click.option(
                "--sampler",
                type=SamplerName("sampler", SAMPLERS),
                is_eager=True,
                help="How each step is computed; other programs' names work too, also with a "
                f'spacing: "DPM++ 2M Karras". [default: {DEFAULT_SAMPLER}, or the model\'s own]',
            ),
            click.option(
                "--spacing",
                type=SpacingName("spacing", SPACINGS),
                callback=_spacing,
                help="How the steps share the way down. "
                f"[default: that of the sampler's name, else {DEFAULT_SPACING}]",
            ),
            click.option(
                "-m",
                "--model",
                metavar="MODEL",
                help="Checkpoint to run: a name of `partway models`, a folder, a .safetensors or "
                "OWNER/NAME on the hub. [default: from the settings, else by what the source is]",
            ),
        ),
    )


def edit_options(function: F) -> F:
    """Everything of an EditRequest but its source, prompt, strength, seed and size."""
    function = _all(
        function,
        (
            click.option(
                "--style",
                "styles",
                multiple=True,
                metavar="NAME|FILE",
                help="Take the manner of a picture, instead of a prompt: offline, for photographs; "
                "see `partway styles`. May be given several times.",
            ),
            click.option(
                "--keep-colors",
                is_flag=True,
                help="With --style: only light and texture change, hues stay.",
            ),
            click.option(
                "--recolor",
                is_flag=True,
                help="With --style: its palette whole at any strength; the rest follows the dial.",
            ),
            click.option(
                "--lora",
                "loras",
                multiple=True,
                metavar="FILE[:WEIGHT]",
                help="A LoRA on top of the checkpoint, as film.safetensors:0.8; may be given "
                "several times.",
            ),
            click.option(
                "-n",
                "--negative-prompt",
                default="",
                metavar="TEXT",
                help="What to steer away from.",
            ),
            click.option(
                "--cfg-scale",
                "--guidance",
                "guidance_scale",
                type=float,
                help="Weight of the prompt; 1 is off. [default: the model's own]",
            ),
            click.option(
                "--guidance-interval",
                type=Interval(),
                default=(0.0, 1.0),
                help="Noise fractions between which guidance acts. [default: 0:1]",
            ),
            click.option(
                "--precision",
                type=Registered("precision", PRECISIONS),
                default="auto",
                show_default=True,
                help="Of the network; auto is bf16 where the processor computes in it.",
            ),
            click.option(
                "--runtime",
                type=Registered("runtime", RUNTIMES),
                default="auto",
                show_default=True,
                help="openvino converts a checkpoint's networks for the CPU; auto is torch.",
            ),
        ),
    )
    return dial_options(function)


def seed_options(function: F) -> F:
    """--seed, repeatable, and --batch-count."""
    return _all(
        function,
        (
            click.option(
                "--seed",
                "seeds",
                type=Seed(),
                multiple=True,
                default=(1,),
                help="Of the noise; may be given several times. [default: 1]",
            ),
            click.option(
                "-b",
                "--batch-count",
                type=click.IntRange(1, 1000),
                default=1,
                show_default=True,
                help="So many pictures, with consecutive seeds.",
            ),
        ),
    )


def output_options(function: F) -> F:
    """--quality, --keep-gps, --no-metadata, --force, --json and --quiet."""
    return _all(
        function,
        (
            click.option(
                "--quality",
                type=int,
                help="Of .jpg, .webp and .avif: 1 (smallest file) to 100. "
                "[default: 95, lossless, 90]",
            ),
            click.option(
                "--keep-gps",
                is_flag=True,
                help="Results tell the place the source was taken at, if it does.",
            ),
            click.option(
                "--no-metadata",
                is_flag=True,
                help="Write nothing into the files about how they were made.",
            ),
            click.option("--force", is_flag=True, help="Overwrite files that -o names."),
            click.option("--json", "as_json", is_flag=True, help="JSON Lines on stdout."),
            click.option("-q", "--quiet", is_flag=True, help="Only errors on stderr."),
        ),
    )


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


def strength_option(function: F) -> F:
    """--strength, the dial."""
    return click.option(
        "-s",
        "--strength",
        type=Strength(),
        help=f"0 keeps the source, 1 ignores it. [default: {DEFAULT_STRENGTH}]",
    )(function)


def as_option(function: F) -> F:
    """--as, whose number --strength is."""
    return click.option(
        "--as",
        "tool",
        metavar="TOOL",
        help="--strength and --steps are those of another program, read by its own rule: a1111, "
        "comfyui, diffusers, …; see `partway convert`.",
    )(function)


def consecutive(seeds: Iterable[int], count: int) -> list[int]:
    """Each seed and those that follow it, `count` in all, none twice."""
    return list(dict.fromkeys(seed + i for seed in seeds for i in range(count)))
