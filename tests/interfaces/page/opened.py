"""An open page, as its tests use it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Page, expect

PATIENCE = 60_000  # milliseconds: the machine may be busy


@dataclass
class Opened:
    """A page, and what was heard from it since it was opened."""

    page: Page
    address: str
    wrong: list[str] = field(default_factory=list[str])
    foreign: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        self.page.set_default_timeout(PATIENCE)
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("dialog", lambda dialog: self.wrong.append(f"dialog {dialog.message}"))
        self.page.on("console", lambda each: self._hear(each.type, each.text))
        self.page.on("request", lambda request: self._see(request.url))

    def _hear(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"}:
            self.wrong.append(text)

    def _see(self, url: str) -> None:
        if not url.startswith((self.address, "data:", "blob:")):
            self.foreign.append(url)

    def take_wrong(self) -> list[str]:
        """What went wrong so far; it is not held against the page any more."""
        wrong, self.wrong = self.wrong, []
        return wrong

    def begin(self) -> None:
        """Load the page, and do not wait for its example."""
        self.page.goto(self.address)
        expect(self.page.locator("#cancel")).to_be_visible()
        self.idle()

    def open(self) -> None:
        """Load the page, and wait for the example's filmstrip."""
        self.page.goto(self.address)
        self.whole()

    def whole(self) -> None:
        """Wait until every frame of the filmstrip has its picture and nothing runs."""
        self.page.locator(".cell").first.wait_for()
        expect(self.page.locator(".cell.waiting")).to_have_count(0, timeout=PATIENCE)
        expect(self.page.locator("#cancel")).to_be_hidden(timeout=PATIENCE)

    def idle(self) -> None:
        """End what runs."""
        if self.page.locator("#cancel").is_visible():
            self.page.keyboard.press("Escape")
        expect(self.page.locator("#cancel")).to_be_hidden(timeout=PATIENCE)

    def drop(self, name: str, data: bytes, kind: str = "image/png") -> None:
        """Drop a file on the page and wait until it is the source."""
        self.page.evaluate(
            """([name, bytes, type]) => {
                const dataTransfer = new DataTransfer();
                dataTransfer.items.add(new File([new Uint8Array(bytes)], name, { type }));
                for (const event of ["dragenter", "dragover", "drop"])
                    document.body.dispatchEvent(new DragEvent(
                        event, { dataTransfer, bubbles: true, cancelable: true }));
            }""",
            [name, list(data), kind],
        )

    def strength(self, text: str) -> None:
        """Type a strength."""
        self.page.locator("#number").fill(text)
        self.page.locator("#number").press("Enter")

    def settings(self, **values: str) -> None:
        """Fill in fields of the folded form; "" is the model's own value."""
        fold = self.page.locator("#settings")
        if fold.get_attribute("open") is None:
            fold.locator("summary").click()
        for name, value in values.items():
            self.page.locator(f"#set-{name}").fill(value)
            self.page.locator(f"#set-{name}").press("Tab")

    def download(self) -> tuple[str, bytes]:
        """The name and bytes of what Download gives."""
        with self.page.expect_download() as waiting:
            self.page.locator("#download").click()
        return waiting.value.suggested_filename, Path(waiting.value.path()).read_bytes()
