"""`partway styles`: the style pictures that travel with the package."""

from __future__ import annotations

import click
from rich.console import Console
from rich.table import Table

from partway.interfaces.cli.report import emit
from partway.styles import STYLES, style_file


@click.command("styles")
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout, one object per style.")
def command(*, as_json: bool) -> None:
    """List the styles --style knows by name; it takes any picture file as well."""
    if as_json:
        for name, about in STYLES.items():
            emit({"name": name, "about": about, "file": str(style_file(name))})
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("style")
    table.add_column("a photograph becomes", overflow="fold")
    for name, about in STYLES.items():
        table.add_row(name, about)
    Console(highlight=False).print(table)
    click.echo("partway photo.jpg --style watercolour -s 0.45; a FILE of yours works as well")
