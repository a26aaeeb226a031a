from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partway.errors import InvalidRequest
from partway.geometry import Extent
from partway.margins import (
    Margins,
    check_margins,
    margin,
    margins_in_pixels,
    margins_of,
    margins_to,
)

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


@pytest.mark.parametrize("value", ["", "-4", "abc", "25 %%", "nan", "1e3", "0.5", "9" * 400])
def test_what_is_no_margin_says_what_to_type(value: str) -> None:
    with pytest.raises(InvalidRequest, match=r"left is .*(64 or 25%|try 0)"):
        margin("left", value, SOURCE.width)


@given(sides, sides, st.sampled_from([("16:9", 16 / 9), ("1:1", 1.0), ("2:3", 2 / 3)]))
def test_to_an_aspect_ratio_one_side_grows(w: int, h: int, asked: tuple[str, float]) -> None:
    ratio, aspect = asked
    source = Extent(w, h)
    try:
        margins = margins_to(ratio, source)
    except InvalidRequest:  # it is the nearest already
        assert abs(w - h * aspect) <= 0.5 * max(aspect, 1.0) + 1e-6
        return
    whole = margins.around(source)
    assert min(margins) == 0  # nothing is cut
    assert whole.width == w or whole.height == h
    # within the half pixel that whole pixels cost on the side that grew
    assert abs(whole.width - whole.height * aspect) <= 0.5 * max(aspect, 1.0) + 1e-6
    assert 0 <= margins.right - margins.left <= 1
    assert 0 <= margins.bottom - margins.top <= 1


@pytest.mark.parametrize("ratio", ["", "16", "16:0", "a:b", "17:1", "1:40", "16:9:4", "9" * 99])
def test_bad_aspect_ratios(ratio: str) -> None:
    with pytest.raises(InvalidRequest, match="aspect ratio is"):
        margins_to(ratio, SOURCE)


@given(sides, sides, st.integers(0, 999), st.integers(0, 999))
def test_to_a_size_both_sides_grow(w: int, h: int, more: int, higher: int) -> None:
    source, wanted = Extent(w, h), Extent(w + more, h + higher)
    if wanted == source:
        with pytest.raises(InvalidRequest, match="already: nothing to add"):
            margins_to(f"{wanted.width}x{wanted.height}", source)
        return
    margins = margins_to(f"{wanted.width}×{wanted.height}", source)
    assert margins.around(source) == wanted
    assert min(margins) >= 0
    assert margins.right - margins.left in {0, 1}
    assert margins.bottom - margins.top in {0, 1}


def test_a_size_below_the_sources_is_refused_with_what_may_be_meant() -> None:
    with pytest.raises(InvalidRequest, match=r"smaller than .*200×100.*--to 16:9"):
        margins_to("16x9", SOURCE)


@pytest.mark.parametrize("to", ["2:1", "4/2", "200x100"])
def test_what_a_source_is_already_adds_nothing(to: str) -> None:
    with pytest.raises(InvalidRequest, match="already: nothing to add"):
        margins_to(to, SOURCE)


def test_sides_or_where_to() -> None:
    sides = {"left": "25%", "top": None, "right": 7, "bottom": "10%"}
    assert margins_of(SOURCE, sides) == Margins(50, 0, 7, 10)
    assert margins_of(SOURCE, {"left": None}, "1:1") == Margins(0, 50, 0, 50)
    with pytest.raises(InvalidRequest, match="not both"):
        margins_of(SOURCE, sides, "16:9")
    with pytest.raises(InvalidRequest, match="left is -1"):
        margins_of(SOURCE, {"left": -1})


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ((0, 0, 0, 0), "try --right 25%"),
        ((-1, 0, 0, 9), "left is -1"),
        ((1, 2, 3), "want pixels of four sides"),
        (64, "want pixels of four sides"),
        ((1.5, 0, 0, 0), "left is 1.5, want a whole number"),
        ("abcd", "left is 'a'"),
    ],
)
def test_what_is_no_margins(value: object, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says):
        margins_in_pixels(value)


@pytest.mark.parametrize(
    ("margins", "says"),
    [
        (Margins(right=801), "1001×100"),
        (Margins(right=700, bottom=700), "allowed are 1000 pixels a side and 0 megapixels"),
    ],
)
def test_too_much(margins: Margins, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says):
        check_margins(margins, SOURCE, 1000, 400_000)


def test_possible_margins() -> None:
    assert check_margins(Margins(right=800), SOURCE, 1000, 400_000) == Margins(right=800)
    assert str(Margins(3, 0, 0, 4)) == "3 left, 4 bottom"
