"""The command line's parts on their own: prompts, names of files, a name taken meanwhile."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from partway.errors import OutputExists
from partway.images import encode
from partway.interfaces.cli.inputs import read_prompt, slug
from partway.interfaces.cli.options import consecutive
from partway.interfaces.cli.outputs import Target, free

if TYPE_CHECKING:
    from .conftest import Run


def test_a_prompt_file_may_start_with_a_byte_order_mark() -> None:
    Path("words.txt").write_bytes(b"\xef\xbb\xbfred owl\r\n")
    assert read_prompt("@words.txt") == "red owl"


@pytest.mark.parametrize(
    ("prompt", "stem"), [("owl, 3d", "owl-3d"), ("", "partway"), ("../../x", "x"), ("猫", "猫")]
)
def test_a_prompt_becomes_a_harmless_name(prompt: str, stem: str) -> None:
    assert slug(prompt) == stem


def test_seeds_follow_each_other_and_none_comes_twice() -> None:
    assert consecutive((5, 6), 3) == [5, 6, 7, 8]


def test_free_names_pass_by_what_is_taken() -> None:
    Path("a.png").touch()
    assert free(Path("a.png"), [Path("a-2.png")]) == Path("a-3.png")
    assert free(Path("b.png"), []) == Path("b.png")


def test_a_name_taken_while_computing_is_never_overwritten() -> None:
    path, image = Path("a.png"), Image.new("RGB", (2, 2))
    path.write_text("someone else's")

    def encoded(format_name: str, folder: Path | None) -> bytes:
        del folder
        return encode(image, format_name)

    assert Target(path, numbered=True).write(encoded) == Path("a-2.png")
    with pytest.raises(OutputExists):
        Target(path).write(encoded)
    assert path.read_text() == "someone else's"
    Target(path, overwrite=True).write(encoded)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_strength_0_takes_photographs_too(run: Run) -> None:
    noise = Image.effect_noise((90, 60), 80).convert("RGB")
    noise.save("room.png")
    assert run("room.png", "cat", "-s", "0.5", "--dry-run").exit_code == 2
    assert run("room.png", "cat", "-s", "0").exit_code == 0
    assert (run.pixels("room-s0.png") == run.pixels("room.png")).all()
