"""From an item to a request with its pictures in it; on threads of their own.

What is there already and was made from the same source and settings is left alone; a file is
replaced only if the journal wrote it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from partway.choosing import choose_model
from partway.errors import OutputExists, PartwayError
from partway.jobs.embedded import said_by
from partway.jobs.files import AnyPath, Stamp, digest_of, read, stamp_of
from partway.jobs.inputs import FILES
from partway.jobs.journal import Journal, Row
from partway.settings import calibrated, calibration_for
from partway.strength import named_strength

if TYPE_CHECKING:
    from partway.engine import Engine
    from partway.jobs.items import Item
    from partway.request import EditRequest

THERE = "there"  # in place of the hash of a file to replace


@dataclass(frozen=True, eq=False)
class Ready:
    """A source that was read; row is what the journal will say of the result."""

    item: Item
    request: EditRequest
    row: Row
    nbytes: int


class Reader:
    """Reads items. It remembers how each one's files were before it was read.

    out     where results go; `journal` is its own
    engine  decodes pictures, and remembers them for the run
    force   replace files that the journal does not know
    """

    def __init__(self, out: AnyPath, journal: Journal, engine: Engine, *, force: bool) -> None:
        self._out = out
        self._journal = journal
        self._engine = engine
        self._force = force
        self._stamps: dict[str, Stamp] = {}  # of what is in flight

    def read(self, item: Item) -> Ready | None:
        """Read and decode a source, choose its model; None where its result is there."""
        if item.error is not None:
            raise item.error
        row = self._row(item, "writing")
        data, *lain = (read(path) for path in item.files)
        row = replace(row, input=digest_of(data, lain))
        previous = self._previous(item, row)
        if previous == THERE:
            return None
        said = said_by(data, item.embedded) if item.embedded else {}
        request, word = _request(item, data, said), None if "strength" in said else item.word
        picture = self._engine.decoded(data, item.source.name)
        if request.strength != 0.0 or word is not None:
            named = bool(request.references)
            profile = choose_model(request.model, picture, item.source.name, with_references=named)
            request = calibrated(request.with_(model=request.model or profile.name), profile)
            if word is not None:
                gain, curve = calibration_for(profile)
                strength = named_strength(word, request.dial, gain, curve)
                request = request.with_(strength=strength)
        nbytes = picture.nbytes + sum(map(len, (data, *lain)))
        return Ready(item, request, replace(row, previous=previous), nbytes)

    def failed(self, item: Item, error: PartwayError) -> None:
        """Write down why an item failed; a file of it that is there stays known."""
        before = self._journal.row(item.name)
        row = replace(
            self._row(item, "failed"), code=error.code, message=" ".join(str(error).split())
        )
        if before is not None:
            row = replace(row, output=before.output, previous=before.previous)
        self._journal.put(row)

    def forget(self, item: Item) -> None:
        """It is in flight no more."""
        self._stamps.pop(item.name, None)

    def _row(self, item: Item, status: str) -> Row:
        """A row with the source as it was before it was read: a later change is seen next time."""
        size, changed = self._stamps.setdefault(item.name, stamp_of(item.files))
        return Row(item.name, status, size=size, changed=changed, params=item.params)

    def _previous(self, item: Item, row: Row) -> str | None:
        """Hash of the file to replace, None without one, THERE where it is the result already.

        OutputExists where it is somebody else's.
        """
        path, before = self._out / item.name, self._journal.row(item.name)
        if not path.exists():
            return None
        data = path.read_bytes()
        output = hashlib.sha256(data).hexdigest()
        if before is not None:
            same = (before.input, before.params) == (row.input, row.params)
            if output == before.output and same and before.status != "failed":
                self._journal.put(replace(row, status="done", output=output, written=len(data)))
                return THERE
            # A name is reserved, empty, where the file system has no hard links.
            reserved = before.status == "writing" and not data
            if output in {before.output, before.previous} or reserved:
                return output
        if self._force:
            return output
        raise OutputExists(f"{path} exists and is not of this job: move it, or add --force")


def _request(item: Item, data: bytes, said: Mapping[str, Any]) -> EditRequest:
    """The request of an item: with its source, what that says, and what lies on it."""
    if {"steps", "full_steps"} & said.keys():
        said = {"steps": None, "full_steps": None, **said}
    lain = {name: read(value) if name in FILES else value for name, value in item.part.items()}
    return item.request.with_(**{"source": data, **said, **lain})
