"""Zoom and pan of the picture, alone and with the divider and the brush."""

# pyright: reportUnknownMemberType=false

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import count
from math import floor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from opened import Opened
from PIL import Image
from playwright.sync_api import FloatRect, Page, expect

WIDTH, HEIGHT = 96, 64  # of the icon
NUMBERS = count()


@pytest.fixture
def page(opened: Opened, icon_png: bytes) -> Iterator[Page]:
    """The icon as the source, all of it seen."""
    name = f"icon-{next(NUMBERS)}.png"
    opened.drop(name, icon_png)
    expect(opened.page.locator("#source-name")).to_have_text(name)
    view(opened.page, "result")
    assert zoom(opened.page) == 1.0
    yield opened.page
    if opened.page.locator("#tools").is_visible():
        opened.page.keyboard.press("Escape")
    opened.page.set_viewport_size({"width": 1280, "height": 800})


def view(page: Page, name: str) -> None:
    page.evaluate(f"document.querySelector('input[name=view][value={name}]').click()")


def box(page: Page, selector: str = "#frame") -> FloatRect:
    found = page.locator(selector).bounding_box()
    assert found is not None
    return found


def zoom(page: Page) -> float:
    """How many times as wide as the frame the picture is."""
    return box(page, "#sheet")["width"] / box(page)["width"]


def seen(page: Page, x: float, y: float) -> tuple[float, float]:
    """The place of the picture, 0 … 1, that shows at a place of the frame."""
    frame, sheet = box(page), box(page, "#sheet")
    across = frame["x"] + x * frame["width"] - sheet["x"]
    down = frame["y"] + y * frame["height"] - sheet["y"]
    return across / sheet["width"], down / sheet["height"]


def over(page: Page, x: float, y: float) -> None:
    """The mouse over a place of the frame."""
    frame = box(page)
    page.mouse.move(frame["x"] + x * frame["width"], frame["y"] + y * frame["height"])


def wheel(page: Page, pixels: float, *, ctrl: bool = False) -> None:
    """Turn the wheel, and wait until the page has heard of it."""
    page.evaluate(
        """() => {
            const { dataset } = document.body;
            delete dataset.turned;
            addEventListener("wheel", () => (dataset.turned = ""), { once: true });
        }"""
    )
    if ctrl:
        page.keyboard.down("Control")
    page.mouse.wheel(0, pixels)
    expect(page.locator("body[data-turned]")).to_have_count(1)
    if ctrl:
        page.keyboard.up("Control")


def test_the_wheel_zooms_where_it_points(page: Page) -> None:
    over(page, 0.25, 0.75)
    wheel(page, 100)
    assert zoom(page) == 1.0  # a whole picture lets the page scroll
    page.evaluate("scrollTo(0, 0)")
    over(page, 0.25, 0.75)
    wheel(page, -300, ctrl=True)
    assert zoom(page) > 1.5
    assert seen(page, 0.25, 0.75) == pytest.approx((0.25, 0.75), abs=0.01)
    before = zoom(page)
    wheel(page, -300)  # from here on the wheel alone
    assert zoom(page) > 1.3 * before
    assert seen(page, 0.25, 0.75) == pytest.approx((0.25, 0.75), abs=0.01)
    assert page.evaluate("scrollY") == 0
    for _ in range(12):
        wheel(page, -1000)
    closest = box(page, "#sheet")["width"] / WIDTH
    assert closest == pytest.approx(max(16.0, 8 * box(page)["width"] / WIDTH), rel=0.01)
    expect(page.locator("#zoom-in")).to_be_disabled()
    for _ in range(12):
        wheel(page, 1000)
    assert zoom(page) == 1.0
    assert seen(page, 0.0, 0.0) == (0.0, 0.0)


