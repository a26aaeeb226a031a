"""The page in a real browser: Chromium, on a server in a process of its own."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from opened import PATIENCE, Opened
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, ViewportSize, expect, sync_playwright
from serving import serving

ARGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
]
WIDE = ViewportSize(width=1280, height=800)


@pytest.fixture(scope="session")
def address(caches: Path) -> Iterator[str]:
    """Where `partway serve` listens."""
    with serving() as (address, _):
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Closed with its module: Playwright keeps an event loop in this thread."""
    path = os.environ.get("PARTWAY_CHROMIUM") or shutil.which("chromium")
    if path is None:
        pytest.skip("NO CHROMIUM: the web page is not tested; install Debian's package chromium")
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=ARGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def context(browser: Browser) -> Iterator[BrowserContext]:
    """One profile: its tests share a history."""
    made = browser.new_context(viewport=WIDE, accept_downloads=True)
    yield made
    made.close()


@pytest.fixture(scope="module")
def shared(context: BrowserContext, address: str) -> Opened:
    """A page whose example is not waited for, shared by the tests of a module."""
    opened = Opened(context.new_page(), address)
    opened.begin()
    return opened


@pytest.fixture
def opened(shared: Opened) -> Iterator[Opened]:
    """The shared page at rest; a test ends without errors or requests to elsewhere."""
    yield shared
    shared.idle()
    assert shared.take_wrong() == []
    assert shared.foreign == []


@pytest.fixture
def icon_png(icon: Image.Image) -> bytes:
    stream = io.BytesIO()
    icon.save(stream, "PNG")
    return stream.getvalue()
