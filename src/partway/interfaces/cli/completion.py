"""`partway completion`: the script that teaches a shell to complete commands, options and files."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from partway.errors import UnknownName

INSTALL = {
    "bash": 'add to ~/.bashrc:  eval "$(partway completion bash)"',
    "zsh": 'add to ~/.zshrc:  eval "$(partway completion zsh)"',
    "fish": "partway completion fish > ~/.config/fish/completions/partway.fish",
}


@click.command("completion")
@click.argument("shell", metavar="[bash|zsh|fish]")
@click.pass_context
def command(ctx: click.Context, *, shell: str) -> None:
    """Print the completion script of a shell; its first line says how to install it."""
    kind = get_completion_class(shell) if shell in INSTALL else None
    if kind is None:
        raise UnknownName("shell", shell, INSTALL)
    script = kind(ctx.find_root().command, {}, "partway", "_PARTWAY_COMPLETE")
    click.echo(f"# {INSTALL[shell]}")
    click.echo(script.source_template % script.source_vars())
