"""From a result to a file that is whole or not there; on threads of their own.

It is announced in the journal before its file gets its name, and confirmed afterwards.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from partway import images
from partway.errors import PartwayError, UserError, as_typed
from partway.jobs.files import AnyPath, write
from partway.jobs.inputs import FILES
from partway.jobs.journal import Journal
from partway.result import Names

if TYPE_CHECKING:
    from partway.jobs.items import Item, Writing
    from partway.jobs.reading import Ready
    from partway.result import EditResult

Outcome: TypeAlias = "EditResult | PartwayError | None"  # None: it was there after all


class Writer:
    """Writes results.

    out      where they go; `journal` is its own
    writing  how
    """

    def __init__(self, out: AnyPath, journal: Journal, writing: Writing) -> None:
        self._out = out
        self._journal = journal
        self._writing = writing

    def write(self, ready: Ready, result: EditResult) -> Outcome:
        """Encode a result, announce it, write it, confirm it.

        Raises Stopped where the disk takes no more.
        """
        path = self._out / ready.item.name
        result = replace(result, names=_names(ready.item))
        try:
            data, note = result.encode(
                images.format_for(Path(path.name)),
                path.parent if isinstance(path, Path) else None,
                metadata=self._writing.metadata,
                quality=self._writing.quality,
                keep_gps=self._writing.keep_gps,
            )
        except Exception as error:  # noqa: BLE001  one picture's failure ends no job
            return as_typed(error)
        row = replace(ready.row, output=hashlib.sha256(data).hexdigest(), written=len(data))
        self._journal.put(row)
        try:
            write(data, path, overwrite=row.previous is not None)
        except UserError as error:  # of this name; what stops the job is none
            return error
        self._journal.put(replace(row, status="done"))
        return replace(result, warnings=(*result.warnings, *([] if note is None else [note])))


def _names(item: Item) -> Names:
    """File names for a result's record."""
    mask, strength_map = (None if path is None else str(path) for path in map(item.part.get, FILES))
    return Names(str(item.source), mask=mask, strength_map=strength_map)