def test_keys_buttons_and_double_click(page: Page) -> None:
    page.keyboard.press("+")
    assert zoom(page) == pytest.approx(1.5, rel=0.01)
    assert seen(page, 0.5, 0.5) == pytest.approx((0.5, 0.5), abs=0.01)
    page.keyboard.press("-")
    assert zoom(page) == 1.0
    page.locator("#stage").hover()
    page.get_by_role("button", name="Zoom in").click()
    page.get_by_role("button", name="Zoom in").click()
    assert zoom(page) == pytest.approx(2.25, rel=0.01)
    expect(page.locator("#zoom-fit")).to_contain_text("%")
    before = seen(page, 0.0, 0.0)
    page.keyboard.press("ArrowRight")  # the focus is on the button
    assert seen(page, 0.0, 0.0)[0] > before[0]
    for _ in range(30):
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowDown")
    assert seen(page, 1.0, 1.0) == pytest.approx((1.0, 1.0), abs=0.01)  # and no farther
    page.keyboard.press("z")
    assert zoom(page) == 1.0
    frame = box(page)
    at = (frame["x"] + 0.2 * frame["width"], frame["y"] + 0.3 * frame["height"])
    page.mouse.dblclick(*at)
    assert zoom(page) == pytest.approx(2.0, rel=0.01)
    assert seen(page, 0.2, 0.3) == pytest.approx((0.2, 0.3), abs=0.01)
    page.mouse.dblclick(*at)
    assert zoom(page) == 1.0


def test_a_drag_moves_it_and_another_picture_is_whole(
    page: Page, opened: Opened, icon_png: bytes
) -> None:
    over(page, 0.5, 0.5)
    wheel(page, -600, ctrl=True)
    held = seen(page, 0.5, 0.5)
    page.mouse.down()
    over(page, 0.4, 0.7)
    page.mouse.up()
    assert seen(page, 0.4, 0.7) == pytest.approx(held, abs=0.01)
    over(page, 0.6, 0.1)  # it is let go
    assert seen(page, 0.4, 0.7) == pytest.approx(held, abs=0.01)
    opened.drop("other.png", icon_png)
    expect(page.locator("#source-name")).to_have_text("other.png")
    assert zoom(page) == 1.0


def test_the_scale_is_of_the_picture_that_is_shown(
    page: Page, opened: Opened, icon: Image.Image
) -> None:
    """Also where the frame stays as it was, since both have one shape."""
    before = box(page)
    stream = io.BytesIO()
    icon.resize((3 * WIDTH, 3 * HEIGHT)).save(stream, "PNG")
    opened.drop("large.png", stream.getvalue())
    expect(page.locator("#source-name")).to_have_text("large.png")
    assert box(page)["width"] == before["width"]
    scale = floor(100 * before["width"] / (3 * WIDTH) + 0.5)
    expect(page.locator("#zoom-fit")).to_have_text(f"{scale} %")


def test_the_divider_stays_where_the_hand_holds_it(page: Page) -> None:
    """Red on its left, blue on its right, however the picture lies behind."""
    page.evaluate(
        """() => {
            for (const [id, color] of [["before", "red"], ["after", "blue"]]) {
                const canvas = new OffscreenCanvas(96, 64);
                const context = canvas.getContext("2d");
                context.fillStyle = color;
                context.fillRect(0, 0, 96, 64);
                canvas.convertToBlob().then((blob) => {
                    document.getElementById(id).src = URL.createObjectURL(blob);
                });
            }
            document.getElementById("frame").dataset.shows = "result";
        }"""
    )
    view(page, "compare")
    over(page, 0.1, 0.1)
    wheel(page, -500, ctrl=True)
    assert zoom(page) > 2
    for share in (0.5, 0.8):
        page.locator("#split").evaluate(
            f"each => {{ each.value = {100 * share}; each.dispatchEvent(new Event('input')); }}"
        )
        page.mouse.move(5, 5)
        with Image.open(io.BytesIO(page.locator("#frame").screenshot())) as shot:
            row = np.asarray(shot.convert("RGB"))[shot.height // 4].astype(int)
        red = (row[:, 0] > 200) & (row[:, 2] < 60)
        assert np.flatnonzero(red).max() == pytest.approx(share * len(row), abs=5)
        assert (row[int(share * len(row)) + 6 : -20, 2] > 200).all()
    held = seen(page, 0.5, 0.5)
    over(page, 0.5, 0.5)
    page.keyboard.down("Shift")
    page.mouse.down()
    over(page, 0.45, 0.6)
    page.mouse.up()
    page.keyboard.up("Shift")
    assert seen(page, 0.45, 0.6) == pytest.approx(held, abs=0.01)
    assert page.locator("#split").input_value() == "80"  # the divider was not dragged


def test_two_fingers(page: Page) -> None:
    devtools = page.context.new_cdp_session(page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        frame = box(page)
        at: list[dict[str, Any]] = [
            {"x": frame["x"] + x * frame["width"], "y": frame["y"] + y * frame["height"], "id": i}
            for i, (x, y) in enumerate(points)
        ]
        devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})

    view(page, "compare")
    divided = page.locator("#split").input_value()
    touch("touchStart", (0.4, 0.5))
    touch("touchStart", (0.4, 0.5), (0.6, 0.5))
    for apart in (0.15, 0.2, 0.3):
        touch("touchMove", (0.5 - apart, 0.5), (0.5 + apart, 0.5))
    assert zoom(page) == pytest.approx(3.0, rel=0.05)
    assert seen(page, 0.5, 0.5) == pytest.approx((0.5, 0.5), abs=0.02)
    touch("touchMove", (0.1, 0.4), (0.7, 0.4))
    assert seen(page, 0.4, 0.4) == pytest.approx((0.5, 0.5), abs=0.02)
    touch("touchEnd")
    view(page, "result")
    touch("touchStart", (0.5, 0.5))
    touch("touchMove", (0.6, 0.6))
    touch("touchEnd")
    assert seen(page, 0.5, 0.5) == pytest.approx((0.5, 0.5), abs=0.02)  # one finger moves it
    assert page.locator("#split").input_value() == divided
    expect(page.locator("#split")).to_be_enabled()
    devtools.detach()


