"""docs/metadata.md: its commands are the README's, which are run; its numbers are the program's."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from partway.metadata import comfyui, others, provenance, recipe, untrusted, xmp
from partway.metadata.reading import MAX_TEXT
from partway.metadata.refine import DEFAULT_STRENGTH

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "metadata.md").read_text("utf-8")


def commands(text: str) -> set[tuple[str, ...]]:
    lines = "".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL)).splitlines()
    return {tuple(shlex.split(line, comments=True)) for line in lines if line.strip()}


def test_its_commands_are_run() -> None:
    assert commands(PAGE)
    assert commands(PAGE) <= commands((ROOT / "README.md").read_text("utf-8"))


def test_limits() -> None:
    limits = (
        f"{MAX_TEXT // 2**20} MiB of text",
        f"{untrusted.MAX_JSON // 2**20} MiB of JSON",
        f"{xmp.MAX_PACKET // 2**20} MiB of XMP",
        f"{comfyui.MAX_NODES:,} nodes",
        f"{recipe.MAX_VALUES} values",
    )
    for words in limits:
        assert words in PAGE


def test_names() -> None:
    for term in (provenance.COMPOSITE, provenance.TRAINED, provenance.SYNTHETIC):
        assert f"`{term}`" in PAGE
    assert f"strength {DEFAULT_STRENGTH}" in PAGE
    tools = re.findall(r'make\(\s*"(\w+)"', Path(others.__file__).read_text("utf-8"))
    for tool in tools:
        assert tool in PAGE
