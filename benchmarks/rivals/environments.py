"""An environment of its own for each program, made by pip and kept for the next run."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

# Versions that were measured. cyllama has stable-diffusion.cpp compiled in.
PACKAGES: dict[str, tuple[str, ...]] = {
    "genai": ("openvino-genai==2026.4.1", "pillow==13.0.0"),
    "export": ("optimum-intel[openvino]==2.2.0", "diffusers==0.39.0"),
    "sdcpp": ("cyllama==0.2.18", "numpy==2.4.6"),
}


class Unavailable(Exception):
    """Why a program cannot be timed here."""


def python_of(name: str | None, folder: Path) -> Path:
    """The interpreter of an environment, made now if need be; None names this one.

    Unavailable where pip fails, with its own last line.
    """
    if name is None:
        return Path(sys.executable)
    place = folder / f"venv-{name}"
    python, done = place / "bin" / "python", place / "complete"
    if done.exists() and done.read_text("utf-8").split() == [*PACKAGES[name]]:
        return python
    print(f"making {place} …", flush=True)
    venv.create(place, with_pip=True, clear=True)
    quietly = ("install", "-q", "--disable-pip-version-check")  # its notice would come last
    run([python, "-m", "pip", *quietly, *PACKAGES[name]], f"pip in {place}")
    done.write_text("\n".join(PACKAGES[name]), "utf-8")
    return python


def run(command: Sequence[str | Path], what: str, **variables: str) -> str:
    """Output of a command; Unavailable with its last line where it fails.

    variables  of its environment, beside this one's
    """
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **variables}
    )
    if done.returncode:
        told = [line for line in done.stderr.splitlines() if line.strip()]
        raise Unavailable(f"{what}: {told[-1].strip() if told else f'exit {done.returncode}'}")
    return done.stdout
