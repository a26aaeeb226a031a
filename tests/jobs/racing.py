"""`python -m tests.jobs.racing`: the job of in/ into each folder that stdin names."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from partway.engine import Engine
from partway.jobs import journal
from partway.jobs.folder import FolderRun
from partway.jobs.inputs import find
from partway.jobs.items import Common, Item, Items, Writing
from partway.jobs.standing import standing
from partway.request import EditRequest


def main() -> None:
    """Says for each folder how many results it made, or why it made none."""
    engine, request = Engine(), EditRequest(prompt="red", model="analytic", steps=1)
    for line in sys.stdin:
        out = Path(line.strip())
        items = Items(find("in", out), Common(request))
        made: list[str] = []

        def told(item: Item, outcome: object, made: list[str] = made) -> None:
            assert outcome is not None
            made.append(item.name)

        try:
            with journal.opened(out) as book:
                before = standing(items, book, out)
                run = FolderRun(out, book, Writing(), told, engine=engine)
                run.run((items[position] for position in before.make), threading.Event())
        except journal.InUse as error:
            print(error.code, flush=True)
        else:
            print(f"made {len(made)}", flush=True)


if __name__ == "__main__":
    main()
