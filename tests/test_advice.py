"""Advice: who gets which hint, and who gets none."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from partway import advice
from partway.advice import Vocabulary, advise, vocabulary_of
from partway.families import EMBEDDED

WORDS = Vocabulary(
    frozenset(re.split(" ", "cat face owl red fox kitten flat 3d light wood")), limit=6
)


@pytest.mark.parametrize(
    ("prompt", "strength", "has_source", "expected"),
    [
        ("cat face, 3d", 0.45, True, []),
        ("cat face, 3d", None, True, []),
        ("cat face, 3d", 0.95, True, ["the source is nearly ignored; try 0.75"]),
        ("cat face, 3d", 0.94, True, []),
        ("cat face, 3d", 1.0, True, ["the source is ignored, strength 1 is text-to-image"]),
        ("cat face, 3d", 0.0, True, ["strength 0 gives your picture back"]),
        ("", 0.0, True, []),
        ("", 0.5, True, ["the prompt is empty"]),
        ("  ", None, False, ["the prompt is empty"]),
        ("red cat", 0.29, True, ["low strength keeps structure"]),
        ("red cat", 0.3, True, []),
        ("red cat, flat wood light", 0.2, True, []),
        ("zxq wvu cat yyy", 0.2, True, ["low strength keeps", 'does not know "zxq"']),
        ("owl, 3d", 0.3, False, ["no source: strength has no effect"]),
        ("owl, 3d", None, False, []),
        ("a cat with the owl", 0.5, True, []),
        ("kittne, 3d", 0.5, True, ['does not know "kittne" (nearest: kitten']),
        ("cat face owl red fox kitten flat", 0.5, True, ["the first 6 words; not read: flat"]),
        ("猫", 0.5, True, ["English words only"]),
        ("remove the cat", 0.5, True, ["needs a mask"]),
        ("please add a red cat", 0.5, True, ["needs a mask"]),
        ("change only the face", 0.5, True, ["needs a mask"]),
        ("replace the cat with owl", 0.5, True, ["needs a mask"]),
        ("cat, add a face", 0.5, True, ["needs a mask"]),
        ("remove the cat", None, False, []),
    ],
)
def test_hints(
    *, prompt: str, strength: float | None, has_source: bool, expected: list[str]
) -> None:
    vocabulary = Vocabulary(WORDS.words | {"remove", "change", "replace", "add", "only"}, 6)
    said = advise(prompt, strength=strength, has_source=has_source, vocabulary=vocabulary)
    assert len(said) == len(expected), said
    for part in expected:
        assert any(part in line for line in said), (part, said)


def test_without_a_vocabulary_no_word_is_unknown() -> None:
    assert advise("zxq wvu cat yyy", strength=0.5, has_source=True) == []


def test_the_embedded_model_knows_its_words() -> None:
    words = vocabulary_of(EMBEDDED["pocket"])
    assert words is not None
    assert {"cat", "3d", "silhouette"} <= words.words
    assert "[PAD]" not in words.words
    assert words.limit == 24


@pytest.mark.parametrize(
    "content",
    [
        None,
        "no json",
        "[]",
        "{}",
        json.dumps({"model": {"type": "BPE", "vocab": {"cat": 1}}}),
        json.dumps({"model": {"type": "WordLevel"}}),
    ],
)
def test_other_vocabularies_are_open(content: str | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "tokenizer.json").write_text(content)
    assert vocabulary_of(tmp_path) is None


def test_no_folder_no_vocabulary() -> None:
    assert vocabulary_of(None) is None


def test_nothing_is_said_twice() -> None:
    said = advise("zxq zxq cat", strength=0.5, has_source=True, vocabulary=WORDS)
    assert said == ['the model does not know "zxq"']
    assert advice.words_of("Cat-face, 3D!") == ["cat", "face", "3d"]
