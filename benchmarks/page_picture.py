"""The pictures of the page in docs/images: a server of its own, headless Chromium, 1280 × 800."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"
MINUTES = 10 * 60_000  # milliseconds
HAT = [(0.27, 0.2), (0.5, 0.08), (0.73, 0.2), (0.5, 0.16), (0.27, 0.2)]  # of the frame


def main() -> None:
    """Take them."""
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("install Debian's package chromium")
    command = [sys.executable, "-m", "partway", "serve", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        try:
            said = server.stderr.readline() if server.stderr is not None else ""
            found = re.search(r"http://\S+", said)
            if found is None:
                sys.exit(f"no server: {said}")
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
                )
                page = browser.new_page(viewport={"width": 1280, "height": 800})
                page.set_default_timeout(MINUTES)
                page.goto(found.group())
                take(page)
                browser.close()
        finally:
            server.terminate()


def take(page: Page) -> None:
    """The example with its filmstrip, then a mask being painted."""
    page.locator(".cell").first.wait_for()
    expect(page.locator(".cell.waiting")).to_have_count(0, timeout=MINUTES)
    expect(page.locator("#cancel")).to_be_hidden(timeout=MINUTES)
    page.screenshot(path=IMAGES / "page.png")
    page.get_by_role("button", name="Example: fox").click()
    expect(page.locator("#source-name")).to_have_text("fox.png")
    page.locator("#cancel").wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("m")
    box = page.locator("#paint").bounding_box() or {"x": 0, "y": 0, "width": 0, "height": 0}
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in HAT]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=8)
    page.mouse.up()
    page.screenshot(path=IMAGES / "page-painting.png")


if __name__ == "__main__":
    main()