def painted(page: Page) -> np.ndarray:
    """What Save gives: (HEIGHT, WIDTH) of 0 … 255."""
    with page.expect_download() as waiting:
        page.locator("#area-save").click()
    with Image.open(Path(waiting.value.path())) as image:
        return np.asarray(image.convert("L"))


def shrink(page: Page, side: int) -> None:
    """A brush of so many pixels."""
    shown = page.locator("output[for=brush-size]")
    for _ in range(60):
        now = int((shown.text_content() or "").split()[0])
        if now == side:
            return
        page.keyboard.press("[" if now > side else "]")
    raise AssertionError(shown.text_content())


def test_the_brush_paints_single_pixels_at_every_zoom(page: Page) -> None:
    page.locator("#area").click()
    expect(page.locator("#paint")).to_be_focused()
    shrink(page, 1)
    expected = np.zeros((HEIGHT, WIDTH), np.uint8)
    page.locator("#mask-feather").evaluate(
        "each => { each.value = 0; each.dispatchEvent(new Event('input')); }"
    )
    for at, notch in (((0.3, 0.4), -130), ((0.72, 0.61), -450), ((0.11, 0.9), -900)):
        over(page, *at)
        wheel(page, notch)
        for x, y in ((0.2, 0.3), (0.51, 0.5), (0.87, 0.75)):
            u, v = seen(page, x, y)
            expected[int(v * HEIGHT), int(u * WIDTH)] = 255
            over(page, x, y)
            page.mouse.down()
            page.mouse.up()
    assert np.array_equal(painted(page), expected)
    assert zoom(page) > 4
    # what is hatched on the screen is what is painted: a pixel is a square of the screen's
    pixel = box(page, "#paint")["width"] / WIDTH
    u, v = seen(page, 0.51, 0.5)
    page.mouse.move(5, 5)
    page.wait_for_timeout(200)
    with Image.open(io.BytesIO(page.locator("#frame").screenshot())) as shot:
        there = np.asarray(shot.convert("RGB")).astype(int)
    left = (int(u * WIDTH) / WIDTH - seen(page, 0, 0)[0]) * WIDTH * pixel
    top = (int(v * HEIGHT) / HEIGHT - seen(page, 0, 0)[1]) * HEIGHT * pixel
    inside = there[int(top + 2) : int(top + pixel - 2), int(left + 2) : int(left + pixel - 2)]
    assert (inside[..., 2] - inside[..., 1] > 40).all()  # violet, whatever lies below


def test_what_the_keys_paint_is_brought_into_sight(page: Page) -> None:
    page.locator("#area").click()
    expect(page.locator("#paint")).to_be_focused()
    over(page, 0.0, 0.0)
    wheel(page, -900)
    page.locator("#paint").focus()
    for _ in range(40):
        page.keyboard.press("ArrowRight")
    ring, frame = box(page, "#ring"), box(page)
    assert frame["x"] <= ring["x"]
    assert ring["x"] + ring["width"] <= frame["x"] + frame["width"] + ring["width"]
    page.locator("#tools").get_by_text("Extend").click()
    assert zoom(page) == 1.0  # its handles lie on the edges
    over(page, 0.5, 0.5)
    wheel(page, -300, ctrl=True)
    assert zoom(page) == 1.0
    page.locator("#tools").get_by_text("Mask").click()
