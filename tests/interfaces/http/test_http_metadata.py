"""What files of the server say, and what it says of files."""

from __future__ import annotations

import base64
import io
import time
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from PIL import ExifTags, Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from partway.metadata import read_metadata
from partway.metadata.replay import record_of, replay_of

FIELDS = {"prompt": "navy, orange", "strength": "0.5", "mode": "exact", "seed": "7"}


def image_of(client: TestClient, png: bytes, query: str = "", **fields: str) -> bytes:
    answer = client.post("/v1/edits?wait=1", data=FIELDS | fields, files={"source": png})
    assert answer.status_code == 200, answer.text
    return client.get(answer.json()["results"][0]["image"] + query).content


@pytest.mark.parametrize("format_name", ["png", "jpeg", "webp"])
def test_results_say_how_they_were_made(
    client: TestClient, png: bytes, tmp_path: Path, format_name: str
) -> None:
    document = record_of(read_metadata(image_of(client, png, format=format_name)))
    assert document.request["seed"] == 7
    assert document.source is not None
    assert document.source.name is None
    (tmp_path / "any name.png").write_bytes(png)
    assert replay_of(document, tmp_path).request.source == png


def test_another_format_says_the_same(client: TestClient, png: bytes) -> None:
    documents = [
        record_of(read_metadata(image_of(client, png, query)))
        for query in ("", "?format=jpeg", "?format=webp")
    ]
    assert documents[0] == documents[1] == documents[2]


@pytest.mark.parametrize("query", ["", "?format=webp", "?format=jpeg", "?format=avif"])
def test_what_the_source_carries_goes_along_and_its_place_where_asked(
    client: TestClient, icon: Image.Image, query: str
) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "Ada"
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] = "N"
    made_up = ImageCms.createProfile("sRGB")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    profile = ImageCms.ImageCmsProfile(made_up).tobytes()  # pyright: ignore[reportUnknownArgumentType]
    stream = io.BytesIO()
    icon.save(stream, "JPEG", exif=exif, icc_profile=profile, dpi=(300, 300))
    for keep in ("false", "true"):
        data = image_of(client, stream.getvalue(), query, keep_gps=keep)
        with Image.open(io.BytesIO(data)) as made:
            assert made.getexif()[ExifTags.Base.Artist] == "Ada"
            assert bool(made.getexif().get_ifd(ExifTags.IFD.GPSInfo)) == (keep == "true")
            assert made.info["icc_profile"] == profile


def test_metadata_can_be_left_out(
    client: TestClient, png: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for query in ("", "?format=webp"):
        assert b"artway" not in image_of(client, png, query, metadata="false")
    (tmp_path / "config.toml").write_text("metadata = false\n")
    monkeypatch.setenv("PARTWAY_CONFIG", str(tmp_path / "config.toml"))
    assert b"artway" not in image_of(client, png)


def inspected(client: TestClient, data: bytes) -> dict[str, Any]:
    answer = client.post("/v1/inspect", files={"source": data})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_inspect_reads_what_a_file_says(client: TestClient, png: bytes) -> None:
    made = inspected(client, image_of(client, png))["made"]
    assert made["tool"] == "Partway"
    assert made["partway"]["request"]["prompt"] == "navy, orange"
    assert made["settings"]["seed"] == "7"
    nothing = inspected(client, png)["made"]
    assert (nothing["tool"], nothing["partway"], nothing["settings"]) == (None, None, None)


def test_what_a_source_says_changes_no_edit(client: TestClient, png: bytes) -> None:
    said = image_of(client, png, seed="99", prompt="red")
    answer = client.post(
        "/v1/edits?wait=1", data={"prompt": "navy", "strength": "0.3"}, files={"source": said}
    )
    assert answer.json()["results"][0]["seed"] == 1
    document = record_of(read_metadata(client.get(answer.json()["results"][0]["image"]).content))
    assert document.request["prompt"] == "navy"
    assert document.request["strength"] == 0.3


def test_png_info_takes_little_time_on_any_text(client: TestClient) -> None:
    info = PngInfo()
    info.add_text("parameters", "a " * 200_000)
    stream = io.BytesIO()
    Image.new("RGB", (4, 4)).save(stream, "PNG", pnginfo=info)
    body = {"image": base64.b64encode(stream.getvalue()).decode()}
    began = time.process_time()
    answer = client.post("/sdapi/v1/png-info", json=body)
    assert time.process_time() - began < 2.0
    assert answer.json()["parameters"] == {}
