"""What a person does on the page, on pocket."""

from __future__ import annotations

import io
import json
import re
import shlex
from math import floor
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from opened import Opened
from PIL import Image, PngImagePlugin
from playwright.sync_api import BrowserContext, Page, Route, ViewportSize, expect

from partway import edit
from partway.examples import EXAMPLES
from partway.families import profile_of
from partway.interfaces.cli import cli
from partway.request import DEFAULT_SAMPLER
from partway.strength import WORDS, named_strength

HOSTILE = "<img src=x onerror=alert(1)>"


def pixels(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def code_of(page: Page, kind: str) -> str:
    return page.locator(f'pre[aria-label="{kind}"]').text_content() or ""


@pytest.fixture(scope="module")
def shared(context: BrowserContext, address: str) -> Opened:
    """The same with its example drawn."""
    opened = Opened(context.new_page(), address)
    opened.open()
    return opened


def test_opens_with_an_example_and_its_filmstrip(shared: Opened) -> None:
    page = shared.page
    assert page.locator("#prompt").input_value() == EXAMPLES[0].prompt
    assert page.locator(".cell").count() == 7
    assert re.fullmatch(r"kept \d+ %", page.locator(".cell .kept").nth(3).text_content() or "")
    for selector in (".cell img", "#after"):
        sizes = page.locator(selector).evaluate_all("all => all.map(each => each.naturalWidth)")
        assert min(sizes) >= 128
    assert page.locator("#band").text_content() == "restyle"
    assert page.locator("#set-sampler").input_value() == DEFAULT_SAMPLER
    assert page.locator("#history-list li").count() == 0  # nobody asked for anything yet
    assert shared.take_wrong() == []
    assert shared.foreign == []


def test_from_drop_to_download(opened: Opened, icon_png: bytes, tmp_path: Path) -> None:
    page = opened.page
    opened.drop("my icon.png", icon_png)
    expect(page.locator("#source-name")).to_have_text("my icon.png")
    expect(page.locator("#source-facts")).to_contain_text("96 × 64")
    opened.settings(full_steps="4")
    page.locator("#prompt").fill("teap")
    page.get_by_role("option", name="teapot", exact=True).click()
    expect(page.locator("#prompt")).to_have_value("teapot")
    page.get_by_role("button", name="3d", exact=True).click()
    expect(page.locator("#prompt")).to_have_value("teapot, 3d")
    page.locator("#prompt").press("Enter")
    opened.whole()

    page.locator(".cell").first.click()
    expect(page.locator("#number")).to_have_value("0")
    name, data = opened.download()
    assert name == "my icon-s0.png"
    assert np.array_equal(pixels(data), pixels(icon_png))

    opened.strength("45%")
    expect(page.locator("#download")).to_have_attribute("aria-disabled", "false")
    name, data = opened.download()
    assert name == "my icon-s0.45.png"
    assert pixels(data).shape == (64, 96, 3)
    assert not np.array_equal(pixels(data), pixels(icon_png))

    # the command on the page makes the same file
    (tmp_path / "my icon.png").write_bytes(icon_png)
    words = shlex.split(code_of(page, "Command line"))
    assert words[0] == "partway"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        ran = CliRunner().invoke(cli, [*words[1:], "-o", "again.png"])
        assert ran.exit_code == 0, ran.output
        exec(code_of(page, "Python"), {})  # noqa: S102  what the page says to run
    assert np.array_equal(pixels((tmp_path / "again.png").read_bytes()), pixels(data))
    assert np.array_equal(pixels((tmp_path / "result.png").read_bytes()), pixels(data))


def test_settings_put_back_are_the_ones_of_the_filmstrip(opened: Opened) -> None:
    page = opened.page
    prompt = page.locator("#prompt").input_value()
    stale, inviting = page.locator(".strip.stale"), page.locator("#go.inviting")
    for words, count in (("something else", 1), (prompt, 0)):
        page.locator("#prompt").fill(words)
        expect(stale).to_have_count(count)
        expect(inviting).to_have_count(count)
        disabled = str(bool(count)).lower()
        expect(page.locator("#download")).to_have_attribute("aria-disabled", disabled)


def test_cancel_stops_the_job_on_the_server(opened: Opened) -> None:
    page = opened.page
    opened.settings(full_steps="400")
    with page.expect_response("**/v1/edits") as started:
        page.locator("#go").click()
    job = started.value.json()["url"]
    with page.expect_response(lambda answer: answer.request.method == "DELETE") as deleted:
        page.get_by_role("button", name="Cancel").click()
    assert deleted.value.ok
    expect(page.locator("#status")).to_have_text("cancelled")
    expect(page.locator("#bar")).to_be_hidden()
    expect(page.locator("#cancel")).to_be_hidden()
    status = ""
    for _ in range(100):
        status = page.request.get(opened.address + job).json()["status"]
        if status not in {"queued", "running"}:
            break
        page.wait_for_timeout(100)
    assert status == "cancelled"
    opened.settings(full_steps="4")


def test_errors_are_shown_in_words(opened: Opened, icon_png: bytes) -> None:
    page = opened.page
    error = page.get_by_role("alert")
    before = page.locator("#source-name").text_content()
    opened.drop("broken.png", b"no picture")
    expect(error).to_contain_text("no picture that can be read")
    assert page.locator("#source-name").text_content() == before  # what there was is not lost
    error.get_by_role("button", name="Dismiss").click()
    expect(error).to_be_hidden()

    page.route("**/v1/edits", lambda route: route.abort())
    page.locator("#go").click()
    expect(error).to_contain_text("the server does not answer")
    page.unroute("**/v1/edits")
    opened.idle()
    # the browser itself writes failed requests to its console
    assert all("Failed to load resource" in each for each in opened.take_wrong())
    opened.strength("1.5")
    expect(page.locator("#number")).to_have_attribute("aria-invalid", "true")
    opened.strength("0.5")


def test_a_result_dropped_restores_its_settings(opened: Opened, icon_png: bytes) -> None:
    page = opened.page
    result = edit(
        icon_png, "owl, flat", strength=0.235, seed=77, full_steps=3, negative_prompt="blur"
    )
    data, _ = result.encode("PNG")
    opened.drop("made.png", data)
    notice = page.locator("#made")
    expect(notice).to_contain_text("made.png says how it was made with Partway")
    notice.get_by_role("button", name="restore its settings").click()
    expect(notice).to_be_hidden()
    for field, value in (
        ("#prompt", "owl, flat"),
        ("#negative_prompt", "blur"),
        ("#seed", "77"),
        ("#number", "0.235"),
        ("#set-full_steps", "3"),
    ):
        expect(page.locator(field)).to_have_value(value)


def test_what_others_wrote_is_text(opened: Opened, icon: Image.Image) -> None:
    page = opened.page
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text("parameters", f"{HOSTILE}\nSteps: 4, Seed: {HOSTILE}")
    stream = io.BytesIO()
    icon.save(stream, "PNG", pnginfo=chunks)
    opened.drop(f"{HOSTILE}.png", stream.getvalue())
    expect(page.locator("#source-name")).to_have_text(f"{HOSTILE}.png")
    opened.settings(full_steps="2")
    page.locator("#prompt").fill(HOSTILE)
    page.locator("#prompt").press("Enter")
    opened.whole()
    expect(page.locator("#history-list .history-title").first).to_have_text(HOSTILE)
    assert HOSTILE in code_of(page, "Command line")
    assert page.locator("[onerror]").count() == 0
    assert page.locator("img[src=x]").count() == 0
    name, _ = opened.download()
    assert not set(name) & set('<>/\\:"|?*')


def test_the_dial_by_keys(opened: Opened) -> None:
    page = opened.page
    opened.strength("0.5")
    page.keyboard.press("d")
    dial = page.get_by_role("slider", name="Strength")
    expect(dial).to_be_focused()
    number = page.locator("#number")
    for key, reads in (
        ("ArrowRight", "0.51"),
        ("Shift+ArrowUp", "0.511"),
        ("PageDown", "0.411"),
        ("ArrowLeft", "0.401"),
        ("Home", "0"),
        ("End", "1"),
    ):
        page.keyboard.press(key)
        expect(number).to_have_value(reads)
    expect(page.locator("#facts")).to_contain_text("100 %")
    said = re.compile(r"^1, text-to-image: the source is ignored, 100 % noise")
    expect(dial).to_have_attribute("aria-valuetext", said)
    view = page.locator("#frame")
    page.keyboard.press("b")
    expect(view).to_have_attribute("data-view", "source")
    page.keyboard.press("b")
    expect(view).to_have_attribute("data-view", "result")
    page.keyboard.press("c")
    expect(view).to_have_attribute("data-view", "compare")
    split = page.get_by_role("slider", name="Compare")
    split.focus()
    page.keyboard.press("Home")
    expect(split).to_have_attribute("aria-valuetext", "0 % source")
    page.keyboard.press("c")


def test_strengths_have_names_where_they_were_measured(opened: Opened) -> None:
    page = opened.page
    words = page.get_by_role("group", name="Named strengths")
    expect(words).to_contain_text("measured on pocket")
    profile = profile_of("pocket")
    for word in WORDS:
        words.get_by_role("button", name=word).click()
        meant = named_strength(word, gain=profile.gain, curve=profile.curve)
        expect(page.locator("#number")).to_have_value(f"{floor(1000 * meant + 0.5) / 1000:g}")
        expect(words.get_by_role("button", pressed=True)).to_have_text(word)
    opened.strength("0.5")
    expect(words.get_by_role("button", pressed=True)).to_have_count(0)
    page.locator(".ways label").filter(has_text="Style").click()
    expect(words).to_be_hidden()  # exemplar has no calibration
    page.locator(".ways label").filter(has_text="Words").click()


def test_the_filmstrip_by_keys(opened: Opened) -> None:
    page = opened.page
    opened.strength("0.5")
    page.locator(".cell[aria-checked=true]").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#number")).to_have_value("0.65")
    expect(page.locator(".cell:focus")).to_have_attribute("aria-checked", "true")
    opened.strength("0.5")


def test_the_seed_is_kept_or_thrown(opened: Opened) -> None:
    page = opened.page
    page.locator("#seed").fill("7")
    page.locator("#seed").press("Tab")
    page.locator("#go").click()
    opened.idle()
    assert page.locator("#seed").input_value() == "7"
    page.get_by_role("button", name="Keep this seed").click()
    page.locator("#go").click()
    opened.idle()
    assert page.locator("#seed").input_value() != "7"
    page.get_by_role("button", name="Keep this seed").click()


def test_a_phone_has_nothing_beside_its_screen(opened: Opened) -> None:
    page = opened.page
    try:
        for width in (390, 320):
            page.set_viewport_size(ViewportSize(width=width, height=844))
            for way in ("Style picture", "Words"):
                page.locator(".ways label").filter(has_text=way.split()[0]).click()
                room = page.evaluate("document.documentElement.scrollWidth")
                assert room <= width, f"{way} at {width}"
            for control in ("#go", "#dial", "#prompt"):
                box = page.locator(control).bounding_box()
                assert box is not None
                assert box["height"] >= 44, control
    finally:
        page.set_viewport_size(ViewportSize(width=1280, height=800))


def test_a_photograph_is_offered_styles(opened: Opened) -> None:
    page = opened.page
    page.get_by_role("button", name="Example: cat").click()
    expect(page.locator("#notice")).to_contain_text("looks like a photograph")
    expect(page.get_by_role("radio", name="watercolour")).to_be_checked()
    expect(page.locator("#model")).to_have_text("exemplar")
    opened.idle()
    page.locator("#model").click()
    card = page.locator(".card").filter(has_text="pocket").filter(has_text="icons, stickers")
    expect(card.locator(".objection")).to_contain_text("looks like a photograph")
    card.click()
    expect(page.locator("#models")).to_be_hidden()
    expect(page.locator("#prompt")).to_be_visible()


def test_history_outlives_the_page(context: BrowserContext, opened: Opened) -> None:
    page = opened.page
    page.locator("#examples button").nth(1).click()
    expect(page.locator("#source-name")).to_have_text("fox.png")
    expect(page.locator("#cancel")).to_be_visible()
    opened.idle()
    opened.settings(full_steps="2")
    page.locator("#prompt").fill("owl, flat")
    opened.strength("0.35")
    page.locator("#prompt").press("Enter")
    opened.whole()
    card = page.locator("#history-list li").first
    expect(card.locator(".history-title")).to_have_text("owl, flat")
    page.reload()
    card = page.locator("#history-list li").first
    card.get_by_role("button", name="Restore settings").click()
    expect(page.locator("#prompt")).to_have_value("owl, flat")
    expect(page.locator("#number")).to_have_value("0.35")
    expect(page.locator("#set-full_steps")).to_have_value("2")
    expect(page.locator(".cell.waiting")).to_have_count(0)
    card.get_by_role("button", name="Use as source").click()
    expect(page.locator("#source-name")).to_have_text("fox-s0.35.png")
    expect(page.locator("#prompt")).to_have_value("owl, flat")
    before = page.locator("#history-list li").count()
    card.get_by_role("button", name="Forget").click()
    expect(page.locator("#history-list li")).to_have_count(before - 1)


def test_a_key_is_asked_for_once(context: BrowserContext, address: str) -> None:
    page = context.new_page()
    keys: list[str] = []

    def guarded(route: Route) -> None:
        key = route.request.headers.get("authorization", "")
        if key == "Bearer open sesame":
            keys.append(key)
            route.continue_()
        else:
            error = {"error": {"code": "unauthorized", "message": "no key"}}
            route.fulfill(status=401, body=json.dumps(error))

    page.route("**/v1/**", guarded)
    page.goto(address)
    page.locator("#key").fill("open sesame")
    page.get_by_role("button", name="Continue").click()
    page.locator(".cell").first.wait_for()
    assert keys
    page.close()
