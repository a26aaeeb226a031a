"""XMP: our record and one property, in packets of others."""

from __future__ import annotations

import base64
import time
import zlib
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partway.metadata import xmp

TERM = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
OTHERS = f"""<x:xmpmeta xmlns:x="{xmp.META}"><rdf:RDF xmlns:rdf="{xmp.RDF}">
<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns:Iptc4xmpExt="{xmp.IPTC}" Iptc4xmpExt:DigitalSourceType="http://x/digitalCapture">
<dc:title><rdf:Alt><rdf:li xml:lang="x-default">A cat</rdf:li></rdf:Alt></dc:title>
</rdf:Description></rdf:RDF></x:xmpmeta>""".encode()


@given(st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=1, max_size=500))
def test_records_survive(record: str) -> None:
    for packed in (False, True):
        packet = xmp.write(None, record=record, digital_source=TERM, packed=packed)
        found, term = xmp.read(packet)
        assert (found, term) == (record, TERM)


def test_packets_of_others_keep_what_they_say() -> None:
    packet = xmp.write(OTHERS, record="{}", digital_source=TERM)
    assert packet is not None
    assert b"A cat" in packet
    assert xmp.read(packet) == ("{}", TERM)
    assert packet.count(b"DigitalSourceType>") == 2  # one element: the attribute is gone
    again = xmp.write(packet, record=None, digital_source=None)
    assert xmp.read(again) == (None, TERM)
    assert again is not None
    assert b"A cat" in again
    assert b"<dc:title>" in again


def test_nothing_to_say_is_no_packet() -> None:
    assert xmp.write(None, record=None, digital_source=None) is None


def test_what_writes_is_well_formed_xml() -> None:
    packet = xmp.write(None, record='{"a": "<&>"}', digital_source=TERM)
    assert packet is not None
    assert ET.fromstring(packet.decode()).tag.endswith("xmpmeta")  # noqa: S314


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"\xff\xfe",
        b"<a>",
        b"<a/>",
        b"<x" * 10_000,
        OTHERS.replace(b"<x:xmpmeta", b"<!DOCTYPE a [<!ENTITY b 'c'>]><x:xmpmeta"),
        OTHERS + b" " * xmp.MAX_PACKET,
    ],
    ids=lambda packet: str(packet[:20]),
)
def test_what_is_no_packet_says_nothing_and_is_replaced(packet: bytes) -> None:
    assert xmp.read(packet) == (None, None)
    assert xmp.read(xmp.write(packet, record="{}", digital_source=None)) == ("{}", None)


def test_deep_packets_neither_crash_nor_hang() -> None:
    head, tail = OTHERS.split(b"<dc:title>", 1)
    deep = head + b"<a>" * 60_000 + b"</a>" * 60_000 + b"<dc:title>" + tail
    began = time.process_time()
    xmp.read(deep)
    assert xmp.read(xmp.write(deep, record="{}", digital_source=None))[0] == "{}"
    assert time.process_time() - began < 5.0


def test_a_packed_bomb_is_no_record() -> None:
    bomb = base64.b64encode(zlib.compress(b" " * (64 * 2**20), 9)).decode()
    packet = OTHERS.replace(
        b"</rdf:RDF>",
        f'<rdf:Description xmlns:p="{xmp.PARTWAY}"><p:packed>{bomb}</p:packed>'
        "</rdf:Description></rdf:RDF>".encode(),
    )
    assert xmp.read(packet)[0] is None
