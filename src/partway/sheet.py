"""Contact sheets: pictures in rows over strengths, with the value and what was kept under each.

    cat face, 3d                                  pocket · standard · seed 1
    ┌────┐ ┌────┐ ┌────┐ ┌────┐
    │    │ │    │ │    │ │    │
    └────┘ └────┘ └────┘ └────┘
     0.2    0.35   0.5    0.65
    kept 97 %  …

Drawn with Pillow and its built-in scalable font alone. Everything is sized relative to a cell, so
that a sheet of seven columns is legible at full size and when a page shows it 800 pixels wide.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from PIL import Image, ImageDraw, ImageFont

from partway.fidelity import percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from partway.fidelity import Kept

CELL = 224  # longest side of a picture, pixels
GAP = 20  # between pictures
MARGIN = 56  # around the sheet
COLUMNS = 8  # a longer row continues on the next line

SIZE_TITLE, SIZE_LABEL, SIZE_VALUE, SIZE_NOTE = 46, 34, 34, 27
PAPER, INK, QUIET, EDGE = "#ffffff", "#16181d", "#6a707c", "#e3e6eb"

Font: TypeAlias = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True, eq=False)
class Cell:
    """One picture with the two lines under it."""

    image: Image.Image
    value: str
    note: str = ""


@dataclass(frozen=True, eq=False)
class Row:
    """A line of pictures; `label` names the prompt, `aside` what else was the same for all."""

    label: str
    cells: Sequence[Cell]
    aside: str = ""


def value_label(strength: float) -> str:
    """A strength as people write it: 0.45, 0.3, 1."""
    return f"{strength:.4g}"


def kept_label(kept: Kept | None) -> str:
    """As in "kept 71 %"; empty where there was no source to keep anything of."""
    return "" if kept is None else f"kept {percent(kept.structure)} %"


def contact_sheet(rows: Sequence[Row], *, title: str = "", footer: str = "") -> Image.Image:
    """All rows on one white RGB sheet.

    title   large, above everything; footer  small, below everything; both may be empty
    """
    widest = max(len(row.cells) for row in rows)
    columns = min(math.ceil(widest / math.ceil(widest / COLUMNS)), COLUMNS)
    width = 2 * MARGIN + columns * CELL + (columns - 1) * GAP
    blocks = [_row(row, columns, width) for row in rows]
    if title:
        blocks.insert(0, _text(title, SIZE_TITLE, INK, width, above=0, below=34))
    if footer:
        blocks.append(_text(footer, SIZE_NOTE, QUIET, width, above=0, below=0))
    height = 2 * MARGIN + sum(block.height for block in blocks)
    sheet = Image.new("RGB", (width, height), PAPER)
    y = MARGIN
    for block in blocks:
        sheet.paste(block, (0, y))
        y += block.height
    return sheet


def _font(size: int) -> Font:
    """Pillow's own font; scalable where it was built with FreeType."""
    return ImageFont.load_default(size=size)


def _text(text: str, size: int, ink: str, width: int, *, above: int, below: int) -> Image.Image:
    """One line of text as a block of the sheet's width."""
    font = _font(size)
    block = Image.new("RGB", (width, above + round(1.3 * size) + below), PAPER)
    line = _shorten(text, font, width - 2 * MARGIN)
    ImageDraw.Draw(block).text((MARGIN, above), line, fill=ink, font=font)
    return block


def _shorten(text: str, font: Font, width: float) -> str:
    """The text, cut with an ellipsis where it is wider than `width` pixels.

    Line breaks become spaces. The built-in font draws Latin letters; others show as boxes.
    """
    text = " ".join(text.split())
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + " …") > width:
        text = text[:-1]
    return text.rstrip() + " …"


def _row(row: Row, columns: int, width: int) -> Image.Image:
    """A label, then the cells in lines of `columns`."""
    tallest = max(_fit(cell.image.size)[1] for cell in row.cells)
    lines = math.ceil(len(row.cells) / columns)
    head = round(1.3 * SIZE_LABEL) + 18
    line_height = tallest + 14 + round(1.3 * SIZE_VALUE) + round(1.3 * SIZE_NOTE) + 30
    block = Image.new("RGB", (width, head + lines * line_height + 22), PAPER)
    draw = ImageDraw.Draw(block)
    aside_width = 0.0
    if row.aside:
        font = _font(SIZE_NOTE)
        aside_width = font.getlength(row.aside) + 2 * GAP
        at = (width - MARGIN, round(1.05 * SIZE_LABEL))
        draw.text(at, row.aside, fill=QUIET, font=font, anchor="rs")
    label = _shorten(row.label, _font(SIZE_LABEL), width - 2 * MARGIN - aside_width)
    draw.text((MARGIN, round(1.05 * SIZE_LABEL)), label, INK, _font(SIZE_LABEL), anchor="ls")
    for index, cell in enumerate(row.cells):
        x = MARGIN + index % columns * (CELL + GAP)
        y = head + index // columns * line_height
        _cell(block, draw, cell, (x, y), tallest)
    return block


def _cell(
    block: Image.Image,
    draw: ImageDraw.ImageDraw,
    cell: Cell,
    corner: tuple[int, int],
    tallest: int,
) -> None:
    """A picture on white within a thin edge, centred in its place, and its two lines."""
    x, y = corner
    width, height = _fit(cell.image.size)
    left, top = x + (CELL - width) // 2, y + (tallest - height) // 2
    block.paste(_on_white(cell.image, (width, height)), (left, top))
    frame = (left - 1, top - 1, left + width, top + height)
    draw.rectangle(frame, outline=EDGE)
    middle = x + CELL // 2
    baseline = y + tallest + 14 + SIZE_VALUE
    draw.text((middle, baseline), cell.value, INK, _font(SIZE_VALUE), anchor="ms")
    note = _shorten(cell.note, _font(SIZE_NOTE), CELL + GAP - 4)
    draw.text(
        (middle, baseline + round(1.35 * SIZE_NOTE)), note, QUIET, _font(SIZE_NOTE), anchor="ms"
    )


def _fit(size: tuple[int, int]) -> tuple[int, int]:
    """Width and height within a cell, aspect kept."""
    scale = CELL / max(size)
    return max(round(size[0] * scale), 1), max(round(size[1] * scale), 1)


def _on_white(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """RGB of `size`, transparency on white."""
    rgba = image.convert("RGBA").resize(size, Image.Resampling.LANCZOS)
    paper = Image.new("RGBA", size, PAPER)
    paper.alpha_composite(rgba)
    return paper.convert("RGB")
