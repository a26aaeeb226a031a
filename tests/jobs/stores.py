"""Stores for tests: a folder behind a URL, whose calls are counted, fail or kill.

`python -m tests.jobs.stores N KIND ARGS…`: partway, whose N-th call of its store fails so.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fsspec  # pyright: ignore[reportMissingTypeStubs]
from fsspec.implementations.local import (  # pyright: ignore[reportMissingTypeStubs]
    LocalFileSystem,
)

from partway.interfaces.cli import main

CALLS = ("find", "info", "cat_file", "pipe_file", "mv", "makedirs")


INSIDE = threading.local()


class Shelf(LocalFileSystem):
    """A folder of this machine as a store that gives no promise of its puts."""

    protocol = "shelf"
    seen: list[str] = []  # noqa: RUF012  of all instances
    at, kind = 0, ""

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        local: Any = LocalFileSystem
        return local._strip_protocol(str(path).removeprefix("shelf://"))

    def unstrip_protocol(self, name: str) -> str:
        return f"shelf://{name}"

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **_: Any) -> None:
        """Half of it, then the other half: a kill between them tears it."""
        with Path(path).open("wb") as stream:
            stream.write(value[: len(value) // 2])
            stream.flush()
            self.count("half")
            stream.write(value[len(value) // 2 :])

    def count(self, name: str) -> None:
        """One call; the one numbered `at` fails or kills the process."""
        self.seen.append(name)
        if len(self.seen) == self.at:
            if self.kind == "KILL":
                os.kill(os.getpid(), signal.SIGKILL)
            raise {"LOST": ConnectionError, "DENIED": PermissionError}[self.kind]("as asked")


def _counted(name: str) -> Any:
    real = getattr(Shelf, name)

    def call(self: Shelf, *args: Any, **kwargs: Any) -> Any:
        within = getattr(INSIDE, "call", False)  # of a call that was counted
        if not within and not any("shelf-in" in str(each) for each in args):
            self.count(name)
        INSIDE.call = True
        try:
            return real(self, *args, **kwargs)
        finally:
            INSIDE.call = within

    return call


for _name in CALLS:
    setattr(Shelf, _name, _counted(_name))
fsspec.register_implementation("shelf", Shelf, clobber=True)  # pyright: ignore[reportUnknownMemberType]


@contextmanager
def breaking(at: int, kind: str) -> Generator[list[str]]:
    """The calls there were, by name; the one numbered `at` fails or kills the process."""
    Shelf.seen, Shelf.at, Shelf.kind = [], at, kind
    try:
        yield Shelf.seen
    finally:
        Shelf.at = 0


if __name__ == "__main__":
    number, kind = int(sys.argv[1]), sys.argv[2]
    del sys.argv[1:3]
    with breaking(number, kind):
        main()
