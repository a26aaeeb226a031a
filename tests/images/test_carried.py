"""What files carry goes on into results: EXIF, XMP, resolution, text; the place only on request."""

from __future__ import annotations

import io

import pytest
from made import encoded
from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo

from partway import images
from partway.images.carried import EXIF_IFD, GPS_IFD, MAX_BLOCK, carried_by

XMP = (
    b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-"
    b"syntax-ns#'><rdf:Description xmlns:exif='http://ns.adobe.com/exif/1.0/' xmlns:tiff='http://"
    b"ns.adobe.com/tiff/1.0/' xmlns:dc='http://purl.org/dc/elements/1.1/' tiff:Orientation='6' "
    b"exif:GPSLatitude='48,12N' dc:source='a box'><exif:GPSLongitude>16,22E</exif:GPSLongitude>"
    b"</rdf:Description></rdf:RDF></x:xmpmeta>"
)
FORMATS = ["PNG", "JPEG", "WEBP", "AVIF", "TIFF"]


def photo(format_name: str = "JPEG", orientation: int = 6) -> bytes:
    """A file with an author, an exposure, a place, a maker note and an orientation."""
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "an artist"
    exif[ExifTags.Base.Orientation] = orientation
    exif[EXIF_IFD] = {
        ExifTags.Base.ExposureTime: 0.25,
        ExifTags.Base.MakerNote: b"secret",
        ExifTags.Base.ExifImageWidth: 96,
    }
    exif[GPS_IFD] = {1: "N", 2: (48.0, 12.0, 0.0), 3: "E", 4: (16.0, 22.0, 0.0)}
    image = Image.radial_gradient("L").convert("RGB").resize((96, 64))
    return encoded(image, format_name, exif=exif, xmp=XMP, dpi=(300, 300))


@pytest.mark.parametrize("format_name", FORMATS)
@pytest.mark.parametrize("keep_gps", [False, True])
def test_a_photographs_facts_reach_every_format(format_name: str, *, keep_gps: bool) -> None:
    picture = images.load(photo(), keep_gps=keep_gps)
    data = images.encode(picture.image, format_name, picture.carried)
    again = Image.open(io.BytesIO(data))
    exif = again.getexif()
    assert again.size == (64, 96)
    assert exif[ExifTags.Base.Artist] == "an artist"
    assert exif.get(ExifTags.Base.Orientation, 1) == 1
    camera = exif.get_ifd(EXIF_IFD)
    assert camera[ExifTags.Base.ExposureTime] == 0.25
    assert ExifTags.Base.MakerNote not in camera
    assert ExifTags.Base.ExifImageWidth not in camera  # it was turned
    assert bool(exif.get_ifd(GPS_IFD)) == keep_gps
    packet = again.info.get("xmp") or again.info.get("XML:com.adobe.xmp") or b""
    packet = packet.encode() if isinstance(packet, str) else packet
    assert b"dc:source='a box'" in packet
    assert b"Orientation" not in packet
    assert (b"GPSLatitude" in packet) == (b"16,22E" in packet) == keep_gps
    if format_name in {"PNG", "JPEG", "TIFF"}:
        assert [round(float(each)) for each in again.info["dpi"]] == [300, 300]


@pytest.mark.parametrize("format_name", FORMATS)
def test_facts_are_read_from_every_format(format_name: str) -> None:
    first = images.load(photo())
    data = images.encode(first.image, format_name, first.carried)
    carried = images.load(data).carried
    assert carried.exif is not None
    exif = Image.Exif()
    exif.load(carried.exif)
    assert exif[ExifTags.Base.Artist] == "an artist"
    assert exif.get_ifd(EXIF_IFD)[ExifTags.Base.ExposureTime] == 0.25
    assert carried.xmp is not None
    assert b"a box" in carried.xmp


def test_text_of_a_png_goes_on_but_disguised_blocks_do_not() -> None:
    info = PngInfo()
    info.add_text("Title", "a box")
    info.add_text("Raw profile type exif", "junk")
    info.add_itxt("XML:com.adobe.xmp", XMP.decode())
    carried = images.load(encoded(Image.new("RGB", (4, 4)), pnginfo=info)).carried
    assert dict(carried.text) == {"Title": "a box"}
    assert carried.xmp is not None


def test_what_cannot_be_carried_is_said() -> None:
    for xmp in (b"no packet", XMP + b" " * MAX_BLOCK, XMP.replace(b"a box", b"\xff\xfe")):
        image = Image.new("RGB", (4, 4))
        picture = images.load(encoded(image, "WEBP", xmp=xmp), "x.webp")
        assert picture.carried.xmp is None
        assert picture.notes == (
            "x.webp: its XMP packet is damaged or too large, left out of the result",
        )


def test_a_packet_that_never_ends_is_left_out() -> None:
    open_ended = XMP.replace(b"</exif:GPSLongitude>", b"")
    assert images.clean_xmp(open_ended) is None
    assert images.clean_xmp(open_ended, keep_gps=True) is not None


@pytest.mark.parametrize("dpi", [(0, 0), (1e9, 1), (float("nan"), 72)])
def test_a_resolution_that_is_none_is_left_out(dpi: tuple[float, float]) -> None:
    image = Image.new("RGB", (4, 4))
    image.info["dpi"] = dpi
    assert carried_by(image)[0].dpi is None
