"""What a request weighs before it runs: the bytes it brings, the pixels it leads to."""

from __future__ import annotations

import io

from PIL import Image

from partway.executors import Submission
from partway.executors.entries import sizes, weight
from partway.margins import Margins
from partway.request import EditRequest


def picture(width: int, height: int) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (width, height)).save(stream, "PNG")
    return stream.getvalue()


def test_pixels_are_those_of_the_result() -> None:
    source = picture(40, 30)
    requests = [
        EditRequest(source=source),
        EditRequest(source=source, scale=3.0),
        EditRequest(source=source, extend=Margins(left=60)),
        EditRequest(size=(10, 20)),
        EditRequest(size=(100, 20)),
        EditRequest(),
        EditRequest(source=b"no picture"),
    ]
    assert sizes(requests) == [1200, 10800, 3000, 200, 2000, 0, 0]


def test_bytes_count_whatever_lies_on_a_source_and_shared_ones_once() -> None:
    source, mask, style = picture(9, 9), picture(8, 8), picture(7, 7)
    two = [
        EditRequest(source=source, mask=mask),
        EditRequest(source=source, strength_map=picture(9, 9), strength=0.5),
    ]
    one = [EditRequest(source=source, references=(style,))]
    whole = len(source) + len(mask) + len(picture(9, 9)) + len(style)
    assert weight([Submission(two, None), Submission(one, None)]) == whole
