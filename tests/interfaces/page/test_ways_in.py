"""Each way to a picture and to the controls: pasted, picked, by hand, heard; and out, by curl."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from opened import Opened
from PIL import Image
from playwright.sync_api import FilePayload, Page, expect

SPOKEN = {
    "button", "checkbox", "combobox", "DisclosureTriangle", "image", "link", "progressbar", "radio",
    "radiogroup", "slider", "spinbutton", "textbox",
}  # fmt: skip


@pytest.fixture
def page(opened: Opened, icon_png: bytes) -> Page:
    """The icon as the source; a quick edit."""
    opened.drop("icon.png", icon_png)
    expect(opened.page.locator("#source-name")).to_have_text("icon.png")
    opened.settings(full_steps="4")
    opened.page.locator("#prompt").fill("owl, flat")
    opened.strength("0.5")
    return opened.page


def test_a_picture_is_pasted(page: Page, icon_png: bytes) -> None:
    page.evaluate(
        """bytes => {
            const clipboardData = new DataTransfer();
            clipboardData.items.add(new File([new Uint8Array(bytes)], "image.png"));
            dispatchEvent(new ClipboardEvent("paste", { clipboardData, cancelable: true }));
        }""",
        list(icon_png),
    )
    expect(page.locator("#source-name")).to_have_text("image.png")
    expect(page.locator("#source-facts")).to_contain_text("96 × 64")


def test_a_picture_is_picked(page: Page, icon_png: bytes) -> None:
    file = FilePayload(name="picked.png", mimeType="image/png", buffer=icon_png)
    page.locator("#file").set_input_files(file)
    expect(page.locator("#source-name")).to_have_text("picked.png")


def test_the_dial_by_hand_says_what_it_means_before_it_is_let_go(page: Page) -> None:
    page.locator("#dial").scroll_into_view_if_needed()
    box = page.locator("#dial").bounding_box()
    assert box is not None
    thumb = 28  # its middle goes from one end to the other less its width
    across = box["width"] - thumb

    def go_to(share: float) -> None:
        page.mouse.move(
            box["x"] + thumb / 2 + share * across, box["y"] + box["height"] / 2, steps=3
        )

    go_to(0.5)
    page.mouse.down()
    for share, band in ((0.2, "retouch"), (0.7, "reinterpret"), (0.95, "reimagine")):
        go_to(share)
        assert float(page.locator("#number").input_value()) == pytest.approx(share, abs=0.02)
        expect(page.locator("#band")).to_have_text(band)
        expect(page.locator(".bands .here")).to_have_text(band)
        expect(page.locator("#facts")).to_contain_text("of 4")
    page.mouse.up()


def test_what_comes_is_seen_while_it_is_made(page: Page, opened: Opened) -> None:
    opened.settings(full_steps="200")
    page.locator("#go").click()
    shown = page.locator("#after[src^='data:image/webp']")
    expect(shown).to_have_attribute("alt", "Preview")
    first = shown.get_attribute("src")
    expect(page.locator("#bar")).to_be_visible()
    expect(shown).not_to_have_attribute("src", first or "")
    assert page.locator("#bar").evaluate("bar => bar.value") > 0
    opened.idle()


def test_colours_are_the_persons_from_then_on(page: Page) -> None:
    root = page.locator(":root")
    expect(root).to_have_attribute("data-theme", "light")  # the browser's
    page.get_by_role("button", name="Dark colours").click()
    expect(root).to_have_attribute("data-theme", "dark")
    page.emulate_media(color_scheme="dark")
    page.get_by_role("button", name="Light colours").click()
    page.reload()
    expect(root).to_have_attribute("data-theme", "light")
    page.emulate_media(color_scheme=None)
    page.evaluate("localStorage.clear()")


def test_every_control_says_what_it_is(page: Page) -> None:
    """As a screen reader hears the page, with all that is folded open, and while painting."""
    page.evaluate("document.querySelectorAll('details').forEach(each => (each.open = true))")
    heard = spoken(page)
    assert len(heard) > 60
    assert [role for role, name in heard if not name] == []
    page.locator("#area").click()
    painting = spoken(page)
    assert ("slider", "Size") in {(role, name.split(" ")[0]) for role, name in painting}
    assert [role for role, name in painting if not name] == []
    page.locator("#paint-done").click()
    page.evaluate("document.querySelectorAll('details').forEach(each => (each.open = false))")


def spoken(page: Page) -> list[tuple[str, str]]:
    """Role and name of each control and picture that is not hidden from who hears the page."""
    session: Any = page.context.new_cdp_session(page)
    nodes: list[dict[str, Any]] = session.send("Accessibility.getFullAXTree")["nodes"]
    session.detach()
    return [
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in nodes
        if not node["ignored"] and node["role"]["value"] in SPOKEN
    ]


def test_curl_makes_the_same_picture(
    page: Page, opened: Opened, icon_png: bytes, tmp_path: Path
) -> None:
    if shutil.which("curl") is None:
        pytest.skip("no curl")
    opened.drop('my "icon".png', icon_png)
    expect(page.locator("#source-name")).to_have_text('my "icon".png')
    page.locator("#prompt").fill("it's an owl; flat")
    page.locator("#prompt").press("Enter")
    opened.whole()
    _, data = opened.download()
    (tmp_path / 'my "icon".png').write_bytes(icon_png)
    command = page.locator('pre[aria-label="curl"]').text_content() or ""
    done = subprocess.run(
        ["sh", "-c", f"{command} --silent"], cwd=tmp_path, capture_output=True, check=True
    )
    image = json.loads(done.stdout)["results"][0]["image"]
    again = page.request.get(opened.address + image).body()
    assert np.array_equal(pixels(again), pixels(data))


def pixels(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))
