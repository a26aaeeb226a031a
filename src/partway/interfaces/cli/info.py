"""`partway info`: what picture files say about how they were made, whoever made them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.text import Text

from partway.errors import InvalidRequest, PartwayError
from partway.fidelity import percent
from partway.interfaces.cli.inputs import called, read_file
from partway.interfaces.cli.report import Reporter, emit, printable
from partway.interfaces.cli.running import raise_errors
from partway.interfaces.facts import file_facts
from partway.margins import margins_in_pixels
from partway.metadata import read_metadata

if TYPE_CHECKING:
    from collections.abc import Iterator

    from partway.metadata import Document, File, Metadata, Recipe

LONGEST = 20_000  # characters of a prompt that are shown; --json has all of it
LABELS = {"guidance_scale": "guidance"}


@click.command("info")
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
@click.option("--json", "as_json", is_flag=True, help="JSON Lines on stdout, one object per file.")
def command(*, files: tuple[str, ...], as_json: bool) -> None:
    """Print what picture files say about how they were made; loads no model.

    Understood are files of Partway, A1111, Forge, ComfyUI, InvokeAI, Fooocus, NovelAI, SwarmUI.
    """
    errors: list[tuple[str, PartwayError]] = []
    console = Console(highlight=False, soft_wrap=True)
    for name in files:
        try:
            metadata = read_metadata(read_file(name), called(name))
        except PartwayError as error:
            errors.append((name, error))
            continue
        if as_json:
            emit({"path": name} | file_facts(metadata))
            continue
        console.print(Text(printable(name), style="bold"))
        for label, text in lines(metadata):
            console.print(Text.assemble((f"  {label:<14} ", "dim"), printable(text, LONGEST)))
    read = len(files) - len(errors)
    raise_errors(errors, read, len(files), Reporter(as_json=as_json), "files not read")


def lines(metadata: Metadata) -> Iterator[tuple[str, str]]:
    """Label and text of each line, for people."""
    width, height = metadata.size
    animated = ", animated" if metadata.animated else ""
    yield "format", f"{metadata.format}, {width}×{height}, {metadata.mode}{animated}"
    if metadata.profile is not None:
        yield "profile", metadata.profile
    if metadata.document is not None:
        yield from _of_document(metadata.document)
    elif metadata.recipe is not None:
        yield from _of_recipe(metadata.recipe)
    elif not metadata.notes:
        yield "made", "no generation data"
    if metadata.digital_source is not None:
        yield "digital source", metadata.digital_source
    for note in metadata.notes:
        yield "note", note


KINDS = {"references": "style", "loras": "LoRA"}  # of files, for people


def _of_document(document: Document) -> Iterator[tuple[str, str]]:
    """The record of a result."""
    request, made = document.request, document.made
    yield "made by", document.program
    yield "prompt", str(request.get("prompt", ""))
    if request.get("negative_prompt"):
        yield "avoid", str(request["negative_prompt"])
    noise = f"{100 * made.noise_fraction:.0f} % noise"
    if document.source is None:
        yield "strength", "none: text-to-image"
    else:
        dial = request.get("dialect") or request.get("dial")
        yield "strength", f"{request.get('strength')} {dial} ({noise})"
    if request.get("scale") is not None:
        yield "scale", f"{request['scale']} times the source's size"
    yield "steps", _steps(document)
    guidance = request.get("guidance_scale")
    if guidance is not None:
        yield "guidance", str(guidance)
    yield "seed", str(request.get("seed"))
    if (added := _added(request.get("extend"))) is not None:
        yield "extended", added
    loras: list[str] = request.get("loras") or []
    yield "model", " + ".join([document.model or "none ran", *loras])
    for kind, files in document.files.items():
        for file in files:
            yield KINDS.get(kind, kind), _of_file(file)
    if made.kept:
        yield "kept", ", ".join(f"{percent(v)} % of {k}" for k, v in made.kept.items())
    yield "ran", f"{made.precision}, {made.mode}"
    if document.parent is not None:
        yield "refines", f"SHA-256 {document.parent[:16]}…"


def _added(extend: object) -> str | None:
    """The sides a source was extended on; None where a record does not say, or not readably."""
    try:
        return None if extend is None else f"{margins_in_pixels(extend)} pixels"
    except InvalidRequest:
        return None


def _steps(document: Document) -> str:
    """Sampler, spacing, steps asked and run."""
    request = document.request
    exact, full = request.get("steps"), request.get("full_steps")
    asked = f"{exact} exactly" if exact is not None else f"of a full run of {full}"
    if request.get("dialect") is not None:
        asked = f"of {exact} asked"
    ran = f"{document.made.evaluations} evaluations"
    return f"{ran}, {asked} ({request.get('sampler')}, {request.get('spacing')})"


def _of_file(file: File) -> str:
    """A file that was used."""
    return f"{file.called} (SHA-256 {file.sha256[:16]}…, {file.size:,} bytes)"


def _of_recipe(recipe: Recipe) -> Iterator[tuple[str, str]]:
    """The settings of another program."""
    yield "made by", recipe.tool
    yield "prompt", recipe.prompt
    if recipe.negative_prompt:
        yield "avoid", recipe.negative_prompt
    for name, value in recipe.values.items():
        label = LABELS.get(name, name.replace("_", " "))
        yield label, f"{value} ({recipe.tool}'s own number)" if name == "strength" else value
