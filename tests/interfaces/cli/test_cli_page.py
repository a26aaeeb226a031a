"""`partway page` is `partway serve` and a browser."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import click
import pytest
from click.testing import CliRunner

from partway.interfaces.cli import cli
from partway.interfaces.http import running

ADDRESS = "http://127.0.0.1:7861"


@pytest.mark.parametrize(("command", "expected"), [("page", [ADDRESS]), ("serve", [])])
def test_the_page_is_opened_where_the_server_listens(
    command: str, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []

    def serve(options: Any, on_up: Callable[[str], None], workers: Any) -> None:
        on_up(ADDRESS)

    monkeypatch.setattr(running, "serve", serve)
    monkeypatch.setattr(click, "launch", opened.append)
    done = CliRunner().invoke(cli, [command])
    assert done.exit_code == 0, done.output
    assert f"Partway is at {ADDRESS}" in done.output
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer):
            thread.join(5)
    assert opened == expected
