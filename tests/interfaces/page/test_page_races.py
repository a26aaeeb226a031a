"""What comes late, or together: nothing of an earlier picture shows up in a later one."""

# pyright: reportUnknownMemberType=false

from __future__ import annotations

import io
import re
from collections.abc import Iterator

import pytest
from opened import Opened
from PIL import Image
from playwright.sync_api import Page, Route, expect

from partway.api import edit


@pytest.fixture
def page(opened: Opened, icon_png: bytes) -> Iterator[Page]:
    """The icon as the source; a quick edit."""
    opened.drop("icon.png", icon_png)
    expect(opened.page.locator("#source-facts")).to_contain_text("96 × 64")
    opened.settings(full_steps="2")
    yield opened.page
    opened.page.unroute_all(behavior="wait")


def painted(page: Page) -> None:
    """Paint all of a mask, and stay at it; fields of jobs are noted from here on."""
    page.evaluate(
        """() => {
            const real = window.fetch;
            window.sent = [];
            window.fetch = (address, options) => {
                if (String(address).endsWith("/edits")) window.sent.push([...options.body.keys()]);
                return real(address, options);
            };
        }"""
    )
    page.locator("#area").click()
    expect(page.locator("#paint")).to_be_focused()
    page.keyboard.press("f")


def test_a_result_that_comes_after_its_job_was_cancelled_is_dropped(page: Page) -> None:
    heard = page.evaluate(
        """async () => {
            const { Job } = await import("./job.js");
            const heard = [];
            const job = new Job("edits", null, { done: () => heard.push("done") });
            const real = window.fetch;
            window.fetch = async () => {
                job.cancelled = true; // while the picture is on its way
                return new Response("picture");
            };
            await job.hear("done", { index: 0, image: "x" });
            window.fetch = real;
            return heard;
        }"""
    )
    assert heard == []


def test_a_result_that_could_not_be_fetched_is_asked_for_again(page: Page) -> None:
    heard = page.evaluate(
        """async () => {
            const { Job } = await import("./job.js");
            const heard = [];
            const job = new Job("edits", null, { done: () => heard.push("done") });
            const real = window.fetch;
            window.fetch = () => Promise.reject(new TypeError("network"));
            await job.hear("done", { index: 0, image: "x" }).catch(() => null);
            window.fetch = async () => new Response("picture");
            await job.hear("done", { index: 0, image: "x" });
            await job.hear("done", { index: 0, image: "x" });
            window.fetch = real;
            return heard;
        }"""
    )
    assert heard == ["done"]


def test_a_plan_that_is_refused_keeps_no_later_one_away(page: Page) -> None:
    heard = page.evaluate(
        """async () => {
            const { Plans } = await import("./reading.js");
            const heard = [];
            const plans = new Plans((plan) => heard.push(plan && plan.name));
            const refused = new Response("{}", { status: 422 });
            const answers = [refused, Response.json({ name: "second" })];
            const real = window.fetch;
            const own = ['{"strength":1}', '{"strength":2}'];  // the page asks as well
            window.fetch = async (address, options) =>
                own.includes(options?.body) ? answers.shift() : real(address, options);
            const asked = plans.ask({ strength: 1 });
            plans.ask({ strength: 2 });
            await asked;
            window.fetch = real;
            return heard;
        }"""
    )
    assert heard == [None, "second"]


def test_the_picture_that_was_dropped_last_is_the_source(
    page: Page, opened: Opened, icon: Image.Image
) -> None:
    held: list[Route] = []
    page.route("**/v1/inspect", lambda route: held.append(route))  # noqa: PLW0108
    for name, side in (("first.png", 40), ("second.png", 50)):
        stream = io.BytesIO()
        icon.resize((side, side)).save(stream, "PNG")
        opened.drop(name, stream.getvalue())
    for _ in range(200):
        if len(held) == 2:
            break
        page.wait_for_timeout(50)
    held[1].continue_()
    expect(page.locator("#source-name")).to_have_text("second.png")
    with page.expect_response("**/v1/inspect"):
        held[0].continue_()
    page.wait_for_timeout(300)
    expect(page.locator("#source-name")).to_have_text("second.png")
    expect(page.locator("#source-facts")).to_contain_text("50 × 50")


