"""What an executor remembers of a submission until it is finished."""

from __future__ import annotations

import hashlib
import io
import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from time import monotonic
from typing import TYPE_CHECKING

from PIL import Image

from partway.errors import Cancelled, PartwayError
from partway.events import Failed, WasCancelled
from partway.geometry import Extent

if TYPE_CHECKING:
    from partway.executors import Submission
    from partway.executors.places import Place
    from partway.request import EditRequest
    from partway.run import Mode


@dataclass(eq=False)
class Entry:
    """A submission that was accepted and is not finished.

    waiting   positions of requests that were not handed to a worker yet
    pixels    of each request's result
    seconds   after which it is given up, or None
    started   when its first request was handed over, or None
    ended     why the rest of it is given up, or None
    """

    submission: Submission
    mode: Mode
    preview_every: int
    seconds: float | None
    pixels: list[int]
    submitted: float = field(default_factory=monotonic)
    started: float | None = None
    ended: PartwayError | None = None
    digests: dict[int, str] = field(default_factory=dict[int, str])

    def __post_init__(self) -> None:
        self.waiting = deque(range(len(self.submission.requests)))

    def digest(self, index: int) -> str:
        """The digest of a request, made when it is asked for."""
        if index not in self.digests:
            self.digests[index] = digest(self.submission.requests[index])
        return self.digests[index]

    def tell_last(self, index: int) -> None:
        """The last event of a request whose submission was given up."""
        if self.ended is None or isinstance(self.ended, Cancelled):
            self.submission.tell(WasCancelled(index))
        else:
            self.submission.tell(Failed(index, self.ended))


@dataclass(frozen=True, eq=False)
class Running:
    """A request that was handed to a worker."""

    entry: Entry
    index: int
    place: Place

    @property
    def pixels(self) -> int:
        """Of its result."""
        return self.entry.pixels[self.index]


def weight(submissions: Iterable[Submission]) -> int:
    """Bytes of all pictures and what lies on them; one that several requests share counts once."""
    files = {
        id(data): len(data)
        for submission in submissions
        for request in submission.requests
        for data in (*request.references, request.source, request.mask, request.strength_map)
        if data is not None
    }
    return sum(files.values())


def sizes(requests: Iterable[EditRequest]) -> list[int]:
    """Pixels of the results that requests lead to, which their memory goes with.

    Read from a source's header, once where several share it; 0 where that says nothing.
    """
    known: dict[int, Extent | None] = {}
    found: list[int] = []
    for request in requests:
        if request.source is None:
            found.append(0 if request.size is None else math.prod(request.size))
            continue
        if id(request.source) not in known:
            known[id(request.source)] = _extent_of(request.source)
        extent = known[id(request.source)]
        if extent is not None and request.extend is not None:
            extent = request.extend.around(extent)
        area = 0 if extent is None else math.prod(extent)
        found.append(round(area * (request.scale or 1.0) ** 2))
    return found


def _extent_of(source: bytes) -> Extent | None:
    """A picture's size by its header."""
    try:
        with Image.open(io.BytesIO(source)) as image:
            return Extent(*image.size)
    except Exception:  # noqa: BLE001  the engine says what is wrong with it
        return None


def digest(request: EditRequest) -> str:
    """SHA-256 of everything in a request."""
    found = hashlib.sha256()
    for each in fields(request):
        value = getattr(request, each.name)
        files = value if each.name == "references" else (value,)
        found.update(f"\n{each.name} {len(files)} ".encode())
        for part in files:
            data = part if isinstance(part, bytes) else repr(part).encode("utf-8", "replace")
            found.update(hashlib.sha256(data).digest())
    return found.hexdigest()
