"""The command line: `partway SOURCE PROMPT -s 0.45` and its sub-commands.

Results go to files, or to stdout where asked; progress, hints and errors go to stderr. Commands are
imported when they run, so that `partway --help` loads neither NumPy nor a runtime.

    exit code   0 all written · 1 a model failed · 2 the request can be corrected
                3 some of a batch failed · 4 the disk takes no more · 130 interrupted
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn, cast

import click

from partway import __version__
from partway.errors import Cancelled, PartwayError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from click.shell_completion import CompletionItem

DEFAULT_COMMAND = "edit"

# Name → one line for `partway --help`. Each is `command` in the module of its name.
COMMANDS = {
    "edit": "Edit pictures; runs where no command is named.",
    "inpaint": "Repaint a masked part; every other pixel stays as it is.",
    "outpaint": "Extend a picture beyond its edges; every pixel of it stays as it is.",
    "upscale": "Enlarge pictures and add detail, in tiles denoised together.",
    "sweep": "One picture and prompt over many strengths, with a contact sheet.",
    "batch": "A folder of pictures; killed at any moment, it goes on where it was.",
    "refine": "Nudge an almost-right result with its own settings.",
    "replay": "Make the same picture again from what its file says.",
    "info": "What picture files say about how they were made.",
    "plan": "What a strength comes to on a model: noise, steps, levels.",
    "convert": "A strength in another program's number: A1111, ComfyUI, diffusers, …",
    "calibrate": "Measure a model's change on your pictures, for dial perceptual and -s words.",
    "check": "Does the dial keep its promises on a checkpoint? Renders, and asks.",
    "models": "The models there are; with a name, what one of them knows.",
    "styles": "The style pictures there are, for --style.",
    "page": "The web page: opens the browser on a server of its own.",
    "serve": "The HTTP server: page and APIs, without a browser.",
    "demo": "Edit shipped drawings and a photograph over the whole dial.",
    "completion": "Print the completion script of a shell.",
}

EPILOG = """\b
Examples:
  partway cat.png "cat face, 3d" -s 0.45
  partway sweep cat.png "cat face, 3d"
  partway *.png -p "flat icon" -s 0.5 -o out/
  partway -p "owl, 3d" -o owl.png
  partway photo.jpg --style watercolour -s 0.45

\b
Strength 0 keeps the source, bit for bit; 0.3 to 0.5 keeps the composition;
0.7 to 0.85 keeps loose structure; 1 ignores the source: text-to-image.
"""


class Commands(click.Group):
    """A group whose commands are imported on use, with `edit` as the default one."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the table."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        return cast("click.Command", import_module(f"{__name__}.{cmd_name}").command)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the default command in front where the first word names none."""
        if not args and not ctx.resilient_parsing:
            click.echo(ctx.get_help())
            ctx.exit()
        if args and args[0] not in {*COMMANDS, "--help", "-h", "--version"}:
            args = [DEFAULT_COMMAND, *args]
        return super().parse_args(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from the table, importing none."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete to command names, else to files: the default command starts with a source."""
        from click.shell_completion import CompletionItem

        names = [name for name in COMMANDS if name.startswith(incomplete)]
        if names and incomplete:
            return [CompletionItem(name, help=COMMANDS[name]) for name in names]
        if incomplete.startswith("-"):
            return click.Command.shell_complete(self, ctx, incomplete)
        items = [CompletionItem(name, help=COMMANDS[name]) for name in names]
        return [*items, CompletionItem(incomplete, type="file")]

    def main(  # pyright: ignore[reportIncompatibleMethodOverride]  overloads of newer click
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> NoReturn:
        """Run and exit: every error raised on purpose is one line and an exit code."""
        extra.pop("standalone_mode", None)
        try:
            code: object = super().main(args, prog_name, standalone_mode=False, **extra)
        except Cancelled as error:
            _say(str(error), "yellow")
            code = error.exit_code
        except PartwayError as error:
            _say(f"error: {error}", "red")
            code = error.exit_code
        except click.UsageError as error:
            path = error.ctx.command_path if error.ctx is not None else "partway"
            _say(f"error: {error.format_message()} (see {path} --help)", "red")
            code = error.exit_code
        except click.ClickException as error:
            _say(f"error: {error.format_message()}", "red")
            code = error.exit_code
        except click.Abort:
            _say("interrupted", "yellow")
            code = Cancelled.exit_code
        sys.exit(code if isinstance(code, int) else 0)


def _say(message: str, color: str) -> None:
    """One line on stderr; coloured on a terminal unless NO_COLOR is set."""
    plain = "NO_COLOR" in os.environ
    line = " ".join(message.split())
    click.secho(line, fg=None if plain else color, err=True)


@click.group(
    cls=Commands,
    epilog=EPILOG,
    subcommand_metavar="[COMMAND] SOURCE PROMPT …",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, message="partway %(version)s")
def cli() -> None:
    """Image-to-image diffusion with one honest dial: denoising strength."""


def main() -> NoReturn:
    """Entry point of the `partway` command."""
    # NumPy's own products are small here: threads that wait for each other take longer than one.
    # To be said before NumPy is loaded; networks have threads of their own.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if {"-q", "--quiet"} & set(sys.argv):  # to be said before the hub's library is loaded
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    cli.main(prog_name="partway")
