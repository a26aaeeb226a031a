"""XMP packets: two properties read from untrusted ones, and written into a source's own.

Partway's record is the property `document` in a namespace of its own, so that no other reader takes
it for something else. A packet with a document type, the door to entity tricks, is no XMP and is
not read; neither is one larger than a megabyte.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Iterator
    from xml.etree.ElementTree import Element

MAX_PACKET = 2**20
MAX_RECORD = 2**20

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
META = "adobe:ns:meta/"
IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
PARTWAY = "urn:partway:xmp:1.0:"
# Prefixes that files use for the namespaces they have most: a packet keeps them when rewritten.
PREFIXES = {
    "rdf": RDF,
    "x": META,
    "Iptc4xmpExt": IPTC,
    "partway": PARTWAY,
    "Iptc4xmpCore": "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "xmpMM": "http://ns.adobe.com/xap/1.0/mm/",
    "xmpRights": "http://ns.adobe.com/xap/1.0/rights/",
    "stEvt": "http://ns.adobe.com/xap/1.0/sType/ResourceEvent#",
    "stRef": "http://ns.adobe.com/xap/1.0/sType/ResourceRef#",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "crs": "http://ns.adobe.com/camera-raw-settings/1.0/",
    "lr": "http://ns.adobe.com/lightroom/1.0/",
    "aux": "http://ns.adobe.com/exif/1.0/aux/",
    "exif": "http://ns.adobe.com/exif/1.0/",
    "exifEX": "http://cipa.jp/exif/1.0/",
    "tiff": "http://ns.adobe.com/tiff/1.0/",
    "plus": "http://ns.useplus.org/ldf/xmp/1.0/",
    "dcterms": "http://purl.org/dc/terms/",
}
DIGITAL_SOURCE = f"{{{IPTC}}}DigitalSourceType"
DOCUMENT = f"{{{PARTWAY}}}document"
PACKED = f"{{{PARTWAY}}}packed"
OURS = (DOCUMENT, PACKED)
DESCRIPTION = f"{{{RDF}}}Description"
BEGIN = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
END = '<?xpacket end="w"?>'


def read(packet: bytes | None) -> tuple[str | None, str | None]:
    """(Partway's record, DigitalSourceType) of a packet; None for what it does not hold."""
    root = _parsed(packet)
    if root is None:
        return None, None
    values = {name: value for name, value in _properties(root) if value}
    packed = values.get(PACKED)
    record = values.get(DOCUMENT) or (None if packed is None else _unpacked(packed))
    return record, values.get(DIGITAL_SOURCE)


def write(
    packet: bytes | None, *, record: str | None, digital_source: str | None, packed: bool = False
) -> bytes | None:
    """A packet with these properties; everything else in it stays. None where it would be empty.

    record          Partway's; None leaves none
    digital_source  None keeps what the packet says
    packed          compress the record, where a format has little room
    """
    root = _parsed(packet)
    if root is None:
        root = ET.Element(f"{{{META}}}xmpmeta")
        ET.SubElement(root, f"{{{RDF}}}RDF")
    _remove(root, OURS if digital_source is None else (*OURS, DIGITAL_SOURCE))
    rdf = root if root.tag == f"{{{RDF}}}RDF" else next(root.iter(f"{{{RDF}}}RDF"))
    ours = ET.Element(DESCRIPTION, {f"{{{RDF}}}about": ""})
    if digital_source is not None:
        ET.SubElement(ours, DIGITAL_SOURCE).text = digital_source
    if record is not None:
        text = _packed(record) if packed else record
        ET.SubElement(ours, PACKED if packed else DOCUMENT).text = text
    if len(ours):
        rdf.append(ours)
    if not len(rdf):
        return None
    for prefix, space in PREFIXES.items():
        ET.register_namespace(prefix, space)
    try:
        body = ET.tostring(root, "unicode")
    except RecursionError:  # elements nested by the thousand
        return write(None, record=record, digital_source=digital_source, packed=packed)
    return f"{BEGIN}{body}{END}".encode()


def _parsed(packet: bytes | None) -> Element | None:
    """The tree of a packet with an rdf:RDF in it."""
    if packet is None or len(packet) > MAX_PACKET:
        return None
    try:
        text = packet.decode("utf-8-sig").strip("\x00 \r\n")
        if "<!" in text.replace("<!--", "").replace("<![CDATA[", ""):
            return None
        root = ET.fromstring(text)  # noqa: S314
    except (ET.ParseError, ValueError, RecursionError):
        return None
    return root if next(root.iter(f"{{{RDF}}}RDF"), None) is not None else None


def _properties(root: Element) -> Iterator[tuple[str, str | None]]:
    """Name and value of every property, be it written as an attribute or as an element."""
    for description in root.iter(DESCRIPTION):
        yield from description.attrib.items()
        for element in description:
            yield element.tag, element.get(f"{{{RDF}}}resource") or element.text


def _remove(root: Element, names: tuple[str, ...]) -> None:
    """Take properties out, and descriptions that are empty then."""
    for parent in list(root.iter()):
        for description in [child for child in parent if child.tag == DESCRIPTION]:
            gone = [element for element in description if element.tag in names]
            for element in gone:
                description.remove(element)
            attributes = [name for name in names if description.attrib.pop(name, None) is not None]
            about = description.attrib.keys() <= {f"{{{RDF}}}about"}
            if (gone or attributes) and about and not len(description):
                parent.remove(description)


def _packed(record: str) -> str:
    """Compressed, as text."""
    return base64.b64encode(zlib.compress(record.encode(), 9)).decode()


def _unpacked(text: str) -> str | None:
    """The record again; None for what is none, or is larger than any record."""
    try:
        stream = zlib.decompressobj()
        data = stream.decompress(base64.b64decode(text.strip()), MAX_RECORD)
        return None if stream.unconsumed_tail else data.decode()
    except (binascii.Error, zlib.error, ValueError):
        return None
