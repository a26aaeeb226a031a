"""The "parameters" block of AUTOMATIC1111's web UI, which most programs read.

    prompt
    Negative prompt: …
    Steps: 20, Sampler: Euler, Schedule type: Uniform, CFG scale: 3, Seed: 1, Size: 96x64, …

What is written is the layout of its `create_infotext`, narrowed to what every known reader takes
apart correctly: Steps first, one line, and no comma, colon or quote in any value. `Denoising
strength` is that program's number, not ours: the one whose start has our noise (see
`a1111_strength`). Ours stand beside it under names of our own. docs/metadata.md has the reasons.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

from partway.margins import Margins
from partway.metadata.recipe import Recipe, make
from partway.metadata.untrusted import MAX_VALUE, loaded
from partway.strength import strength_at

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from partway.metadata.document import Document

MAX_TEXT = 2**20  # characters that are looked at
MAX_LINE = 2**16
LEAST_PAIRS = 3  # fewer on the last line: it belongs to the prompt

SAMPLERS = {
    "euler": "Euler",
    "euler_ancestral": "Euler a",
    "heun": "Heun",
    "dpmpp_2m": "DPM++ 2M",
    "dpmpp_2m_sde": "DPM++ 2M SDE",
    "dpmpp_sde": "DPM++ SDE",
    "unipc": "UniPC",
    "lcm": "LCM",
}
SPACINGS = {
    "uniform": "Uniform",
    "karras": "Karras",
    "exponential": "Exponential",
    "sgm_uniform": "SGM Uniform",
    "simple": "Simple",
    "normal": "Normal",
    "beta": "Beta",
}
KEYS = {
    "Steps": "steps",
    "Sampler": "sampler",
    "Schedule type": "scheduler",
    "CFG scale": "guidance_scale",
    "Seed": "seed",
    "Size": "size",
    "Model": "model",
    "Base model": "model",  # Fooocus
    "Denoising strength": "strength",
}


SIGMAS = 3  # of a Gaussian of A1111's `Mask blur`, which our feather reaches
# Our fills under A1111's names.
FILLS = {"source": "original", "blur": "fill", "noise": "latent noise"}


def a1111_strength(noise_fraction: float) -> float:
    """The `Denoising strength` at which A1111 starts from this noise, on Stable Diffusion 1.x.

    With n steps A1111 keeps int(s * n) of them and starts at timestep 999 * int(s * n) / (n - 1):
    999 * s but for its rounding. That is our dial `sd1`, so this is its inverse.
    """
    return strength_at(noise_fraction, "sd1")


def write(document: Document, *, longest: int | None = None) -> str:
    """The block of a record.

    longest  characters allowed; a prompt is cut for it, since the record itself has it whole
    """
    settings = ", ".join(f"{key}: {_value(value)}" for key, value in _pairs(document))
    prompt = _words(document.request.get("prompt"))
    negative = _words(document.request.get("negative_prompt"))
    if longest is not None and len(prompt) + len(negative) > longest - len(settings):
        half = max((longest - len(settings) - 40) // 2, 0)
        prompt, negative = prompt[:half], negative[:half]
    lines = [prompt, f"Negative prompt: {negative}" if negative else "", settings]
    return "\n".join(line for line in lines if line)


def _words(value: object) -> str:
    """A prompt without control characters; line breaks stay."""
    text = value if isinstance(value, str) else ""
    return re.sub(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", " ", text).strip()


def _value(value: object) -> str:
    """A value that no reader tears apart: no comma, colon, quote or line break."""
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return " ".join(re.sub(r"[,:\"\x00-\x1f\x7f-\x9f]", " ", text).split())


def _pairs(document: Document) -> Iterator[tuple[str, object]]:
    """Keys and values in A1111's order, ours at the end."""
    request, made = document.request, document.made
    edits = document.source is not None
    strength = a1111_strength(made.noise_fraction)
    yield "Steps", _steps(request, strength if edits else 1.0)
    sampler, spacing = request.get("sampler"), request.get("spacing")
    yield "Sampler", SAMPLERS.get(str(sampler), sampler)
    yield "Schedule type", SPACINGS.get(str(spacing), spacing)
    guidance = request.get("guidance_scale")
    yield "CFG scale", 1 if guidance is None else guidance
    yield "Seed", request.get("seed")
    if made.size is not None:
        yield "Size", f"{made.size[0]}x{made.size[1]}"
    yield "Model", document.model or "none"
    if edits:
        yield "Denoising strength", round(strength, 4)
        yield "Partway strength", request.get("strength")
        yield "Partway dial", request.get("dial")
        yield "Partway noise fraction", round(made.noise_fraction, 4)
    yield "Partway evaluations", made.evaluations
    if made.kept:
        for name, share in made.kept.items():
            yield f"Partway kept {_value(name)}", round(share, 4)
    yield from _where(document)
    styles = [file.called for file in document.files.get("references", ())]
    if styles:
        yield "Partway style", " + ".join(styles)
    yield "Version", document.program


