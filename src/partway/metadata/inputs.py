"""What a picture was made from, found again and checked: files by name, then by hash; the model.

A record names no folder. A file is looked for under its name beside the picture, then by its bytes
among the picture's neighbours; only regular files of the right size are read. A model that does not
come with Partway runs only where the person names it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, cast

from partway import images
from partway.checkpoints import hub
from partway.checkpoints.lora import WEIGHTED, digest_of
from partway.errors import InputsDiffer, NoMetadata, PartwayError
from partway.families import EMBEDDED, WITHOUT_WEIGHTS, profile_of
from partway.metadata.fingerprint import fingerprint_of
from partway.styles import style_file

if TYPE_CHECKING:
    from partway.metadata.document import Document, File

COMMIT = re.compile(r"[0-9a-f]{40}")
NEIGHBOURS = 5000  # files of a folder that are looked at


@dataclass(eq=False)
class Finder:
    """Finds what a picture was made from.

    folder  of the picture; None looks nowhere
    anyway  take what is there even if it differs, and note it
    notes   what was taken although it differs, for the person who asked
    """

    folder: Path | None
    anyway: bool = False
    notes: list[str] = field(default_factory=list[str])

    def file(self, wanted: File, kind: str, given: bytes | None, option: str) -> bytes:
        """The bytes of a file.

        kind    what it is, for messages: "source"
        given   the file the person named instead
        option  how to name one: "--source FILE"
        """
        data = self._found(wanted) if given is None else given
        if data is None:
            place = f"beside the picture or in {self.folder}" if self.folder else "anywhere"
            raise InputsDiffer(
                f"the {kind} {wanted.called!r} is not {place}: say where it is with {option}"
            )
        if hashlib.sha256(data).hexdigest() != wanted.sha256:
            self._differs(
                f"the {kind} {wanted.called!r} is not the file this picture was made from "
                f"(its SHA-256 differs): name that one with {option}"
            )
        return data

    def loras(self, names: object, wanted: Sequence[File], given: Sequence[str]) -> list[str]:
        """Adapters as a request names them: by their files, with the weights of a record.

        given  paths the person named, in the record's order

        NoMetadata where the record names others than it lists, or no weight.
        """
        named = cast("list[object]", names) if isinstance(names, (list, tuple)) else []
        weighted = [WEIGHTED.fullmatch(str(name)) for name in named]
        if len(named) != len(wanted) or None in weighted:
            raise NoMetadata("the record is damaged: its LoRA and their weights cannot be read")
        found: list[str] = []
        for index, (file, match) in enumerate(zip(wanted, weighted, strict=True)):
            places = [Path(given[index])] if index < len(given) else self._places(file)
            same = [place for place in places if _is(place, file)]
            if not same and not (places and self.anyway and places[0].is_file()):
                raise InputsDiffer(
                    f"the LoRA {file.called!r} is not there as it was when this picture was made: "
                    "say where it is with --lora FILE"
                )
            found.append(f"{(same or places)[0]}:{'1' if match is None else match[2]}")
        return found

    def _places(self, wanted: File) -> list[Path]:
        """Beside the picture: under its name, and of its size."""
        if self.folder is None:
            return []
        named = [] if wanted.name is None else [self.folder / wanted.name]
        return [*named, *self._same_size(wanted.size)]

    def _found(self, wanted: File) -> bytes | None:
        """By style, by name, by content; a file of that name with other content comes last."""
        if wanted.style is not None:
            return style_file(wanted.style).read_bytes()
        if self.folder is None:
            return None
        named = None if wanted.name is None else self.folder / wanted.name
        for place in (named, *self._same_size(wanted.size)):
            data = None if place is None else _read(place, wanted.size)
            if data is not None and hashlib.sha256(data).hexdigest() == wanted.sha256:
                return data
        return None if named is None else _read(named, None)

    def _same_size(self, size: int) -> Iterator[Path]:
        """The picture's neighbours of a size."""
        if self.folder is None:
            return
        try:
            for place in islice(self.folder.iterdir(), NEIGHBOURS):
                if place.is_file() and place.stat().st_size == size:
                    yield place
        except OSError:
            return

    def model(self, document: Document, given: str | None, configured: str | None) -> str | None:
        """Name or folder of the model to run, checked; None where none ran.

        given       what the person named
        configured  the model of their settings, taken where it is the very one
        """
        name = document.model
        if name is None:
            return given
        if given is None and name not in {*EMBEDDED, *WITHOUT_WEIGHTS}:
            known = configured is not None and _fingerprint(configured) == document.fingerprint
            if not known or document.fingerprint is None:
                raise InputsDiffer(
                    f"made with the model {name!r}, which does not come with Partway: "
                    f"name it with {_option(document)}"
                )
            given = configured
        chosen = name if given is None else given
        actual = fingerprint_of(profile_of(chosen))
        if actual != document.fingerprint:
            self._differs(
                f"the model {chosen!r} is not the one this picture was made with "
                f"(the fingerprints of their files differ): name that one with {_option(document)}"
            )
        return chosen

    def is_model(self, document: Document, name: str | None) -> bool:
        """Whether a model that was named is the very one of a record."""
        known = document.fingerprint
        return name is not None and known is not None and _fingerprint(name) == known

    def _differs(self, message: str) -> None:
        """Stop, or note it."""
        if not self.anyway:
            raise InputsDiffer(f"{message}, or add --anyway for a picture that may differ")
        self.notes.append(message.split(": ", maxsplit=1)[0])


def _option(document: Document) -> str:
    """How to name the model of a record: one of the hub by its commit."""
    name, commit = document.model or "", document.fingerprint or ""
    if COMMIT.fullmatch(commit) is None or hub.is_id(name) is None:
        return "-m FOLDER"
    return f"-m {name}@{commit}"


def _is(place: Path, wanted: File) -> bool:
    """Whether a file is the very one."""
    try:
        same_size = place.is_file() and place.stat().st_size == wanted.size
        return same_size and digest_of(place) == wanted.sha256
    except OSError:
        return False


def _read(place: Path, size: int | None) -> bytes | None:
    """The bytes of a regular file within the limits, of this size where one is asked."""
    try:
        actual = place.stat().st_size
        if not place.is_file() or actual > images.MAX_BYTES or size not in {None, actual}:
            return None
        return place.read_bytes()
    except (OSError, ValueError):
        return None


def _fingerprint(model: str) -> str | None:
    """Of a model that a person or their settings name; None where it cannot be read."""
    try:
        return fingerprint_of(profile_of(model))
    except PartwayError:
        return None
