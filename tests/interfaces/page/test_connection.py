"""A connection that breaks: the page tries again, and loses neither the edit nor what is typed."""

# pyright: reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from opened import Opened
from playwright.sync_api import Browser, Page, Request, expect
from serving import serving


@pytest.fixture
def page(opened: Opened) -> Iterator[Page]:
    yield opened.page
    opened.page.context.set_offline(False)
    opened.idle()
    # the browser itself writes failed requests to its console
    assert all("Failed to load resource" in each for each in opened.take_wrong())


def test_an_edit_outlives_its_connection(page: Page, opened: Opened) -> None:
    submitted: list[str] = []

    def hear(request: Request) -> None:
        if request.method == "POST" and request.url.endswith(("/edits", "/sweeps")):
            submitted.append(request.url.rsplit("/", 1)[-1])

    page.on("request", hear)
    opened.settings(full_steps="60")
    page.locator("#go").click()
    expect(page.locator("#status")).to_have_text("editing")
    page.context.set_offline(True)
    expect(page.locator("#lost")).to_contain_text("Connection lost, trying again")
    expect(page.locator("#status")).to_have_text("connection lost, trying again")
    page.locator("#prompt").fill("a typed prompt")
    page.locator("#lost").get_by_role("button", name="Try now").click()
    page.wait_for_timeout(1500)
    expect(page.locator("#lost")).to_be_visible()
    page.context.set_offline(False)
    expect(page.locator("#lost")).to_be_hidden()
    expect(page.locator(".cell[aria-checked=true]:not(.waiting)")).to_have_count(1)
    opened.idle()  # the filmstrip need not be waited for
    assert page.locator("#prompt").input_value() == "a typed prompt"
    assert submitted.count("edits") == 1
    page.remove_listener("request", hear)


def test_pauses_grow_and_end_with_the_job(page: Page) -> None:
    found = page.evaluate(
        """async () => {
            const { Job } = await import("./job.js");
            const pauses = [], said = [];
            const job = new Job("edits", null, {
                lost: (lost) => said.push(lost), done: () => said.push("done") });
            const { fetch, setTimeout } = window;
            window.setTimeout = (act, time) =>
                (time < 10_000 ? (pauses.push(time), setTimeout(act, 0)) : setTimeout(act, time));
            let tries = 0;
            window.fetch = async (address) => {
                if (String(address).endsWith("/edits")) return Response.json({ id: "x" });
                if ((tries += 1) < 14) throw new TypeError("network");
                const done = { index: 0, status: "done", image: "x" };
                if (String(address).endsWith("/x")) return Response.json(
                    { status: "done", results: [done] });
                if (String(address).endsWith("/events")) return new Response("");
                return new Response("picture");
            };
            await job.run();
            Object.assign(window, { fetch, setTimeout });
            return { pauses, said };
        }"""
    )
    assert found["pauses"] == [500, 1000, 2000, 4000, 8000, 8000]
    assert found["said"][0] is True
    assert found["said"][-2:] == ["done", False] or found["said"][-2:] == [False, "done"]


def test_a_stream_is_taken_up_behind_what_was_heard(page: Page) -> None:
    asked = page.evaluate(
        """async () => {
            const { Job } = await import("./job.js");
            const asked = [];
            const job = new Job("edits", null, {});
            const { fetch } = window;
            window.fetch = async (address, { headers }) => {
                if (String(address).endsWith("/edits")) return Response.json({ id: "x" });
                if (!String(address).endsWith("/events")) return Response.json(
                    { status: "running", results: [] });
                asked.push(headers.get("Last-Event-ID"));
                const name = asked.length === 1 ? "step" : "end";
                return new Response(`id: 7\\nevent: ${name}\\ndata: {"index": 0}\\n\\n`);
            };
            await job.run();
            window.fetch = fetch;
            return asked;
        }"""
    )
    assert asked == [None, "7"]


def test_a_server_that_was_started_anew_is_asked_again(browser: Browser) -> None:
    page = browser.new_page()
    with serving() as (address, server):
        opened = Opened(page, address)
        opened.begin()
        opened.settings(full_steps="300")
        page.locator("#prompt").fill("owl, flat")
        page.locator("#prompt").press("Enter")
        expect(page.locator("#status")).to_have_text("editing")
        server.kill()
        expect(page.locator("#lost")).to_be_visible()
    with serving(urlsplit(address).port or 0):
        alert = page.get_by_role("alert")
        expect(alert).to_contain_text("does not know this edit any more")
        expect(page.locator("#lost")).to_be_hidden()
        assert page.locator("#prompt").input_value() == "owl, flat"
        opened.settings(full_steps="2")
        alert.get_by_role("button", name="Run it again").click()
        expect(alert).to_be_hidden()
        opened.whole()
        expect(page.locator("#download")).to_have_attribute("aria-disabled", "false")
        page.close()
