"""`python -m tests.jobs.breaking N KIND ARGS…`: partway, whose N-th file operation fails so."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from partway.images import whole_files
from partway.interfaces.cli import main
from partway.jobs.journal import Journal, Row


@contextmanager
def broken(at: int, kind: str) -> Generator[list[str]]:
    """The operations there were, by name; the one numbered `at` fails or kills the process."""
    seen: list[str] = []
    real_open, real_fsync, real_link, real_put = Path.open, os.fsync, os.link, Journal.put

    def count(name: str) -> None:
        seen.append(name)
        if len(seen) == at:
            if kind == "KILL":
                os.kill(os.getpid(), signal.SIGKILL)
            raise OSError(getattr(errno, kind), os.strerror(getattr(errno, kind)))

    def counted(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            count(name)
            return real(*args, **kwargs)

        return call

    def open_(self: Path, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        if mode == "xb":
            count("open")
        return real_open(self, mode, *args, **kwargs)

    def put(self: Journal, row: Row) -> None:
        if kind == "KILL":  # SQLite's own failures are its own to test
            count("put")
        real_put(self, row)

    Path.open = open_  # type: ignore[method-assign]
    whole_files.os.fsync = counted("fsync", real_fsync)
    whole_files.os.link = counted("link", real_link)
    Journal.put = put  # type: ignore[method-assign]
    try:
        yield seen
    finally:
        Path.open, os.fsync, os.link, Journal.put = real_open, real_fsync, real_link, real_put  # type: ignore[method-assign]


if __name__ == "__main__":
    number, kind = int(sys.argv[1]), sys.argv[2]
    del sys.argv[1:3]
    with broken(number, kind):
        main()
