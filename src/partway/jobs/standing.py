"""What there is to do: a job's items against its journal and the files that are there."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from partway.errors import OutputExists
from partway.jobs.files import AnyPath, size_of, stamp_of
from partway.jobs.journal import Journal, Row

if TYPE_CHECKING:
    from partway.jobs.items import Items


@dataclass(frozen=True, slots=True)
class Standing:
    """A job before it starts: what is to be made, is there, and failed before.

    make    positions in the job's items
    there   how many
    failed  sources, and what the journal says of them
    """

    make: array[int] = field(default_factory=lambda: array("q"))
    there: int = 0
    failed: list[tuple[AnyPath, Row]] = field(default_factory=list[tuple[AnyPath, Row]])


def standing(
    items: Items, journal: Journal, out: AnyPath, *, retry_failed: bool = False
) -> Standing:
    """What each item comes to, by the journal and the sizes and times of files."""
    make, there, failed = array("q"), 0, list[tuple[AnyPath, Row]]()
    for position, item in items:
        row = journal.row(item.name)
        known = row is not None and row.params == item.params
        if row is None or not known or stamp_of(item.files) != (row.size, row.changed):
            make.append(position)
        elif row.status == "done" and size_of(out / item.name) == row.written:
            there += 1
        elif row.status == "failed" and row.code != OutputExists.code and not retry_failed:
            failed.append((item.source, row))
        else:
            make.append(position)
    return Standing(make, there, failed)
