"""What became of every result of a folder: SQLite beside the results, written by one process.

A result is announced before its file gets its name, and confirmed afterwards, so that after a crash
the files that are there can be told from those of somebody else:

    writing   the file may be there; if it is, it has this hash
    done      it is there
    failed    it could not be made; why is said
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import uuid4

from partway.errors import InvalidRequest, PartwayError, UserError

try:
    import fcntl

    locks: ModuleType | None = fcntl
except ImportError:  # not a POSIX system
    locks = None

FILE = ".partway-batch.sqlite"
LOCK = ".partway-batch.lock"


class InUse(UserError):
    """Another run works on the folder."""

    code = "in_use"


class Stopped(PartwayError):
    """The disk takes no more, or no worker comes up; the job can go on when that has changed."""

    code = "stopped"
    exit_code = 4


@dataclass(frozen=True, slots=True)
class Row:
    """One result.

    input                 SHA-256 of its source, and of what lies on it
    size, changed         bytes and times of change (ns) of those files
    params                SHA-256 of its settings
    output, written       SHA-256 and bytes of its file
    previous              SHA-256 of the file it replaces
    code, message         of the error it failed with
    """

    name: str
    status: str
    input: str | None = None
    size: int | None = None
    changed: int | str | None = None
    params: str | None = None
    output: str | None = None
    written: int | None = None
    previous: str | None = None
    code: str | None = None
    message: str | None = None


NAMES = [field.name for field in fields(Row)]
TABLE = f"CREATE TABLE IF NOT EXISTS results ({', '.join(NAMES)}, PRIMARY KEY (name))"
SELECT = f"SELECT {', '.join(NAMES)} FROM results"  # noqa: S608  our own names
PACE = "CREATE TABLE IF NOT EXISTS pace (seconds)"  # per result, of the last run
IDENTITY = "CREATE TABLE IF NOT EXISTS identity (word, place)"


class Journal:
    """The open journal of a folder. Safe to use from several threads."""

    def __init__(self, base: sqlite3.Connection) -> None:
        self._lock = threading.Lock()
        self._base = base

    def row(self, name: str) -> Row | None:
        """What became of a result; None where nothing is known of it."""
        with self._lock:
            values = self._base.execute(f"{SELECT} WHERE name = ?", (name,)).fetchone()
        return None if values is None else Row(*values)

    def rows(self) -> Iterator[Row]:
        """All results."""
        for values in self._base.execute(SELECT):
            yield Row(*values)

    @property
    def seconds(self) -> float | None:
        """How long a result took in the last run; None before a first."""
        found = self._base.execute("SELECT seconds FROM pace").fetchone()
        return None if found is None else float(found[0])

    def put(self, row: Row) -> None:
        """Write a result's row; on disk when this returns. Stopped where it cannot be."""
        marks = ", ".join("?" * len(NAMES))
        self._run(f"INSERT OR REPLACE INTO results VALUES ({marks})", astuple(row))  # noqa: S608

    def pace(self, seconds: float) -> None:
        """Remember how long a result took."""
        self._run("DELETE FROM pace")
        self._run("INSERT INTO pace VALUES (?)", (seconds,))

    def identity(self, of: str) -> tuple[str, str]:
        """What tells this journal from all others, and whose results it is of; both for ever.

        of  where the results are, for a journal that is of none yet
        """
        self._run(IDENTITY)
        empty = "WHERE NOT EXISTS (SELECT 1 FROM identity)"
        self._run(f"INSERT INTO identity SELECT ?, ? {empty}", (uuid4().hex, of))
        word, place = self._base.execute("SELECT word, place FROM identity").fetchone()
        return str(word), str(place)

    def close(self) -> None:
        """Let the file go."""
        self._base.close()

    def _run(self, statement: str, values: tuple[Any, ...] = ()) -> None:
        try:
            with self._lock:
                self._base.execute(statement, values)
        except sqlite3.Error as error:
            raise Stopped(
                f"the journal cannot be written: {error}; the same command goes on from here"
            ) from error


@contextmanager
def opened(folder: Path) -> Generator[Journal]:
    """The journal of a folder, which no other run may work on meanwhile.

    InUse where one does; InvalidRequest where the folder cannot be made or its journal not read.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise InvalidRequest(f"{folder} cannot be written: {error.strerror}") from error
    try:
        _take(descriptor, folder)
        for left in folder.rglob(".partway-*.tmp"):  # of a run that was killed
            with suppress(OSError):
                left.unlink()
        with closing(_open(folder / FILE)) as journal:
            yield journal
    finally:
        os.close(descriptor)


@contextmanager
def looked_at(folder: Path) -> Generator[Journal]:
    """The journal of a folder that is only looked at, empty where there is none."""
    file = folder / FILE
    place = f"{file.resolve().as_uri()}?mode=ro" if file.exists() else "file::memory:"
    try:
        with closing(sqlite3.connect(place, uri=True, check_same_thread=False)) as base:
            if not file.exists():
                _lay_out(base)
            base.execute(f"{SELECT} LIMIT 1").fetchall()
            yield Journal(base)
    except sqlite3.Error as error:
        raise InvalidRequest(f"{file} is no journal that can be read: {error}") from error


def _lay_out(base: sqlite3.Connection) -> None:
    base.execute(TABLE)
    base.execute(PACE)


def _open(file: Path) -> Journal:
    """A journal to write, made where there is none."""
    try:
        base = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        try:
            base.execute("PRAGMA journal_mode = WAL")  # one flush per row instead of three
            base.execute("PRAGMA synchronous = FULL")
            _lay_out(base)
            base.execute(f"{SELECT} LIMIT 1").fetchall()
        except sqlite3.Error:
            base.close()
            raise
    except sqlite3.Error as error:
        raise InvalidRequest(f"{file} is no journal that can be used: {error}") from error
    return Journal(base)


def _take(descriptor: int, folder: Path) -> None:
    """Lock the folder; the system lets go of it when the process ends, however it ends."""
    if locks is None:
        return
    try:
        locks.flock(descriptor, locks.LOCK_EX | locks.LOCK_NB)
    except OSError as error:
        raise InUse(
            f"another run works on {folder}: wait for it, or name another folder"
        ) from error
