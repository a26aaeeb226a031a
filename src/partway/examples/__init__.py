"""Example pictures that travel with the package, each with a prompt.

Where they come from and under which licence: README.md beside them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Example:
    """A 256 × 256 opaque PNG and what to make of it."""

    name: str
    prompt: str

    @property
    def file(self) -> Path:
        """Where the picture lies."""
        return HERE / f"{self.name}.png"


# A photograph, and the style it is shown in.
PHOTOGRAPH = HERE / "cat.jpg"
PHOTOGRAPH_STYLE = "evening"

EXAMPLES = (
    Example("teapot", "strawberry, 3d"),
    Example("fox", "cat face, 3d"),
    Example("angry-face", "angry face, cartoon"),
)
