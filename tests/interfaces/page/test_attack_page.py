"""A web page from elsewhere, in a real browser, cannot drive the server or read from it."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from opened import PATIENCE
from playwright.sync_api import Browser, Page

ATTACKS = {
    "a form sent as text": """async address => fetch(address + "/v1/edits?wait=1", {
        method: "POST", mode: "no-cors", headers: { "Content-Type": "text/plain" },
        body: JSON.stringify({ prompt: "owl, 3d" }) })""",
    "a form with parts": """async address => {
        const form = new FormData();
        form.append("prompt", "owl, 3d");
        await fetch(address + "/v1/edits?wait=1", { method: "POST", mode: "no-cors", body: form });
    }""",
    "JSON, which asks first": """async address => fetch(address + "/sdapi/v1/txt2img", {
        method: "POST", headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ prompt: "owl, 3d" }) })""",
    "OpenAI's API with a made-up key": """async address =>
        fetch(address + "/v1/images/generations", {
            method: "POST",
            headers: { Authorization: "Bearer x", "Content-Type": "application/json" },
            body: JSON.stringify({ prompt: "owl, 3d" }) })""",
    "a beacon": """async address => navigator.sendBeacon(
        address + "/v1/edits", new Blob(['{"prompt": "owl, 3d"}'], { type: "text/plain" }))""",
    "an interruption": """async address => fetch(address + "/sdapi/v1/interrupt", {
        method: "POST", mode: "no-cors" })""",
}
READS = ("/v1/models", "/sdapi/v1/options", "/metrics", "/openapi.json", "/")


class Elsewhere(BaseHTTPRequestHandler):
    """An empty page of another origin."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>elsewhere</title>")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  its name there
        """Nothing."""


@pytest.fixture
def attacker(browser: Browser) -> Iterator[Page]:
    """A page of another port of the same machine: another origin."""
    server = HTTPServer(("127.0.0.1", 0), Elsewhere)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(f"http://127.0.0.1:{server.server_port}/")
    yield page
    context.close()
    server.shutdown()
    server.server_close()


def begun(browser: Browser, address: str) -> float:
    """Jobs the server has ended, keeps or runs, and evaluations it made."""
    context = browser.new_context()
    text = context.request.get(address.rstrip("/") + "/metrics").text()
    context.close()
    names = ("jobs_finished_total", "jobs_kept", "queue_depth", "running", "evaluations_total")
    found = [re.search(rf"^partway_{name} (\S+)$", text, re.MULTILINE) for name in names]
    return sum(float(each[1]) for each in found if each is not None)


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_another_page_makes_nothing_happen(
    attack: str, attacker: Page, browser: Browser, address: str
) -> None:
    before = begun(browser, address)
    attacker.evaluate(
        f"async address => {{ try {{ await ({attack})(address) }} catch {{}} }}",
        address.rstrip("/"),
    )
    attacker.wait_for_timeout(300)
    assert begun(browser, address) == before


def test_the_counter_sees_a_job(browser: Browser, address: str) -> None:
    before = begun(browser, address)
    context = browser.new_context()
    answer = context.request.post(
        address.rstrip("/") + "/v1/edits?wait=1", data={"prompt": "owl, 3d"}
    )
    said = answer.text()
    context.close()
    assert answer.status == 200, said
    assert begun(browser, address) > before


@pytest.mark.parametrize("path", READS)
def test_another_page_reads_nothing(path: str, attacker: Page, address: str) -> None:
    read = """async url => {
        try { return (await (await fetch(url)).text()).length } catch { return "refused" }
    }"""
    assert attacker.evaluate(read, address.rstrip("/") + path) == "refused"


def test_another_page_frames_nothing(attacker: Page, address: str) -> None:
    attacker.evaluate(
        """address => new Promise(done => {
            const frame = document.createElement("iframe");
            frame.onload = frame.onerror = done;
            frame.src = address;
            document.body.append(frame);
        })""",
        address,
    )
    inside = attacker.frames[-1]
    assert inside.locator("#prompt").count() == 0


def test_a_link_from_elsewhere_opens_the_page(attacker: Page, address: str) -> None:
    attacker.evaluate(
        """address => {
            const link = document.createElement("a");
            link.href = address;
            link.textContent = "Partway";
            document.body.append(link);
        }""",
        address,
    )
    attacker.get_by_text("Partway").click()
    attacker.locator("#prompt").wait_for()
