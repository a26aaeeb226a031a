"""A record into what a file carries, format by format.

    PNG                      text chunks `parameters` and `partway`, XMP
    JPEG, WebP, AVIF, TIFF   EXIF UserComment (A1111's block), Software; XMP (record)
    others                   nothing: they have no place for it

What the source's file carried stays; of an earlier result's record only the latest is kept.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from partway.metadata import exif, infotext, provenance, xmp
from partway.metadata.document import to_json

if TYPE_CHECKING:
    from partway.images import Carried
    from partway.metadata.document import Document

PARAMETERS, PARTWAY = "parameters", "partway"
WITH_EXIF = ("JPEG", "WEBP", "AVIF", "TIFF")
# One JPEG segment holds so much of EXIF or XMP, less their headers.
SEGMENT = 65_000
CUT = 12_000  # characters of prompt in EXIF, where the source's own EXIF takes much of the segment


def embed(carried: Carried, document: Document, format_name: str) -> tuple[Carried, str | None]:
    """What a result's file carries: its source's, and the record of how it was made.

    carried  of the source
    Returns that and a note where a format has no room for the record, else None.
    """
    record = to_json(document)
    _, says = xmp.read(carried.xmp)
    term = provenance.combined(document.made.digital_source, says)
    if format_name == "PNG":
        text = dict(carried.text) | {PARAMETERS: infotext.write(document), PARTWAY: record}
        packet = xmp.write(carried.xmp, record=None, digital_source=term)
        return replace(carried, text=text, xmp=packet), None
    if format_name not in WITH_EXIF:
        return carried, f"{format_name} has no place for how the picture was made: PNG has"
    packet = xmp.write(carried.xmp, record=record, digital_source=term)
    block = exif.with_comment(carried.exif, infotext.write(document), document.program)
    if format_name != "JPEG":
        return replace(carried, exif=block, xmp=packet), None
    return _within_segments(carried, document, block, packet, term)


def _within_segments(
    carried: Carried, document: Document, block: bytes, packet: bytes | None, term: str | None
) -> tuple[Carried, str | None]:
    """The same for JPEG: a long record is compressed, a long prompt cut in A1111's block."""
    if len(block) > SEGMENT:
        cut = infotext.write(document, longest=CUT)
        for comment, base in ((cut, carried.exif), (None, carried.exif), (cut, None)):
            block = exif.with_comment(base, comment, document.program)
            if len(block) <= SEGMENT:
                break
    if packet is not None and len(packet) > SEGMENT:
        record = to_json(document)
        packet = xmp.write(carried.xmp, record=record, digital_source=term, packed=True)
        if packet is not None and len(packet) > SEGMENT:  # the source's own XMP takes the room
            packet = xmp.write(None, record=record, digital_source=term, packed=True)
    if packet is not None and len(packet) <= SEGMENT:
        return replace(carried, exif=block, xmp=packet), None
    packet = xmp.write(None, record=None, digital_source=term)
    note = "JPEG has no room for prompts this long: the file cannot be replayed, a PNG could"
    return replace(carried, exif=block, xmp=packet), note


def without(carried: Carried) -> Carried:
    """What a file carries with nothing said of how it was made, not of its source either."""
    text = {key: value for key, value in carried.text.items() if key not in GENERATION}
    return replace(
        carried,
        text=text,
        exif=exif.without_settings(carried.exif),
        xmp=_without_record(carried.xmp),
    )


# Text chunks in which programs keep their settings.
GENERATION = frozenset({
    PARAMETERS, PARTWAY, "prompt", "workflow", "invokeai_metadata", "invokeai_graph",
    "invokeai_workflow", "sd-metadata", "Dream", "fooocus_scheme", "postprocessing",
})  # fmt: skip


def _without_record(packet: bytes | None) -> bytes | None:
    """A packet without Partway's record; the very bytes where it has none."""
    record, _ = xmp.read(packet)
    return packet if record is None else xmp.write(packet, record=None, digital_source=None)
