"""`partway page`: the server, and the browser opened on its page."""

from __future__ import annotations

from typing import Any

import click

from partway.interfaces.cli.serve import run, serve_options


@click.command("page")
@serve_options
def command(**given: Any) -> None:
    """Open the web page in the browser; the server behind it runs until Ctrl-C."""
    run(given, browser=True)
