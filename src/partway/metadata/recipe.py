"""What another program wrote about how it made a picture, in one shape for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from partway.metadata.untrusted import plain

MAX_VALUES = 200
MAX_PROMPT = 100_000  # characters

# Names of values in the order they are shown; each program's own names are brought to these.
NAMES = ("steps", "sampler", "scheduler", "guidance_scale", "seed", "size", "model", "strength")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Settings found in a file. All of it is text to show; nothing acts on it.

    tool    the program: "A1111", "ComfyUI" …
    values  name → value as written, those of NAMES first; `strength` is in that program's meaning
    """

    tool: str
    prompt: str = ""
    negative_prompt: str = ""
    values: Mapping[str, str] = field(default_factory=dict[str, str])


def make(
    tool: str,
    prompt: object = "",
    negative: object = "",
    values: Mapping[str, object] | None = None,
) -> Recipe:
    """A recipe from values of any type: None and what is empty is left out."""
    shown = {name: plain(value) for name, value in (values or {}).items()}
    order = [*(name for name in NAMES if name in shown), *(n for n in shown if n not in NAMES)]
    return Recipe(
        tool=tool,
        prompt=_words(prompt),
        negative_prompt=_words(negative),
        values={name: shown[name] for name in order[:MAX_VALUES] if shown[name]},
    )


def _words(value: object) -> str:
    """A prompt of a length somebody could have meant."""
    return value[:MAX_PROMPT] if isinstance(value, str) else ""
