"""A record to the request that makes the same picture.

Taken over is what EditRequest holds and nothing else: each field passes the checks every request
passes. Files come from `inputs`, never from a path in the record.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from partway import images
from partway.errors import InputsDiffer, InvalidRequest, NoMetadata
from partway.metadata.describe import PROGRAM, digest_of
from partway.metadata.inputs import Finder
from partway.request import EditRequest

if TYPE_CHECKING:
    from pathlib import Path

    from partway.metadata.document import Document, File
    from partway.metadata.reading import Metadata
    from partway.result import EditResult

# Field of a request → what it is called, and the option that names a file for it.
KINDS = {
    "source": ("source", "--source FILE"),
    "references": ("style picture", "--style FILE"),
    "mask": ("mask", "--mask FILE"),
    "strength_map": ("strength map", "--map FILE"),
    "loras": ("LoRA", "--lora FILE"),
}


@dataclass(frozen=True, kw_only=True)
class Replay:
    """A request that was read from a file, and what the person should know."""

    request: EditRequest
    document: Document
    notes: tuple[str, ...]


def record_of(metadata: Metadata) -> Document:
    """The record of a file; NoMetadata says what can be done with one that has none."""
    if metadata.document is not None:
        return metadata.document
    if metadata.notes:
        raise NoMetadata(metadata.notes[0])
    if metadata.tool is not None:
        raise NoMetadata(
            f"made by {metadata.tool}, which Partway cannot run: `partway info` prints its "
            "settings, `partway refine` goes on from the picture with its prompt"
        )
    raise NoMetadata(
        "nothing in this file says how it was made: `partway refine FILE -s 0.25 PROMPT` goes on "
        "from the picture itself"
    )


def replay_of(
    document: Document,
    folder: Path | None,
    *,
    source: bytes | None = None,
    references: Sequence[bytes] = (),
    mask: bytes | None = None,
    strength_map: bytes | None = None,
    loras: Sequence[str] = (),
    model: str | None = None,
    configured: str | None = None,
    anyway: bool = False,
) -> Replay:
    """The request of a record.

    folder      of the picture, where its source is looked for
    source …    given by the person in place of what would be found
    configured  the model of their settings
    anyway      go on although something differs

    InputsDiffer says which file or model is gone or another; NoMetadata where the record has
    fields that this version does not know; InvalidRequest for values no request may have.
    """
    finder = Finder(folder, anyway)
    single = {"source": source, "mask": mask, "strength_map": strength_map}
    given = {name: [] if data is None else [data] for name, data in single.items()}
    given["references"] = [*references]
    known = {each.name: each for each in fields(EditRequest)}
    unknown = sorted({*document.request, *document.files} - known.keys())
    if unknown and not anyway:
        raise NoMetadata(
            f"made by {document.program[:60]!r} with {unknown[0][:60]!r}, which this version does "
            "not know: update Partway, or add --anyway for a picture that may differ"
        )
    if unknown:
        finder.notes.append(f"{unknown[0]!r} is not known to this version and was left out")
    values: dict[str, Any] = {
        name: value
        for name, value in document.request.items()
        if name in known and name != "model" and name not in KINDS
    }
    for name, found in ({"loras": [*loras]} | given).items():
        held = len(document.files.get(name, ()))
        if len(found) > held:
            kind, option = KINDS[name]
            made = f"without a {kind}" if not held else f"with {held} of {kind}"
            raise InputsDiffer(f"this picture was made {made}: leave {option[:-5]} out")
    wanted_loras = document.files.get("loras", ())
    values["loras"] = finder.loras(document.request.get("loras"), wanted_loras, loras)
    for name, wanted in document.files.items():
        if name in known and name != "loras":
            found = _files(finder, name, wanted, given.get(name, []))
            values[name] = found if known[name].default == () else next(iter(found), None)
    _check_size(values.get("size"))
    values["model"] = finder.model(document, model, configured)
    return Replay(
        request=EditRequest(**values),
        document=document,
        notes=(*finder.notes, *_cautions(document)),
    )


def _files(
    finder: Finder, name: str, wanted: Sequence[File], given: list[bytes]
) -> tuple[bytes, ...]:
    """The files of one field, those the person gave first."""
    kind, option = KINDS.get(name, (name.replace("_", " "), "the file it was made with"))
    data: list[bytes | None] = [*given, *([None] * len(wanted))]
    return tuple(
        finder.file(file, kind, each, option) for file, each in zip(wanted, data, strict=False)
    )


def _check_size(size: Any) -> None:
    """A file may not ask for a picture larger than any that is read."""
    sides = size if isinstance(size, (list, tuple)) else ()  # pyright: ignore[reportUnknownVariableType]
    area = 1
    for side in sides:  # pyright: ignore[reportUnknownVariableType]
        area *= side if isinstance(side, int) else 1
    if area > images.MAX_PIXELS:
        raise InvalidRequest(
            f"the record asks for {area / 1e6:.0f} megapixels, allowed are "
            f"{images.MAX_PIXELS / 1e6:.0f}"
        )


def _cautions(document: Document) -> list[str]:
    """Why the same request may not give the same bits."""
    notes: list[str] = []
    if document.made.mode == "shared":
        notes.append(
            "made in a run of several pictures: made again alone it agrees within rounding only"
        )
    if document.program != PROGRAM:
        notes.append(f"made by {document.program[:60]!r}, this is {PROGRAM}: pixels may differ")
    return notes


def is_same(result: EditResult, document: Document) -> bool | None:
    """Whether a result has the pixels of a record; None where the record does not say."""
    if document.made.pixels is None:
        return None
    return digest_of(result.image) == document.made.pixels
