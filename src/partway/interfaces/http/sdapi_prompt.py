"""A1111's prompt syntax as plain words, and what was lost on the way.

Its web UI weighs words, `(word:1.2)`, `((word))`, `[word]`, loads networks, `<lora:name:0.8>`, and
changes words on the way, `[cat:dog:0.5]`. Partway's prompts are plain words: the words are kept,
the rest is told of.
"""

from __future__ import annotations

import re

WEIGHT = re.compile(r"\(([^()\[\]]*?)(?::\s*([-+]?\d*\.?\d+)\s*)?\)")
BRACKETS = re.compile(r"\[([^()\[\]]*)\]")
NETWORK = re.compile(r"<(lora|lyco|hypernet|embedding):([^:<>]*)(?::[^<>]*)?>", re.IGNORECASE)
KEYWORDS = re.compile(r"\b(AND|BREAK)\b")
MOST = 1000  # brackets that are taken apart
HELD = {r"\(": "\ue000", r"\)": "\ue001", r"\[": "\ue002", r"\]": "\ue003"}


def plain_words(prompt: str, name: str = "prompt") -> tuple[str, list[str]]:
    """The words of a prompt in that syntax, and warnings of what has no effect here.

    name  of the prompt, for the warnings
    """
    lost: dict[str, list[str]] = {}
    for escaped, mark in HELD.items():
        prompt = prompt.replace(escaped, mark)

    def network(found: re.Match[str]) -> str:
        lost.setdefault("extra networks are not loaded", []).append(found[0])
        return " "

    def weight(found: re.Match[str]) -> str:
        lost.setdefault("weights of words have no effect, the words are read", []).append(found[0])
        return found[1]

    def bracket(found: re.Match[str]) -> str:
        words = found[1]
        if "|" in words or ":" in words:
            lost.setdefault("words do not change on the way, the first is read", []).append(
                found[0]
            )
            return _first(words)
        return weight(found)

    def keyword(found: re.Match[str]) -> str:
        lost.setdefault("prompts are not split", []).append(found[0])
        return ","

    prompt = NETWORK.sub(network, prompt)
    for _ in range(MOST):
        before = prompt
        prompt = BRACKETS.sub(bracket, WEIGHT.sub(weight, prompt, count=1), count=1)
        if prompt == before:
            break
    prompt = KEYWORDS.sub(keyword, prompt)
    for escaped, mark in HELD.items():
        prompt = prompt.replace(mark, escaped[1])
    prompt = re.sub(r"[ \t]{2,}", " ", prompt)
    prompt = re.sub(r"(\s*,\s*)+", ", ", prompt).strip(" ,\n") if lost else prompt
    warnings = [f"{name}: {why}: {', '.join(what)}" for why, what in lost.items()]
    return prompt, warnings


def _first(words: str) -> str:
    """What `[from:to:when]`, `[word:when]` or `[one|other]` begins with."""
    if "|" in words:
        return words.split("|", 1)[0]
    parts = words.split(":")
    return parts[0]
