"""Where pictures go: every path is settled, and refused if taken, before anything is computed.

no -o             {stem}-s{strength}.png beside the source, numbered -2, -3 … if taken
-o FOLDER         the same names there; a folder exists or ends with a slash
-o FILE           for one picture; an existing file needs --force
-o TEMPLATE       with {stem} {strength} {scale} {seed} {model} {n}; existing files need --force
-o -              PNG bytes on stdout, for one picture
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING

from partway import images
from partway.errors import InvalidRequest, OutputExists

if TYPE_CHECKING:
    from collections.abc import Callable

STDOUT = "-"
FIELDS = ("stem", "strength", "scale", "seed", "model", "n")


@dataclass(frozen=True, slots=True)
class Naming:
    """What the name of one result can be made of; `folder` is where it goes by default."""

    folder: Path
    stem: str
    strength: float
    seed: int
    model: str
    scale: float = 1.0

    def values(self, n: int) -> dict[str, str | int]:
        """The fields of a template for the n-th picture."""
        strength = f"{self.strength:g}"
        return {
            "stem": self.stem,
            "strength": strength,
            "scale": f"{self.scale:.3g}",
            "seed": self.seed,
            "model": self.model.replace("/", "-"),  # of a hub id
            "n": n,
        }


@dataclass(frozen=True, slots=True)
class Target:
    """A settled place for one picture.

    path       None is stdout
    numbered   take the next free number should the name be taken meanwhile
    overwrite  replace a file of this name
    """

    path: Path | None
    numbered: bool = False
    overwrite: bool = False

    @property
    def format_name(self) -> str:
        """What the picture is written as."""
        return "PNG" if self.path is None else images.format_for(self.path)

    def write(self, encode: Callable[[str, Path | None], bytes]) -> Path | None:
        """Write a picture whole or not at all; the path it got, None for stdout.

        encode  (format name, folder or None) → the bytes of its file
        """
        data = encode(self.format_name, None if self.path is None else self.path.parent)
        if self.path is None:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
            return None
        path = self.path
        while True:
            try:
                images.write_whole(data, path, overwrite=self.overwrite)
            except OutputExists:
                if not self.numbered:
                    raise
                path = free(self.path, ())
            else:
                return path


def free(path: Path, taken: Iterable[Path]) -> Path:
    """`path`, or with -2, -3 … before its suffix: the first that neither exists nor is taken."""
    names, number, candidate = set(taken), 1, path
    while candidate in names or candidate.exists():
        number += 1
        candidate = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return candidate


def settle(
    output: str | None, namings: Sequence[Naming], *, pattern: str, force: bool
) -> list[Target]:
    """A target for each picture, in their order; nothing is written.

    pattern  template of the default name, such as "{stem}-s{strength}.png"
    """
    if output == STDOUT:
        if len(namings) > 1:
            raise InvalidRequest(f"stdout takes one picture, this makes {len(namings)}")
        return [Target(None)]
    if output is None or is_folder(output):
        targets: list[Target] = []
        for n, naming in enumerate(namings, 1):
            folder = naming.folder if output is None else Path(output)
            path = folder / pattern.format_map(naming.values(n))
            targets.append(Target(free(path, [t.path for t in targets if t.path]), numbered=True))
    else:
        paths = [Path(_fill(output, naming, n)) for n, naming in enumerate(namings, 1)]
        twice = next((path for path in paths if paths.count(path) > 1), None)
        if twice is not None:
            raise InvalidRequest(
                f"{len(paths)} pictures cannot all be {str(twice)!r}: name a folder (out/) or "
                f"a template such as out/{pattern}"
            )
        targets = [Target(path, overwrite=force) for path in paths]
    for target in targets:
        check(target)
    return targets


def is_folder(output: str) -> bool:
    """Whether -o means a folder: it exists as one, or is written with a slash at its end."""
    return output.endswith(("/", os.sep)) or Path(output).is_dir()


def _fill(template: str, naming: Naming, n: int) -> str:
    """A template with its fields filled in."""
    try:
        used = [field for _, field, _, _ in Formatter().parse(template) if field is not None]
        unknown = [field for field in used if field not in FIELDS]
        if unknown:
            raise InvalidRequest(
                f"-o has {{{unknown[0]}}}, known are {', '.join(f'{{{f}}}' for f in FIELDS)}"
            )
        return template.format_map(naming.values(n))
    except ValueError as error:
        raise InvalidRequest(f"-o {template!r} is no template: {error}") from error


def check_qualities(quality: int | None, targets: Iterable[Target | None]) -> None:
    """InvalidRequest for a quality that a file among these cannot be written at."""
    for target in targets:
        if target is not None:
            images.check_quality(quality, target.format_name)


def check(target: Target) -> None:
    """Refuse a path that cannot be written: taken, unknown suffix, no folder to write in."""
    path = target.path
    if path is None:
        return
    images.format_for(path)
    if path.is_dir():
        raise InvalidRequest(f"{path} is a folder: name a file in it, or write {path}/")
    if path.exists() and not target.overwrite:
        raise OutputExists(f"{path} exists: choose another name or add --force")
    folder = path.parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        raise InvalidRequest(f"{path} cannot be written: {folder} is no folder")
    if not os.access(folder, os.W_OK):
        raise InvalidRequest(f"{path} cannot be written: no permission in {folder}")
