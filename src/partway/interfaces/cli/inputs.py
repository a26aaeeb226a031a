"""What a command works on: sources, prompts and the model, from words on the command line."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from partway import images
from partway.choosing import choose_model
from partway.errors import InvalidRequest, UnreadableImage
from partway.geometry import Extent
from partway.interfaces.cli import COMMANDS
from partway.request import MAX_PROMPT
from partway.result import Names
from partway.settings import calibration_for, load_settings
from partway.strength import named_strength
from partway.styles import STYLES, style_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from partway.families import Profile

STDIN = "-"
ALPHA = "alpha"  # in place of a mask's file: the source's own transparency


@dataclass(frozen=True, eq=False)
class Source:
    """A picture to edit.

    name     as the person wrote it
    stem     what names of results start with
    folder   where results go that name none
    extent   width and height
    profile  the model it runs on; None where none is needed
    """

    name: str
    data: bytes
    stem: str
    folder: Path
    extent: Extent
    profile: Profile | None


def split_arguments(
    words: Sequence[str], prompt: str | None, *, several: bool = True
) -> tuple[list[str], str]:
    """Sources and prompt from positional words and -p: SOURCE PROMPT, or SOURCE … with -p."""
    sources, text = list(words), prompt
    _check_first_word(sources)
    if text is None and len(sources) == 1 and not _may_be_source(sources[0]):
        raise InvalidRequest(
            f"{sources[0]!r} is no file. An edit is: partway SOURCE PROMPT; "
            f'a picture from words alone: partway -p "{sources[0]}"'
        )
    if text is None and len(sources) > 1:
        text = sources.pop()
    if not several and len(sources) != 1:
        raise InvalidRequest(f"this takes one SOURCE and a PROMPT, got {len(sources)} sources")
    if prompt is None and len(sources) > 1:
        if not _may_be_source(sources[1]):  # quotes forgotten round the prompt
            meant = " ".join([*sources[1:], text or ""])
            raise InvalidRequest(
                f"{sources[1]!r} is no file; a prompt of several words needs quotes: "
                f'partway {sources[0]} "{meant}"'
            )
        raise InvalidRequest(
            f'several sources need the prompt as an option: partway {" ".join(sources)} -p "{text}"'
        )
    if not sources and text is None:
        raise InvalidRequest('nothing to do: want SOURCE PROMPT, or -p "owl, 3d" with no source')
    if sources.count(STDIN) + (text == STDIN) > 1:
        raise InvalidRequest("stdin can be read once: give one - only")
    return sources, read_prompt(text or "")


def _check_first_word(words: Sequence[str]) -> None:
    """InvalidRequest for a first word that is nearly a command and no file."""
    if words and not _may_be_source(words[0]):
        near = get_close_matches(words[0], COMMANDS, n=1, cutoff=0.75)
        if near:
            raise InvalidRequest(f"{words[0]!r} is no file: did you mean `partway {near[0]}`?")


def _may_be_source(word: str) -> bool:
    """Whether a lone word is meant as a file: it exists, or looks like a picture's name."""
    return word == STDIN or Path(word).suffix.lower() in images.SUFFIXES or _exists(word)


def _exists(word: str) -> bool:
    try:
        return Path(word).exists()
    except (OSError, ValueError):  # a long prompt is no valid file name
        return False


def read_prompt(text: str) -> str:
    """The prompt itself, or from @FILE, or from stdin for "-"; trailing line breaks are cut."""
    if text == STDIN:
        data = sys.stdin.buffer.read(4 * MAX_PROMPT + 1)
    elif text.startswith("@"):
        try:
            data = Path(text[1:]).read_bytes()
        except (OSError, ValueError) as error:
            raise InvalidRequest(f"the prompt file {text[1:]!r} cannot be read: {error}") from error
    else:
        return text
    try:
        return data.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise InvalidRequest("the prompt is not UTF-8 text") from error


def configured_model(asked: str | None, *, styled: bool = False) -> str | None:
    """The model a command names, else the one of the user's settings; style pictures bring theirs.

    styled  whether the command names a style
    """
    return load_settings().model if asked is None and not styled else asked


def strength_of(asked: float | str | None, dial: str, profile: Profile | None) -> float | None:
    """The strength on a dial: a number as it is, a word as the model's calibration has it."""
    if not isinstance(asked, str):
        return asked
    gain, curve = (1.0, None) if profile is None else calibration_for(profile)
    return named_strength(asked, dial, gain, curve)


def called(name: str) -> str:
    """What a file goes by in messages and in names of results."""
    return "stdin" if name == STDIN else name


def names_of(
    source: str | None,
    styles: Sequence[str | None] = (),
    parent: str | None = None,
    mask: str | None = None,
    strength_map: str | None = None,
) -> Names:
    """File names for a result's record; stdin has none, and the word for an alpha mask is none."""
    named = None if mask == ALPHA else mask
    return Names(None if source == STDIN else source, tuple(styles), parent, named, strength_map)


def read_masks(mask: str | None, strength_map: str | None) -> dict[str, Any]:
    """The fields of a request for what --mask and --map name."""
    fields: dict[str, Any] = {"alpha_mask": mask == ALPHA}
    if mask is not None and mask != ALPHA:
        fields["mask"] = images.read_bytes(mask)
    if strength_map is not None:
        fields["strength_map"] = images.read_bytes(strength_map)
    return fields


def wants_metadata(*, no_metadata: bool) -> bool:
    """Whether results say how they were made: unless the command or the settings forbid it."""
    return not no_metadata and load_settings().metadata


def read_styles(names: Sequence[str]) -> tuple[bytes, ...]:
    """The style pictures a command names: of the bank by name, any other from its file."""
    return tuple(_style(name) for name in names)


def _style(name: str) -> bytes:
    """A name of the bank, else a file; a word that is neither is answered with the bank."""
    if name in STYLES or not (_exists(name) or Path(name).suffix):
        return style_file(name).read_bytes()
    return images.read_bytes(name)


def read_source(
    name: str, model: str | None, strength: float | None, *, styled: bool = False
) -> Source:
    """Read and decode a source and choose its model; a strength of exactly 0 needs none."""
    data = read_file(name)
    picture = images.load(data, called(name))
    profile = None
    if strength != 0.0:
        profile = choose_model(model, picture, called(name), with_references=styled)
    path = Path(called(name))
    return Source(name, data, path.stem, path.parent, picture.extent, profile)


def read_file(name: str) -> bytes:
    """Bytes of a file or of stdin."""
    if name == STDIN:
        return sys.stdin.buffer.read(images.MAX_BYTES + 1)
    try:
        return images.read_bytes(name)
    except UnreadableImage as error:
        near = [] if _exists(name) else get_close_matches(name, _beside(name), n=1)
        if near:
            raise UnreadableImage(f"{error}; did you mean {near[0]}?") from error
        raise


def _beside(name: str) -> list[str]:
    """The files of the folder that a name points into."""
    try:
        return [str(path) for path in Path(name).parent.iterdir()]
    except (OSError, ValueError):
        return []


def slug(prompt: str) -> str:
    """A file's stem from a prompt: "owl, 3d" → "owl-3d"."""
    words = re.findall(r"\w+", prompt.lower())
    return "-".join(words)[:60].rstrip("-") or "partway"
