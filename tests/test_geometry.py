from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partway.errors import InvalidRequest
from partway.geometry import MAX_ASPECT, Extent, canvas_for

sides = st.integers(1, 16_384)


@given(sides, sides, st.sampled_from([64, 128, 256, 512]), st.sampled_from([1, 8, 32]))
def test_canvas_holds_the_fitted_source(w: int, h: int, native: int, stride: int) -> None:
    canvas = canvas_for(Extent(w, h), native, stride)
    assert canvas.source == (w, h)
    for fitted, padded in zip(canvas.fitted, canvas.padded, strict=True):
        assert 1 <= fitted <= padded < fitted + stride
        assert padded % stride == 0
    # about the model's own area, whatever the aspect
    area = canvas.fitted.width * canvas.fitted.height
    assert area == pytest.approx(native**2, rel=0.06)


@given(sides, sides)
def test_aspect_is_kept(w: int, h: int) -> None:
    canvas = canvas_for(Extent(w, h), 512, 8)
    asked = min(max(w / h, 1 / MAX_ASPECT), MAX_ASPECT)
    assert canvas.fitted.width / canvas.fitted.height == pytest.approx(asked, rel=0.02)


def test_square_sources_need_no_padding() -> None:
    for side in (1, 100, 128, 1000):
        assert canvas_for(Extent(side, side), 128, 32).fitted == (128, 128)
        assert canvas_for(Extent(side, side), 128, 32).padded == (128, 128)


def test_multiple() -> None:
    assert canvas_for(Extent(300, 300), 128, 32, 2).padded == (256, 256)


def test_empty_size() -> None:
    with pytest.raises(InvalidRequest, match="at least 1 pixel"):
        canvas_for(Extent(0, 5), 128, 32)
