"""Results behind a URL: their journal is on this machine, and they are that journal's alone.

    OUT       .partway-batch.json: which journal, and on which machine
    journal   in the user's data folder, one for each OUT; or in the folder that is named

So two runs refuse each other: with one journal by its lock, with two by what OUT says. A run that
was killed leaves OUT its journal's, and the same command goes on from there.
"""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

from platformdirs import user_data_path

from partway.errors import InvalidRequest, OutputExists, UnreadableImage
from partway.jobs import journal
from partway.jobs.files import AnyPath
from partway.jobs.journal import InUse, Journal
from partway.jobs.remote import RemotePath

OWNER = ".partway-batch.json"


def journal_folder(out: AnyPath, named: Path | None = None) -> Path:
    """Where the journal of results lies: with them, or on this machine where they are elsewhere.

    named  by the user, of results that are elsewhere
    """
    if isinstance(out, Path):
        if named is not None:
            raise InvalidRequest(f"--journal is for an OUT behind a URL: {out} keeps its own")
        return out
    if named is not None:
        return named
    host = out.fs.storage_options.get("host", "")  # an address of sftp:// is told without it
    digest = hashlib.sha256(f"{host} {out}".encode()).hexdigest()
    return user_data_path("partway") / "batches" / digest[:16]


@contextmanager
def opened(out: AnyPath, named: Path | None = None) -> Generator[tuple[AnyPath, Journal]]:
    """OUT, with what is in it known, and its journal, which no other run may work on meanwhile.

    InUse where one does, or where OUT is another journal's.
    """
    with journal.opened(journal_folder(out, named)) as book:
        if isinstance(out, RemotePath):
            _claim(out, book)
            out = out.listed()
            for left in out.leftovers():
                left.remove()
        yield out, book


@contextmanager
def looked_at(out: AnyPath, named: Path | None = None) -> Generator[tuple[AnyPath, Journal]]:
    """The same for a look that changes nothing."""
    with journal.looked_at(journal_folder(out, named)) as book:
        yield out.listed() if isinstance(out, RemotePath) else out, book


def _claim(out: RemotePath, book: Journal) -> None:
    """Make OUT this journal's, where it is nobody's yet."""
    mark = out / OWNER
    word, place = book.identity(str(out))
    if place != str(out):
        raise InvalidRequest(f"that journal is of {place}: name another folder with --journal")
    mine = {"journal": word, "host": socket.gethostname()}
    if not mark.exists():
        with suppress(OutputExists):  # another run was faster: it says which
            mark.put(json.dumps(mine).encode())
    found = _said(mark)
    if found.get("journal") != mine["journal"]:
        raise InUse(
            f"{out} belongs to another journal, on {found.get('host')}: run it there, name another "
            f"OUT, or remove {mark} if that journal is gone"
        )


def _said(mark: RemotePath) -> dict[str, Any]:
    """What OUT says of its journal."""
    try:
        found = json.loads(mark.read_text())
    except (ValueError, RecursionError, UnreadableImage):
        found = None
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}
