"""Advice where people go wrong: short hints that never block and change nothing.

Pure functions from a request's words and numbers to sentences; interfaces decide where they show.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

NEARLY_IGNORED = 0.95
LOW = 0.3
SHORT_PROMPT = 2  # words; "cat, 3d" names a subject and a style and nothing else

NO_SOURCE = "no source: strength has no effect, this is text-to-image"
EMPTY_PROMPT = (
    "the prompt is empty: only your picture steers the result; "
    'name what it should show, as in "cat face, 3d"'
)
LOW_STRENGTH = (
    "low strength keeps structure; it cannot fix the prompt: name subject, material, light"
)
LOCAL_CHANGE = (
    "strength changes the whole picture; an exact local change needs a mask (inpainting), which "
    "is not in this version. Now: describe the whole picture as it should be, try strength 0.35 "
    "to 0.6, and take over only the changed part in an image editor"
)

# Words that carry no picture: not worth a line when a model does not know them.
_FILLERS = """a an and are as at be but by for from in into is it its more my no not of on one or
some than that the their them this to very with your please picture image"""
FILLERS = frozenset(_FILLERS.split())
_LOCAL = re.compile(
    r"(?:^|[,.;:]\s*|\band\s+|\bplease\s+)"
    r"(?:remove|delete|erase|get rid of|take away|add (?:a|an|the|some|one|two|more)|"
    r"replace .+ (?:with|by)|swap .+ (?:with|for)|(?:only change|change only|just change)|"
    r"keep everything else)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The words a model reads.

    words  all it knows, style words among them
    limit  it reads so many words of a prompt and no more; None if unknown
    """

    words: frozenset[str]
    limit: int | None = None


@cache
def vocabulary_of(folder: Path | None) -> Vocabulary | None:
    """The vocabulary of a checkpoint folder that knows whole words; None for any other model.

    Read from tokenizer.json as plain JSON; needs no tokenizer library.
    """
    file = folder / "tokenizer.json" if folder is not None else None
    if file is None or not file.is_file():
        return None
    try:
        config: dict[str, Any] = json.loads(file.read_text("utf-8"))
        if config["model"]["type"] != "WordLevel":
            return None
        limit: object = config["truncation"]["max_length"] if config.get("truncation") else None
        words = frozenset(word for word in config["model"]["vocab"] if not word.startswith("["))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None  # loading the model reports broken files; advice stays silent
    return Vocabulary(words, limit if isinstance(limit, int) else None)


def words_of(prompt: str) -> list[str]:
    """The words of a prompt in order, lower-cased: runs of Latin letters and digits."""
    return re.findall(r"[a-z0-9]+", prompt.lower())


def advise(
    prompt: str,
    *,
    strength: float | None,
    has_source: bool,
    model: str = "the model",
    vocabulary: Vocabulary | None = None,
    styled: bool = False,
) -> list[str]:
    """Everything worth saying before an edit, most important first.

    strength    as given by the user; None where none was given or a sweep shows them all
    has_source  False for text-to-image
    vocabulary  of the model; None where prompts are open or the model is not known yet
    styled      whether a style picture stands in for the prompt
    """
    said = [*_about_strength(prompt, strength, vocabulary)] if has_source else []
    if not has_source and strength is not None:
        said.append(NO_SOURCE)
    if not prompt.strip():
        return [*said, EMPTY_PROMPT] if strength != 0.0 and not styled else said
    if has_source and _LOCAL.search(prompt.strip()):
        said.append(LOCAL_CHANGE)
    if vocabulary is not None and (strength != 0.0 or not has_source):
        said += _about_words(prompt, model, vocabulary)
    return said


def _about_strength(
    prompt: str, strength: float | None, vocabulary: Vocabulary | None
) -> list[str]:
    """Hints about a strength that acts on a source."""
    if strength is None:
        return []
    if strength == 0.0:
        said = "strength 0 gives your picture back unchanged"
        return [f"{said}; the prompt has no effect, try 0.45"] if prompt.strip() else []
    if strength == 1.0:
        return ["the source is ignored, strength 1 is text-to-image; try 0.75"]
    if strength >= NEARLY_IGNORED:
        return ["the source is nearly ignored; try 0.75"]
    if strength < LOW and _says_little(prompt, vocabulary):
        return [LOW_STRENGTH]
    return []


def _says_little(prompt: str, vocabulary: Vocabulary | None) -> bool:
    """Whether a prompt is short, or mostly of words the model does not know."""
    words = [word for word in words_of(prompt) if word not in FILLERS]
    if not prompt.strip():
        return False  # the empty prompt has its own line
    if len(words) <= SHORT_PROMPT:
        return True
    return vocabulary is not None and 2 * len(_unknown(words, vocabulary)) > len(words)


def _unknown(words: list[str], vocabulary: Vocabulary) -> list[str]:
    """Words outside a vocabulary, once each, in order."""
    known = vocabulary.words | FILLERS
    return list(dict.fromkeys(word for word in words if word not in known))


def _about_words(prompt: str, model: str, vocabulary: Vocabulary) -> list[str]:
    """Words the model does not know, with the nearest it knows, and words it never reaches."""
    words = words_of(prompt)
    if not words:
        return [f"{model} reads English words only and finds none in this prompt"]
    said: list[str] = []
    read = words[: vocabulary.limit]
    unknown = _unknown(read, vocabulary)
    if unknown:
        named = ", ".join(_with_nearest(word, vocabulary) for word in unknown)
        said.append(f"{model} does not know {named}")
    if len(words) > len(read):
        rest = " ".join(words[len(read) :][:6])
        said.append(f"{model} reads the first {len(read)} words; not read: {rest}")
    return said


def _with_nearest(word: str, vocabulary: Vocabulary) -> str:
    """As in `"kittne" (nearest: kitten)`; the word alone where nothing is near."""
    near = get_close_matches(word, sorted(vocabulary.words), n=2, cutoff=0.75)
    return f'"{word}" (nearest: {", ".join(near)})' if near else f'"{word}"'
