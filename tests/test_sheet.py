"""Contact sheets: size, order, wrapping, transparency, long words."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from partway import sheet
from partway.fidelity import Kept
from partway.sheet import Cell, Row, contact_sheet, kept_label, value_label


def plain(color: str, size: tuple[int, int] = (40, 40), mode: str = "RGB") -> Image.Image:
    return Image.new(mode, size, color)


def row(count: int, label: str = "cat face, 3d") -> Row:
    return Row(label, [Cell(plain("red"), f"{i}", "kept 50 %") for i in range(count)])


def share_of(image: Image.Image, color: tuple[int, int, int]) -> float:
    return float((np.asarray(image) == color).all(axis=-1).mean())


def test_size_follows_columns_and_rows() -> None:
    one, two = contact_sheet([row(7)]), contact_sheet([row(7), row(7)])
    assert one.mode == "RGB"
    assert one.width == two.width == 2 * sheet.MARGIN + 7 * sheet.CELL + 6 * sheet.GAP
    assert two.height - one.height == one.height - 2 * sheet.MARGIN


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (8, 8), (9, 5), (11, 6), (17, 6)])
def test_long_rows_wrap_evenly(count: int, columns: int) -> None:
    made = contact_sheet([row(count)])
    assert made.width == 2 * sheet.MARGIN + columns * sheet.CELL + (columns - 1) * sheet.GAP
    cells = share_of(made, (255, 0, 0)) * made.width * made.height
    assert cells == pytest.approx(count * sheet.CELL**2, rel=1e-6)


def test_pictures_keep_order_and_aspect() -> None:
    cells = [Cell(plain("red", (80, 40)), "0"), Cell(plain("blue", (40, 80)), "1")]
    pixels = np.asarray(contact_sheet([Row("x", cells)]))
    red = np.argwhere((pixels == (255, 0, 0)).all(axis=-1))
    blue = np.argwhere((pixels == (0, 0, 255)).all(axis=-1))
    assert red[:, 1].max() < blue[:, 1].min()
    for found, height, width in ((red, 112, 224), (blue, 224, 112)):
        assert (found.max(axis=0) - found.min(axis=0)).tolist() == [height - 1, width - 1]


def test_transparency_shows_paper() -> None:
    clear = Image.new("RGBA", (40, 40), (255, 0, 0, 0))
    made = contact_sheet([Row("x", [Cell(clear, "0.5")])])
    assert share_of(made, (255, 0, 0)) == 0.0
    assert share_of(made, (0, 0, 0)) == 0.0


@pytest.mark.parametrize("label", ["x" * 400, "two\nlines", "猫 3d", ""])
def test_any_label_stays_inside_the_margins(label: str) -> None:
    made = contact_sheet([row(3, label)], title=label, footer=label)
    pixels = np.asarray(made)
    edge = sheet.MARGIN // 2
    assert (pixels[:, :edge] == 255).all()
    assert (pixels[:, -edge:] == 255).all()


def test_each_cell_has_its_labels_below() -> None:
    with_labels = np.asarray(contact_sheet([row(1, "")]))
    without = np.asarray(contact_sheet([Row("", [Cell(plain("red"), "")])]))
    differing = np.argwhere((with_labels != without).any(axis=-1))
    picture = np.argwhere((without == (255, 0, 0)).all(axis=-1))
    assert len(differing) > 100
    assert differing[:, 0].min() > picture[:, 0].max()


@pytest.mark.parametrize(
    ("strength", "text"), [(0.0, "0"), (1.0, "1"), (0.45, "0.45"), (0.1 + 0.2, "0.3")]
)
def test_values_read_as_people_write_them(strength: float, text: str) -> None:
    assert value_label(strength) == text


@pytest.mark.parametrize(
    ("structure", "text"), [(1.0, "kept 100 %"), (0.714, "kept 71 %"), (-0.02, "kept 0 %")]
)
def test_kept_in_percent(structure: float, text: str) -> None:
    assert kept_label(Kept(structure, 0.5)) == text


def test_without_a_source_nothing_is_kept() -> None:
    assert kept_label(None) == ""
