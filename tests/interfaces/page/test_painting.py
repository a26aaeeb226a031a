"""Painting where the edit acts: masks and strength maps, in pixels of the source."""

# pyright: reportUnknownMemberType=false

from __future__ import annotations

import io
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from click.testing import CliRunner
from opened import Opened
from PIL import Image
from playwright.sync_api import CDPSession, Locator, Page, ViewportSize, expect

from partway.interfaces.cli import cli

WIDTH, HEIGHT = 96, 64  # of the icon


@pytest.fixture
def painting(opened: Opened, icon_png: bytes) -> Iterator[Page]:
    """The icon as the source, nothing painted, the brush 9 pixels wide and hard; a quick edit."""
    page = opened.page
    opened.drop("icon.png", icon_png)
    expect(page.locator("#source-facts")).to_contain_text(f"{WIDTH} × {HEIGHT}")
    opened.settings(full_steps="2")
    page.locator("#area").click()
    expect(page.locator("#paint")).to_be_focused()
    size(page, 9)
    yield page
    if page.locator("#tools").is_visible():
        page.keyboard.press("Escape")
    expect(page.locator("#tools")).to_be_hidden()


def size(page: Page, pixels: int) -> None:
    """Bring the brush to a size by its keys."""
    shown = page.locator("output[for=brush-size]")
    for _ in range(60):
        now = int((shown.text_content() or "").split()[0])
        if now == pixels:
            return
        page.keyboard.press("[" if now > pixels else "]")
    raise AssertionError(shown.text_content())


def place(page: Page, x: float, y: float) -> tuple[float, float]:
    """Where a point of the source is on the screen."""
    box = page.locator("#paint").bounding_box()
    assert box is not None
    return box["x"] + x / WIDTH * box["width"], box["y"] + y / HEIGHT * box["height"]


def press(page: Page, x: int, y: int, button: Literal["left", "right"] = "left") -> None:
    """A press in the middle of a pixel."""
    page.mouse.click(*place(page, x + 0.5, y + 0.5), button=button)


def drag(page: Page, start: tuple[int, int], end: tuple[int, int]) -> None:
    page.mouse.move(*place(page, start[0] + 0.5, start[1] + 0.5))
    page.mouse.down()
    page.mouse.move(*place(page, end[0] + 0.5, end[1] + 0.5), steps=4)
    page.mouse.up()


def painted(page: Page) -> np.ndarray:
    """What Save gives: (HEIGHT, WIDTH) of 0 … 255."""
    with page.expect_download() as waiting:
        page.locator("#area-save").click()
    with Image.open(Path(waiting.value.path())) as image:
        rgb = np.asarray(image.convert("RGB"))
    assert (rgb == rgb[..., :1]).all()
    assert rgb.shape == (HEIGHT, WIDTH, 3)
    return rgb[..., 0]


def square(x: int, y: int, side: int) -> np.ndarray:
    plane = np.zeros((HEIGHT, WIDTH), np.uint8)
    plane[y : y + side, x : x + side] = 255
    return plane


