"""From a finished picture to its record."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from partway import __version__
from partway.checkpoints import lora
from partway.errors import PartwayError
from partway.families import WITHOUT_WEIGHTS, Profile, profile_of, settled
from partway.metadata.document import Document, File, Made, file_of, is_relative
from partway.metadata.fingerprint import fingerprint_of
from partway.metadata.provenance import digital_source
from partway.request import DEFAULT_SAMPLER, EditRequest
from partway.styles import STYLES, style_file

if TYPE_CHECKING:
    from PIL.Image import Image

    from partway.result import EditResult

PROGRAM = f"Partway {__version__}"
BAND = 64  # rows of a picture that are hashed at a time
HOPS = 2  # folders up to a source
APART = {"source", "references", "model", "mask", "strength_map"}  # recorded in places of their own


def describe(result: EditResult, folder: Path | None = None) -> Document:
    """The record of a result.

    folder  where its file will be: names of sources are kept as seen from there, and only where
            they need name no folder; None keeps plain names

    What the request left to the model is filled in, so that a later default changes nothing.
    """
    request = result.request
    profile = _profile(result)
    values: dict[str, Any] = {}
    files: dict[str, tuple[File, ...]] = {}
    for each in fields(EditRequest):
        value = getattr(request, each.name)
        held = _bytes(value)
        if held:
            names = [*result.names.of(each.name), *([None] * len(held))]
            files[each.name] = tuple(
                _file(data, name, folder) for data, name in zip(held, names, strict=False)
            )
        elif each.name not in APART:
            values[each.name] = value
    values |= _resolved(result, profile)
    if request.loras:
        values["loras"], files["loras"] = _loras(request.loras, folder)
    return Document(
        request=values,
        files=files,
        model=result.model,
        fingerprint=None if profile is None else fingerprint_of(profile),
        made=Made(
            precision=result.precision,
            mode=result.mode,
            evaluations=result.evaluations,
            noise_fraction=result.plan.noise_fraction,
            kept=None if result.kept is None else asdict(result.kept),
            size=result.image.size,
            pixels=digest_of(result.image),
            digital_source=digital_source(
                result.plan.noise_fraction,
                trained=profile is not None and profile.family not in WITHOUT_WEIGHTS,
                has_source=request.source is not None,
            ),
        ),
        program=PROGRAM,
        parent=result.names.parent,
    )


def _loras(loras: tuple[str, ...], folder: Path | None) -> tuple[tuple[str, ...], tuple[File, ...]]:
    """Names of adapters with their weights, and their files."""
    found = [lora.parse(each) for each in loras]
    names = tuple(f"{each.file.name}:{each.weight:g}" for each in found)
    files = [
        File(
            sha256=lora.digest_of(each.file),
            size=each.file.stat().st_size,
            name=_relative(str(each.file), folder),
        )
        for each in found
    ]
    return names, tuple(files)


def _bytes(value: Any) -> list[bytes]:
    """The files a field of a request holds."""
    several: list[Any] = [*value] if isinstance(value, tuple) else [value]
    return [each for each in several if isinstance(each, bytes)]


def _profile(result: EditResult) -> Profile | None:
    """What is known of the model that ran; None where none did."""
    if result.model is None:
        return None
    for name in (result.request.model, result.model):
        if name is not None:
            try:
                return profile_of(name)
            except PartwayError:
                continue
    return None


def _resolved(result: EditResult, profile: Profile | None) -> dict[str, Any]:
    """Fields of the request that the model or the processor filled in."""
    request = result.request
    values: dict[str, Any] = {"strength": request.effective_strength}
    if request.steps is None and result.plan.full_steps is not None:
        values["full_steps"] = result.plan.full_steps
    if request.sampler is None:
        sampler = DEFAULT_SAMPLER if profile is None else settled(request, profile).sampler
        values["sampler"] = sampler
    if profile is not None:
        values["precision"] = result.precision
        if request.guidance_scale is None:
            values["guidance_scale"] = profile.default_guidance
    if request.source is None:
        values["size"] = result.image.size
    return values


def _file(data: bytes, name: str | None, folder: Path | None) -> File:
    """The record of a file; a style of the bank goes by its own name."""
    plain = file_of(data)
    style = _style(data)
    if style is not None:
        return File(sha256=plain.sha256, size=plain.size, style=style)
    return File(sha256=plain.sha256, size=plain.size, name=_relative(name, folder))


def _style(data: bytes) -> str | None:
    """Its name in the bank of styles."""
    for name in STYLES:
        file = style_file(name)
        if file.stat().st_size == len(data) and file.read_bytes() == data:
            return name
    return None


def _relative(name: str | None, folder: Path | None) -> str | None:
    """A file's name as seen from a folder, if that names no other folder; else the plain name."""
    if name is None:
        return None
    path = Path(name)
    found = path.name
    if folder is not None:
        home, here = path.parent.resolve(), folder.resolve()
        for hops, each in enumerate((here, *here.parents[:HOPS])):
            if each == home:
                found = "../" * hops + path.name
    return found if is_relative(found) else None


def digest_of(image: Image) -> str:
    """SHA-256 of a picture's mode, size and pixels (and palette): equal where pictures are."""
    digest = hashlib.sha256(f"{image.mode} {image.width}x{image.height}\n".encode())
    for top in range(0, image.height, BAND):  # never all bytes at once
        band = (0, top, image.width, min(top + BAND, image.height))
        digest.update(image.crop(band).tobytes())
    if image.palette is not None:
        digest.update(image.palette.tobytes())
    return digest.hexdigest()
