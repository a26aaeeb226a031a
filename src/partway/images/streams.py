"""The source's own file as the result of strength 0, where writing it anew would lose something.

Compressing a lossy format again changes pixels, and files of 16 bits per colour are read with 8.
So the stream is copied. Only the place it was taken at is blanked, in its bytes: every other byte
stays where it was.
"""

from __future__ import annotations

import re
import struct
import zlib

from partway.images.carried import PLACE, cut_properties
from partway.images.kinds import format_of

LOSSY = {"JPEG", "WEBP", "AVIF"}
TIFF_HEADER = re.compile(rb"II\*\0|MM\0\*")
PACKET = re.compile(rb"<x:xmpmeta.*?</x:xmpmeta>", re.DOTALL)
GPS_POINTER = 0x8825
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


def _without_place(data: bytes) -> bytes | None:
    """Bytes with every EXIF directory of a place and its XMP properties blanked."""
    blanked = bytearray(data)
    for header in TIFF_HEADER.finditer(data):
        _blank_gps(blanked, header.start())
    for packet in PACKET.finditer(data):
        clean = cut_properties(packet[0], PLACE, same_length=True)
        if clean is None:
            return None
        blanked[packet.start() : packet.end()] = clean
    return bytes(blanked)


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
    order = "<" if data[start] == ord("I") else ">"

    def entries(offset: int) -> list[int]:
        """Where the entries of a directory are."""
        at = start + offset
        if at + 2 > len(data):
            return []
        (count,) = struct.unpack_from(order + "H", data, at)
        if not 0 < count <= MAX_ENTRIES or at + 2 + 12 * count > len(data):
            return []
        return [at + 2 + 12 * i for i in range(count)]

    if start + 8 > len(data):
        return
    for entry in entries(struct.unpack_from(order + "I", data, start + 4)[0]):
        tag, kind, count, offset = struct.unpack_from(order + "HHII", data, entry)
        if tag != GPS_POINTER or kind not in {4, 13} or count != 1:
            continue
        for inner in entries(offset):
            _, kind, count, value = struct.unpack_from(order + "HHII", data, inner)
            size = SIZES.get(kind, 1) * count
            if size > 4 and start + value + size <= len(data):
                data[start + value : start + value + size] = bytes(size)
            data[inner : inner + 12] = bytes(12)
        if start + offset + 2 <= len(data):
            data[start + offset : start + offset + 2] = bytes(2)  # a directory of no entries