def pixels(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def part(page: Page, name: str) -> Locator:
    return page.locator("#tools").get_by_role("button", name=name, exact=True)


def test_the_brush_paints_the_pixels_under_it(painting: Page) -> None:
    page = painting
    for side, left in ((1, 40), (2, 40), (3, 39)):
        size(page, side)
        page.mouse.click(*place(page, 40.9 if side == 2 else 40.1, 20.9))
        found = painted(page)
        assert np.array_equal(found, square(left, 20 if side < 3 else 19, side)), side
        part(page, "Undo").click()
        page.locator("#paint").focus()
    assert not painted(page).any()


def test_a_stroke_is_undone_whole_and_comes_back(painting: Page) -> None:
    page = painting
    drag(page, (20, 20), (70, 40))
    first = painted(page)
    assert set(np.unique(first)) == {0, 255}  # a mask has no shades
    assert all(first[round(20 + 0.4 * t), 20 + t] == 255 for t in range(51))  # and no gaps
    press(page, 10, 50)
    both = painted(page)
    assert both[50, 10] == 255
    page.keyboard.press("Control+z")
    assert np.array_equal(painted(page), first)
    page.keyboard.press("Control+z")
    assert not painted(page).any()
    expect(part(page, "Undo")).to_be_disabled()
    page.keyboard.press("Control+Shift+Z")
    page.keyboard.press("Control+y")
    assert np.array_equal(painted(page), both)
    expect(part(page, "Redo")).to_be_disabled()


def test_eraser_fill_invert_and_clear(painting: Page) -> None:
    page = painting
    page.keyboard.press("f")
    assert painted(page).min() == 255
    page.locator("#paint").focus()
    size(page, 3)
    page.keyboard.press("e")
    expect(page.get_by_role("radio", name="Eraser")).to_be_checked()
    press(page, 30, 30)
    hole = 255 - square(29, 29, 3)
    assert np.array_equal(painted(page), hole)
    page.keyboard.press("x")  # the brush again, whose right button erases
    press(page, 60, 10, "right")
    hole[9:12, 59:62] = 0
    assert np.array_equal(painted(page), hole)
    page.keyboard.press("i")
    assert np.array_equal(painted(page), 255 - hole)
    expect(page.locator("#painted")).to_have_text("< 1 % of the picture is painted")
    page.keyboard.press("Delete")
    assert not painted(page).any()
    expect(page.locator("#painted")).to_have_text("Nothing is painted yet.")


def test_a_map_has_shades_and_soft_edges(painting: Page) -> None:
    page = painting
    page.locator("#tools label").filter(has_text="Map").click()
    size(page, 21)
    page.locator("#brush-softness").fill("0")
    page.locator("#paint").focus()
    page.keyboard.press("4")
    press(page, 30, 30)
    assert set(np.unique(painted(page))) == {0, 102}
    page.locator("#brush-softness").fill("100")
    page.keyboard.press("0")
    page.locator("#paint").focus()
    drag(page, (70, 20), (70, 44))
    drag(page, (70, 44), (70, 20))
    across = painted(page)[32, 60:81].astype(int)
    assert across[10] > 240
    assert across[0] < 12
    assert (np.diff(across[:11]) >= 0).all()
    assert len(np.unique(across)) > 7
    page.locator("#tools label").filter(has_text="Mask").click()


def test_by_keys_alone(painting: Page) -> None:
    page = painting
    size(page, 4)
    for key in ("ArrowRight", "Shift+ArrowDown", "Space"):
        page.keyboard.press(key)
    assert np.array_equal(painted(page), disc(49, 33, 4))
    page.locator("#paint").focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#painted")).to_have_text("at 48, 33")
    for button in page.locator("#tools button").all():
        assert button.get_attribute("aria-label") or button.text_content()


def test_pen_and_fingers(painting: Page) -> None:
    page = painting
    size(page, 8)
    devtools = page.context.new_cdp_session(page)
    x, y = place(page, 30, 30)
    pen(devtools, "mousePressed", x, y, 0.5)
    pen(devtools, "mouseReleased", x, y, 0)
    assert np.array_equal(painted(page), disc(30, 30, 4))
    page.keyboard.press("Control+z")
    finger = {"x": x, "y": y, "id": 0}
    second, third = finger | {"x": x + 60}, {"x": x + 90, "y": y, "id": 1}
    touch(devtools, "touchStart", finger)
    touch(devtools, "touchEnd")
    assert np.array_equal(painted(page), disc(30, 30, 8))
    touch(devtools, "touchStart", second)
    touch(devtools, "touchStart", second, third)  # two: no stroke was meant
    touch(devtools, "touchEnd")
    assert np.array_equal(painted(page), disc(30, 30, 8))


def disc(x: int, y: int, side: int) -> np.ndarray:
    """The pixels whose middle is within a brush around a corner of pixels."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    inside = (columns - x) ** 2 + (rows - y) ** 2 <= (side / 2) ** 2
    return np.where(inside, 255, 0).astype(np.uint8)


def pen(devtools: CDPSession, kind: str, x: float, y: float, force: float) -> None:
    event = {"type": kind, "x": x, "y": y, "button": "left", "clickCount": 1}
    devtools.send("Input.dispatchMouseEvent", event | {"pointerType": "pen", "force": force})


def touch(devtools: CDPSession, kind: str, *points: dict[str, float]) -> None:
    devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": list(points)})


def test_only_what_is_painted_changes(
    painting: Page, opened: Opened, icon_png: bytes, tmp_path: Path
) -> None:
    page = painting
    size(page, 21)
    page.locator("#mask-feather").fill("3")
    drag(page, (30, 30), (50, 30))
    mask = painted(page)
    Image.fromarray(mask).save(tmp_path / "mask.png")
    page.locator("#prompt").fill("owl, flat")
    page.locator("#prompt").press("Enter")  # Edit, straight from painting
    expect(page.locator("#tools")).to_be_hidden()
    opened.whole()
    expect(page.locator("#area")).to_contain_text(re.compile(r"^Mask · \d+ %$"))
    _, data = opened.download()
    changed = (pixels(data) != pixels(icon_png)).any(axis=-1)
    assert changed[30, 30:50].any()
    far = np.ones((HEIGHT, WIDTH), bool)
    far[15:46, 15:66] = False  # the stroke and its feather
    assert not changed[far].any()

    # the commands on the page do the same with the mask that was saved
    (tmp_path / "icon.png").write_bytes(icon_png)
    words = shlex.split(page.locator('pre[aria-label="Command line"]').text_content() or "")
    assert words[words.index("--mask") + 1] == "mask.png"
    assert words[words.index("--feather") + 1] == "3"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        ran = CliRunner().invoke(cli, [*words[1:], "-o", "again.png"])
        assert ran.exit_code == 0, ran.output
        exec(page.locator('pre[aria-label="Python"]').text_content() or "", {})  # noqa: S102
    assert np.array_equal(pixels((tmp_path / "again.png").read_bytes()), pixels(data))
    assert np.array_equal(pixels((tmp_path / "result.png").read_bytes()), pixels(data))
    assert "-F mask=@mask.png" in (page.locator('pre[aria-label="curl"]').text_content() or "")

    # a result edited further keeps what is painted; another source does not; the history does
    page.locator("#reuse").click()
    expect(page.locator("#source-name")).to_contain_text("icon-s")
    expect(page.locator("#area")).to_contain_text("Mask ·")
    opened.drop("other.png", icon_png)
    expect(page.locator("#source-name")).to_have_text("other.png")
    expect(page.locator("#area")).to_have_text("Mask")
    card = page.locator("#history-list li").first
    card.get_by_role("button", name="Restore settings").click()
    expect(page.locator("#area")).to_contain_text("Mask ·")
    expect(page.locator(".strip.stale")).to_have_count(0)  # the same edit, to the last pixel of it
    page.locator("#area").click()
    assert np.array_equal(painted(page), mask)
    expect(page.locator("output[for=mask-feather]")).to_have_text("3 px")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Edit the whole picture again").click()
    expect(page.locator("#area")).to_have_text("Mask")
    assert "--mask" not in (page.locator('pre[aria-label="Command line"]').text_content() or "")


def test_a_map_is_sent_as_one(painting: Page, opened: Opened, icon_png: bytes) -> None:
    page = painting
    page.locator("#tools label").filter(has_text="Map").click()
    size(page, 21)
    press(page, 30, 30)
    page.locator("#prompt").fill("owl, flat")
    page.locator("#prompt").press("Enter")
    opened.whole()
    expect(page.locator("#area")).to_contain_text("Map ·")
    _, data = opened.download()
    changed = (pixels(data) != pixels(icon_png)).any(axis=-1)
    assert changed[24:37, 24:37].any()
    assert not changed[:, 44:].any()
    assert "--map map.png" in (page.locator('pre[aria-label="Command line"]').text_content() or "")
    # a style picture is followed by shares too
    page.locator(".ways label").filter(has_text="Style").click()
    expect(page.locator("#area")).to_contain_text("Map ·")
    page.locator("#bank").get_by_text("oil", exact=True).click()
    opened.strength("0.5")
    opened.whole()
    _, data = opened.download()
    changed = (pixels(data) != pixels(icon_png)).any(axis=-1)
    assert changed[24:37, 24:37].any()
    assert not changed[:, 44:].any()
    assert "--map map.png" in (page.locator('pre[aria-label="Command line"]').text_content() or "")
    page.locator(".ways label").filter(has_text="Words").click()
    page.locator("#area").click()
    page.locator("#tools label").filter(has_text="Mask").click()


def test_a_mask_from_a_file(painting: Page, opened: Opened) -> None:
    page = painting
    wanted = square(12, 20, 31)
    files = {"wrong.png": Image.new("L", (8, 8)), "mask.png": Image.fromarray(wanted)}
    for name, image in files.items():
        stream = io.BytesIO()
        image.save(stream, "PNG")
        page.locator("#area-file").set_input_files(
            {"name": name, "mimeType": "image/png", "buffer": stream.getvalue()}
        )
        if name == "wrong.png":
            error = page.get_by_role("alert")
            expect(error).to_contain_text("this picture is 8 × 8, the source 96 × 64")
            error.get_by_role("button", name="Dismiss").click()
    expect(page.locator("#painted")).to_have_text("16 % of the picture is painted")
    assert np.array_equal(painted(page), wanted)


def test_painting_fits_a_phone(painting: Page) -> None:
    page = painting
    try:
        for width in (390, 320):
            page.set_viewport_size(ViewportSize(width=width, height=844))
            for kind in ("Map", "Extend", "Mask"):
                page.locator("#tools label").filter(has_text=kind).click()
                assert page.evaluate("document.documentElement.scrollWidth") <= width
            box = page.locator("#paint").bounding_box()
            assert box is not None
            assert box["width"] >= 0.8 * width
    finally:
        page.set_viewport_size(ViewportSize(width=1280, height=800))


def test_margins_by_hand_by_keys_and_as_numbers(painting: Page) -> None:
    page = painting
    page.locator("#tools label").filter(has_text="Extend").click()
    expect(page.locator("#paint")).to_be_hidden()
    page.get_by_role("button", name="1:1", exact=True).click()
    for side, pixels in (("left", "0"), ("top", "16"), ("right", "0"), ("bottom", "16")):
        expect(page.locator(f"#margin-{side}")).to_have_value(pixels)
    right = page.get_by_role("slider", name="Added on the right")
    right.focus()
    for key in ("ArrowRight", "Shift+ArrowRight", "ArrowLeft", "ArrowLeft", "ArrowRight"):
        page.keyboard.press(key)
    expect(right).to_have_attribute("aria-valuetext", "8 pixels")  # never below 0
    page.locator("#margin-right").fill("24")
    page.locator("#margin-right").press("Tab")
    page.locator("#margin-top").fill("much")
    page.locator("#margin-top").press("Tab")
    expect(page.locator("#margin-top")).to_have_attribute("aria-invalid", "true")
    bottom = page.get_by_role("slider", name="Added on the bottom")
    box = bottom.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] - 400, steps=4)
    page.mouse.up()
    expect(page.locator("#margin-bottom")).to_have_value("0")
    page.get_by_role("button", name="None", exact=True).click()
    page.locator("#tools label").filter(has_text="Mask").click()


def test_a_picture_is_extended(
    painting: Page, opened: Opened, icon_png: bytes, tmp_path: Path
) -> None:
    page = painting
    page.locator("#tools label").filter(has_text="Extend").click()
    for side, pixels_more in (("top", "16"), ("right", "24")):
        page.locator(f"#margin-{side}").fill(pixels_more)
        page.locator(f"#margin-{side}").press("Tab")
    page.locator("#prompt").fill("owl, flat")
    page.locator("#prompt").press("Enter")
    opened.whole()
    expect(page.locator("#area")).to_have_text("120 × 80")
    name, data = opened.download()
    assert name == "icon-s0.5.png"
    found = pixels(data)
    assert found.shape == (80, 120, 3)
    assert np.array_equal(found[16:, :96], pixels(icon_png))

    (tmp_path / "icon.png").write_bytes(icon_png)
    words = shlex.split(page.locator('pre[aria-label="Command line"]').text_content() or "")
    assert words[:2] == ["partway", "outpaint"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        ran = CliRunner().invoke(cli, [*words[1:], "-o", "again.png"])
        assert ran.exit_code == 0, ran.output
        exec(page.locator('pre[aria-label="Python"]').text_content() or "", {})  # noqa: S102
    assert np.array_equal(pixels((tmp_path / "again.png").read_bytes()), found)
    assert np.array_equal(pixels((tmp_path / "result.png").read_bytes()), found)
    curl = page.locator('pre[aria-label="curl"]').text_content() or ""
    assert "extend_top=16" in curl
    assert "extend_left" not in curl

    # the next picture starts without margins, the history has them
    page.locator("#reuse").click()
    expect(page.locator("#source-facts")).to_contain_text("120 × 80")
    expect(page.locator("#area")).to_have_text("Mask")
    card = page.locator("#history-list li").first
    card.get_by_role("button", name="Restore settings").click()
    expect(page.locator("#area")).to_have_text("120 × 80")
    expect(page.locator(".strip.stale")).to_have_count(0)
    page.get_by_role("button", name="Edit the whole picture again").click()
    expect(page.locator("#area")).to_have_text("Extend")
    assert "outpaint" not in (page.locator('pre[aria-label="Command line"]').text_content() or "")
    page.locator("#area").click()
    page.locator("#tools label").filter(has_text="Mask").click()