def _where(document: Document) -> Iterator[tuple[str, object]]:
    """What a mask's edit acted on, and what was added around the source."""
    request = document.request
    if "mask" in document.files or request.get("alpha_mask"):
        feather = request.get("mask_feather")
        if isinstance(feather, (int, float)):
            yield "Mask blur", round(feather / SIGMAS, 2)
        if request.get("mask_invert"):
            yield "Mask mode", "Inpaint not masked"
        if request.get("only_masked"):
            yield "Inpaint area", "Only masked"
            yield "Masked area padding", request.get("padding")
        yield "Masked content", FILLS.get(str(request.get("fill")), "original")
    margins = request.get("extend")
    if isinstance(margins, (list, tuple)):
        lengths = cast("Sequence[object]", margins)
        sides = zip(Margins._fields, lengths, strict=False)
        yield "Partway extended", " ".join(f"{name} {length}" for name, length in sides)


def _steps(request: Mapping[str, Any], strength: float) -> int:
    """A1111's Steps: the length of a full run, of which it takes its share.

    Where so many steps were asked for exactly, the full run of which that share is these steps.
    """
    steps, full = request.get("steps"), request.get("full_steps")
    if isinstance(steps, int):
        return max(round(steps / strength), steps) if strength > 0 else steps
    return full if isinstance(full, int) else 0


def parse(text: str) -> Recipe | None:
    """Read a block; None where it is none. Total: any text is either understood or not."""
    prompt, negative, pairs = parts(text)
    if "Steps" not in pairs:
        return None
    values = {KEYS.get(key, key): value for key, value in pairs.items()}
    return make(_tool(pairs), prompt, negative, values)


def parts(text: str) -> tuple[str, str, dict[str, str]]:
    """Prompt, negative prompt and settings of a block, by A1111's names; nothing if it is none."""
    prompt, negative, pairs = pasted(text)
    return (prompt, negative, pairs) if pairs else ("", "", {})


def pasted(text: str) -> tuple[str, str, dict[str, str]]:
    """The same of what somebody pastes: without settings all of it is words."""
    lines = text[:MAX_TEXT].strip().split("\n")
    pairs = dict(_split(lines[-1][:MAX_LINE]))
    if len(pairs) < LEAST_PAIRS:
        return (*_prompts(lines), {})
    return (*_prompts(lines[:-1]), pairs)


def _prompts(lines: list[str]) -> tuple[str, str]:
    """Prompt and negative prompt: all lines from the first that starts with its name."""
    mark = "Negative prompt:"
    start = next((i for i, line in enumerate(lines) if line.strip().startswith(mark)), len(lines))
    negative = "\n".join(lines[start:]).strip().removeprefix(mark)
    return "\n".join(lines[:start]).strip(), negative.strip()


def _split(line: str) -> Iterator[tuple[str, str]]:
    """`Key: value` pairs of a line, in one pass; a value in quotes may hold commas and colons."""
    place = 0
    while (colon := line.find(":", place)) >= 0:
        key = line[place:colon].rsplit(",", 1)[-1].strip()
        value, place = _read_value(line, colon + 1)
        if re.fullmatch(r"\w[\w \-/]{0,63}", key) and value:
            yield key, value[:MAX_VALUE]


def _read_value(line: str, place: int) -> tuple[str, int]:
    """The value that starts here, and where the next pair does."""
    while place < len(line) and line[place] == " ":
        place += 1
    if line[place : place + 1] == '"':
        quoted = re.compile(r'"(?:\\.|[^\\"])*"').match(line, place)
        if quoted is not None:
            try:
                value = str(loaded(quoted[0]))
            except (ValueError, RecursionError):
                value = quoted[0][1:-1]
            return value, quoted.end()
    comma = line.find(",", place)
    end = len(line) if comma < 0 else comma
    return line[place:end].strip(), end + 1


def _tool(pairs: Mapping[str, str]) -> str:
    """Which of the programs that write this block it was."""
    version = pairs.get("Version", "")
    for sign, tool in (
        ("Partway", "Partway"),
        ("Fooocus", "Fooocus"),
        ("stable-diffusion.cpp", "stable-diffusion.cpp"),
        ("ComfyUI", "ComfyUI"),
    ):
        if version.startswith(sign):
            return tool
    if pairs.get("App", "").startswith("SD.Next"):
        return "SD.Next"
    return "Forge" if re.match(r"(f\d|neo)", version) else "A1111"
