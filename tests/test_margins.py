from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partway.errors import InvalidRequest
from partway.geometry import Extent
from partway.margins import Margins, check_margins, margin, margins_to

SOURCE = Extent(200, 100)
sides = st.integers(1, 4096)


def test_the_whole_and_where_the_source_lies_in_it() -> None:
    margins = Margins(left=10, top=0, right=5, bottom=7)
    assert margins.around(SOURCE) == (215, 107)
    assert margins.box(SOURCE) == (10, 0, 210, 100)


@pytest.mark.parametrize(
    ("value", "pixels"), [("64", 64), ("64px", 64), (" 25% ", 50), ("0", 0), ("12.5%", 25)]
)
def test_pixels_and_percent(value: str, pixels: int) -> None:
    assert margin("left", value, SOURCE.width) == pixels


@pytest.mark.parametrize("value", ["", "-4", "abc", "25 %%", "nan", "1e3", "0.5"])
def test_what_is_no_margin_says_what_to_type(value: str) -> None:
    with pytest.raises(InvalidRequest, match=r"left is .*(64 or 25%|try 0)"):
        margin("left", value, SOURCE.width)


@given(sides, sides, st.sampled_from([("16:9", 16 / 9), ("1:1", 1.0), ("2:3", 2 / 3)]))
def test_to_an_aspect_ratio_one_side_grows(w: int, h: int, asked: tuple[str, float]) -> None:
    ratio, aspect = asked
    source = Extent(w, h)
    margins = margins_to(ratio, source)
    whole = margins.around(source)
    assert min(margins) == 0  # nothing is cut
    assert whole.width == w or whole.height == h
    # within the half pixel that whole pixels cost on the side that grew
    assert abs(whole.width - whole.height * aspect) <= 0.5 * max(aspect, 1.0) + 1e-6
    assert 0 <= margins.right - margins.left <= 1
    assert 0 <= margins.bottom - margins.top <= 1


@pytest.mark.parametrize("ratio", ["", "16", "16:0", "a:b", "17:1", "1:40"])
def test_bad_aspect_ratios(ratio: str) -> None:
    with pytest.raises(InvalidRequest, match="aspect ratio is"):
        margins_to(ratio, SOURCE)


@pytest.mark.parametrize(
    ("margins", "says"),
    [
        (Margins(), "try --right 25%"),
        (Margins(left=-1), "left is -1"),
        (Margins(right=801), "1001×100"),
        (Margins(right=700, bottom=700), "allowed are 1000 pixels a side and 0 megapixels"),
    ],
)
def test_impossible_margins(margins: Margins, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says):
        check_margins(margins, SOURCE, 1000, 400_000)


def test_possible_margins() -> None:
    assert check_margins(Margins(right=800), SOURCE, 1000, 400_000) == Margins(right=800)
