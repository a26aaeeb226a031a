"""EXIF: whatever the bytes, reading never raises and costs little."""

from __future__ import annotations

import struct
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from partway.metadata import exif


@given(st.text(max_size=200).filter(lambda text: "\0" not in text))
def test_a_comment_survives(prompt: str) -> None:
    comment = f"{prompt}\nSteps: 20, Sampler: Euler"
    safe = comment.encode("utf-16", "replace").decode("utf-16", "replace")
    block = exif.with_comment(None, comment, "Partway")
    found = exif.read(block)
    assert exif.comment_text(found[exif.USER_COMMENT]) == safe
    assert found[exif.SOFTWARE].startswith(b"Partway")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"UNICODE\0" + "grün".encode("utf-16-be"), "grün"),
        (b"UNICODE\0" + "grün".encode("utf-16-le"), "grün"),
        (b"ASCII\0\0\0green", "green"),
        (bytes(8) + "grün".encode(), "grün"),
        (b"green, plainly", "green, plainly"),
        (b"UNICODE\0", ""),
        (b"", ""),
        (b"UNICODE\0\xd8", "\ufffd"),
    ],
)
def test_comments_as_programs_write_them(value: bytes, text: str) -> None:
    assert exif.comment_text(value) == text


@given(st.binary(max_size=300), st.sampled_from([b"", b"II*\0", b"MM\0*", b"Exif\0\0II*\0"]))
def test_garbage_is_read_as_nothing_or_something(garbage: bytes, head: bytes) -> None:
    exif.read(head + garbage)
    exif.without_settings(head + garbage)
    assert exif.read(exif.with_comment(head + garbage, "a comment", "x"))[exif.USER_COMMENT]


def test_directories_that_point_at_themselves() -> None:
    entry = struct.pack("<HHLL", exif.EXIF_DIRECTORY, 4, 1, 8)
    block = b"II*\0" + struct.pack("<LH", 8, 1) + entry + bytes(4)
    assert exif.read(block) == {}


def test_ten_megabytes_cost_no_more_than_a_small_block() -> None:
    entries = b"".join(struct.pack("<HHLL", 0x9286, 7, 2**20, 8) for _ in range(65_535))
    block = b"II*\0" + struct.pack("<LH", 8, 65_535) + entries + bytes(10 * 2**20)
    began = time.process_time()
    exif.read(block)
    assert time.process_time() - began < 1.0


def test_other_entries_stay_and_the_comment_goes() -> None:
    source = Image.Exif()
    source[0x010F], source[0x0132] = "Maker", "2026:11:25 09:00:00"
    block = exif.with_comment(source.tobytes(), "ours", "Partway")
    kept = exif.without_settings(block)
    assert kept is not None
    assert exif.read(kept, [0x010F])[0x010F].startswith(b"Maker")
    assert exif.USER_COMMENT not in exif.read(kept)
    assert exif.without_settings(source.tobytes()) == source.tobytes()
    assert exif.without_settings(None) is None
