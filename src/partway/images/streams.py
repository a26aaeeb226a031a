"""The source's own file as the result of strength 0, where writing it anew would lose something.

Compressing a lossy format again changes pixels, and files of 16 bits per colour are read with 8.
So the stream is copied. Only the place it was taken at is blanked, and how it was made where that
is not to be told, in its bytes: every other byte stays where it was.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Collection, Iterator

from partway.images.carried import PLACE, cut_properties
from partway.images.kinds import format_of
from partway.images.read import without_text

LOSSY = {"JPEG", "WEBP", "AVIF"}
TIFF_HEADER = re.compile(rb"II\*\0|MM\0\*")
PACKET = re.compile(rb"<x:xmpmeta.*?</x:xmpmeta>", re.DOTALL)
EXIF_POINTER, GPS_POINTER = 0x8769, 0x8825
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
MAX_ENTRIES = 1000


def same_stream(data: bytes, format_name: str, *, deep: bool, keep_gps: bool) -> bytes | None:
    """The file itself for a result in `format_name`; None where it is to be written anew.

    deep      the file has more than 8 bits per colour
    keep_gps  leave the place in it
    """
    format_own = format_of(data)
    if format_own != format_name or not (deep or format_own in LOSSY):
        return None
    if keep_gps:
        return data
    if format_own == "PNG":
        return _without_place_png(data)
    return _without_place(data)


def without_texts(
    data: bytes, *, tags: Collection[int], properties: bytes, keywords: Collection[str]
) -> bytes | None:
    """The file with these texts blanked and no pixel another; None where one never ends.

    tags        of EXIF
    properties  a pattern of qualified names of XMP
    keywords    of a PNG's text chunks, which are taken out
    """
    if format_of(data) == "PNG":
        return without_text(data, keywords)
    blanked = bytearray(data)
    for header in TIFF_HEADER.finditer(data):
        start, order = header.start(), _order(data, header.start())
        first = _entries(data, start, _first(data, start))
        inner = [_entries(data, start, at) for at in _pointed(data, start, EXIF_POINTER)]
        for entry in (entry for entries in (first, *inner) for entry in entries):
            if struct.unpack_from(order + "H", data, entry)[0] in tags:
                _blank_value(blanked, start, entry)
    return _without_properties(blanked, properties)


def _without_place(data: bytes) -> bytes | None:
    """Bytes with every EXIF directory of a place and its XMP properties blanked."""
    blanked = bytearray(data)
    for header in TIFF_HEADER.finditer(data):
        _blank_gps(blanked, header.start())
    return _without_properties(blanked, PLACE)


def _without_properties(data: bytearray, names: bytes) -> bytes | None:
    """Bytes with properties of every XMP packet blanked; None where one never ends."""
    for packet in PACKET.finditer(bytes(data)):
        clean = cut_properties(packet[0], names, same_length=True)
        if clean is None:
            return None
        data[packet.start() : packet.end()] = clean
    return bytes(data)


def _without_place_png(data: bytes) -> bytes | None:
    """The same for a PNG, whose chunks have check sums; None where the place is compressed."""
    if b"Raw profile type" in data:
        return None
    blanked = _without_place(data)
    if blanked is None or blanked == data:
        return blanked
    chunks = [blanked[:8]]
    at = 8
    while at + 12 <= len(blanked):
        end = at + 8 + int.from_bytes(blanked[at : at + 4], "big")
        chunks += [blanked[at:end], struct.pack(">I", zlib.crc32(blanked[at + 4 : end]))]
        at = end + 4
    return b"".join(chunks)


def _blank_gps(data: bytearray, start: int) -> None:
    """Blank the place in the TIFF structure that begins at `start`, if it is one and has one."""
    for offset in list(_pointed(data, start, GPS_POINTER)):
        for inner in _entries(data, start, offset):
            _blank_value(data, start, inner)
            data[inner : inner + 12] = bytes(12)
        if start + offset + 2 <= len(data):
            data[start + offset : start + offset + 2] = bytes(2)  # a directory of no entries


def _blank_value(data: bytearray, start: int, entry: int) -> None:
    """Blank the value of an entry, where it lies elsewhere in the file."""
    _, kind, count, value = struct.unpack_from(_order(data, start) + "HHII", data, entry)
    size = SIZES.get(kind, 1) * count
    if size > 4 and start + value + size <= len(data):
        data[start + value : start + value + size] = bytes(size)


def _order(data: bytes | bytearray, start: int) -> str:
    """The byte order of a TIFF structure, as struct has it."""
    return "<" if data[start] == ord("I") else ">"


def _first(data: bytes | bytearray, start: int) -> int:
    """Offset of its first directory; 0, which is none, where it is cut short."""
    if start + 8 > len(data):
        return 0
    return struct.unpack_from(_order(data, start) + "I", data, start + 4)[0]


def _entries(data: bytes | bytearray, start: int, offset: int) -> list[int]:
    """Where the entries of a directory are."""
    at = start + offset
    if not offset or at + 2 > len(data):
        return []
    (count,) = struct.unpack_from(_order(data, start) + "H", data, at)
    if not 0 < count <= MAX_ENTRIES or at + 2 + 12 * count > len(data):
        return []
    return [at + 2 + 12 * i for i in range(count)]


def _pointed(data: bytes | bytearray, start: int, pointer: int) -> Iterator[int]:
    """Offsets of the directories that the first one has under this tag."""
    for entry in _entries(data, start, _first(data, start)):
        tag, kind, count, offset = struct.unpack_from(_order(data, start) + "HHII", data, entry)
        if tag == pointer and kind in {4, 13} and count == 1:
            yield offset
