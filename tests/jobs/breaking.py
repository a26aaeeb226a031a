"""`python -m tests.jobs.breaking N KIND ARGS…`: partway, whose N-th file operation fails so.

With DIRECT as KIND it gives files their names before they are whole, and is killed there.
"""

from __future__ import annotations

import errno
import os
import signal
import sqlite3
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from partway import images
from partway.images import whole_files
from partway.interfaces.cli import main


@contextmanager
def broken(at: int, kind: str) -> Generator[list[str]]:  # noqa: C901  one patch each
    """The operations there were, by name; the one numbered `at` fails or kills the process."""
    seen: list[str] = []
    real_open, real_mkdir, real_replace = Path.open, Path.mkdir, Path.replace
    real_fsync, real_link, real_connect = os.fsync, os.link, sqlite3.connect

    def count(name: str, error: type[Exception] = OSError) -> None:
        seen.append(name)
        if len(seen) == at:
            if kind == "KILL":
                os.kill(os.getpid(), signal.SIGKILL)
            if error is sqlite3.OperationalError:
                raise sqlite3.OperationalError(os.strerror(getattr(errno, kind)))
            raise OSError(getattr(errno, kind), os.strerror(getattr(errno, kind)))

    def counted(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            count(name)
            return real(*args, **kwargs)

        return call

    def open_(self: Path, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        if mode == "xb":
            count("open")
        elif mode == "rb" and self.parts[0] == "in":
            count("read")
        return real_open(self, mode, *args, **kwargs)

    class Counting(sqlite3.Connection):
        def execute(self, statement: str, *args: Any) -> sqlite3.Cursor:  # type: ignore[override]
            if "results VALUES" in statement:
                count("put", sqlite3.OperationalError)
            return super().execute(statement, *args)

    Path.open = open_  # type: ignore[method-assign]
    Path.mkdir = counted("mkdir", real_mkdir)
    Path.replace = counted("replace", real_replace)
    whole_files.os.fsync = counted("fsync", real_fsync)
    whole_files.os.link = counted("link", real_link)
    sqlite3.connect = lambda *args, **kwargs: real_connect(*args, factory=Counting, **kwargs)  # type: ignore[assignment]
    try:
        yield seen
    finally:
        Path.open, Path.mkdir, Path.replace = real_open, real_mkdir, real_replace  # type: ignore[method-assign]
        os.fsync, os.link, sqlite3.connect = real_fsync, real_link, real_connect


def save_directly(data: bytes, path: Path, *, overwrite: bool = False) -> None:
    """As a writer would that knows no temporary files."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb" if overwrite else "xb") as stream:
        stream.write(data[: len(data) // 2])
        stream.flush()
        os.fsync(stream.fileno())
        stream.write(data[len(data) // 2 :])


if __name__ == "__main__":
    number, kind = int(sys.argv[1]), sys.argv[2]
    del sys.argv[1:3]
    if kind == "DIRECT":
        images.write_whole, kind = save_directly, "KILL"
    with broken(number, kind):
        main()