def test_edit_right_after_done_is_of_the_mask(page: Page) -> None:
    painted(page)
    with page.expect_request("**/v1/edits"):
        page.evaluate('for (const id of ["paint-done", "go"]) document.getElementById(id).click()')
    assert "mask" in page.evaluate("window.sent")[0]


def test_another_seed_while_painting_is_of_the_mask_too(page: Page) -> None:
    painted(page)
    with page.expect_request("**/v1/edits"):
        page.locator("#dice").click()
    assert "mask" in page.evaluate("window.sent")[0]
    expect(page.locator("#tools")).to_be_hidden()


def test_a_stroke_ends_with_the_painting(page: Page) -> None:
    surface, area = page.locator("#paint"), page.locator("#area")
    area.click()
    expect(surface).to_be_focused()
    box = surface.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.keyboard.press("m")
    page.mouse.up()
    expect(area).to_have_text(re.compile(r"Mask · [\d<]"))
    area.click()
    for across in (0.2, 0.8, 0.35):  # each draws, and takes nothing back
        page.mouse.click(box["x"] + across * box["width"], box["y"] + box["height"] / 4)
    page.keyboard.press("m")
    expect(area).to_have_text("Mask · 3 %")


def test_what_is_gone_cannot_be_downloaded(page: Page, opened: Opened) -> None:
    page.locator("#go").click()
    opened.whole()
    expect(page.locator("#download")).to_have_attribute("aria-disabled", "false")
    page.route("**/v1/edits", lambda _: None)  # never answered
    page.locator("#go").click()
    expect(page.locator("#download")).to_have_attribute("aria-disabled", "true")
    expect(page.locator("#reuse")).to_be_disabled()
    page.unroute_all()


def test_a_kind_that_the_browser_does_not_show_is_edited_all_the_same(
    page: Page, opened: Opened, icon: Image.Image
) -> None:
    stream = io.BytesIO()
    icon.resize((48, 40)).save(stream, "TIFF")
    opened.drop("scan.tif", stream.getvalue(), "image/tiff")
    expect(page.locator("#source-facts")).to_contain_text("48 × 40")
    assert page.evaluate("() => document.getElementById('before').naturalWidth") > 0
    expect(page.locator("#error")).to_be_hidden()
    page.locator("#go").click()
    opened.whole()
    expect(page.locator("#download")).to_have_attribute("aria-disabled", "false")


def test_margins_come_back_from_a_file_and_what_does_not_is_said(
    page: Page, opened: Opened, icon: Image.Image, icon_png: bytes
) -> None:
    larger = edit(icon_png, "owl", model="analytic", full_steps=2, extend=(8, 0, 16, 0))
    opened.drop("larger.png", larger.encode("PNG")[0])
    page.locator("#made").get_by_role("button", name="restore its settings").click()
    expect(page.locator("#made")).to_be_hidden()
    expect(page.locator("#area")).to_have_text("144 × 64")  # 120 × 64 and as much again

    stream = io.BytesIO()
    Image.new("L", icon.size, 255).save(stream, "PNG")
    masked = edit(
        icon_png, "owl", model="analytic", full_steps=2, mask=stream.getvalue(), mask_grow=2
    )
    opened.drop("masked.png", masked.encode("PNG")[0])
    page.locator("#made").get_by_role("button", name="restore its settings").click()
    expect(page.locator("#made")).to_contain_text("but for the mask, which is not in the file")
    expect(page.locator("#made")).to_contain_text("how far the mask grows")
    expect(page.locator("#made")).not_to_contain_text("precision")
