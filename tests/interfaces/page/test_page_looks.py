"""What can be measured of the page's looks: contrast of its colours, room for fingers."""

from __future__ import annotations

import re

import pytest
from opened import Opened
from playwright.sync_api import Browser

from partway.interfaces.http.app import PAGE

STYLE = PAGE / "style.css"
# Of text WCAG 2.2 wants 4.5 (1.4.3), of the edges of controls and what marks a choice 3 (1.4.11).
TEXT = [
    ("ink", "paper"), ("ink", "card"), ("ink", "sunk"), ("ink", "raised"), ("ink", "accent-soft"),
    ("quiet", "paper"), ("quiet", "card"), ("quiet", "sunk"),
    ("accent", "paper"), ("accent", "card"), ("accent", "accent-soft"), ("on-accent", "accent"),
]  # fmt: skip
EDGES = [("edge", "paper"), ("edge", "card"), ("accent", "sunk")]


def luminance(color: str) -> float:
    """Relative luminance of #rrggbb (WCAG 2.2)."""
    shares = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_contrast(theme: str) -> None:
    block = re.search(
        rf':root\[data-theme="{theme}"\] \{{(.*?)\}}', STYLE.read_text("utf-8"), re.DOTALL
    )
    assert block is not None
    colors = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block[1]))
    for least, pairs in ((4.5, TEXT), (3.0, EDGES)):
        for front, back in pairs:
            assert contrast(colors[front], colors[back]) >= least, f"{front} on {back}"


def test_fingers_find_room_on_a_phone(browser: Browser, address: str) -> None:
    """40 pixels for all that is pressed; nothing lies over another control."""
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    page = context.new_page()
    Opened(page, address).begin()
    for step in ("#settings summary", "#area", "#tools label:has-text('Map')", "#paint-done"):
        page.locator(step).click()
        small = page.evaluate(
            """() => [...document.querySelectorAll(
                "button, a, summary, select, input[type=text], .segments label, .file-button span"
            )].filter((each) => each.checkVisibility({ opacityProperty: true })
                && !each.closest(".cell, .chips, .strength-words, .notice p")
            ).map((each) => [each.id || each.textContent.trim(), each.offsetHeight]
            ).filter(([, height]) => height < 40)"""
        )
        assert small == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
    named = page.locator(".strength-words button").all()
    notes = page.locator(".strength-words .whose").bounding_box()
    assert notes is not None
    assert named
    for each in named:
        box = each.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= notes["y"]
    context.close()
