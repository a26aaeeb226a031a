"""Facts about models and plans as plain values, the same on every surface.

Functions here return what `--json` prints and what the HTTP API answers.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from partway.advice import vocabulary_of
from partway.families import WITHOUT_WEIGHTS, Profile
from partway.metadata.document import to_json
from partway.schedule import Level

if TYPE_CHECKING:
    from pathlib import Path

    from partway.metadata import Metadata
    from partway.plan import Plan

ARTWORK = "icons, stickers: one object on a plain background"
COLOURS = "colours named in the prompt; exact, for tests"
MANNER = "any picture in the manner of a style picture: --style"
OPEN = "what its prompts name"

CLEAN = Level(1.0, 0.0)


def plan_facts(plan: Plan, evaluations: int, model: str | None) -> dict[str, Any]:
    """A plan on a model, in numbers.

    evaluations  network calls a picture takes
    """
    levels = plan.levels or (CLEAN,)
    return {
        "strength": plan.strength,
        "dial": plan.dial,
        "noise_fraction": plan.noise_fraction,
        "alpha": levels[0].alpha,
        "sigma": levels[0].sigma,
        "evaluations": evaluations,
        "levels": [level.noise_fraction for level in levels],
        "kappa": plan.kappa,
        "model": model,
    }


def file_facts(metadata: Metadata) -> dict[str, Any]:
    """What a picture's file says; `partway` is the record, `settings` another program's."""
    return {
        "format": metadata.format,
        "size": metadata.size,
        "mode": metadata.mode,
        "animated": metadata.animated,
        "profile": metadata.profile,
        **made_facts(metadata),
    }


def made_facts(metadata: Metadata) -> dict[str, Any]:
    """The part of it that says how the picture was made."""
    recipe, document = metadata.recipe, metadata.document
    settings = None
    if recipe is not None:
        settings = {"prompt": recipe.prompt, "negative_prompt": recipe.negative_prompt}
        settings |= {name: value for name, value in recipe.values.items() if name not in settings}
    return {
        "tool": metadata.tool,
        "partway": None if document is None else json.loads(to_json(document)),
        "settings": settings,
        "digital_source": metadata.digital_source,
        "notes": metadata.notes,
    }


def summary(profile: Profile) -> dict[str, Any]:
    """One line of the list."""
    return {
        "name": profile.name,
        "family": profile.family,
        "native_size": profile.native_size,
        "default_steps": profile.default_steps,
        "draws": _draws(profile),
        "bytes": _bytes(profile.folder),
    }


def details(profile: Profile) -> dict[str, Any]:
    """Everything that can be said of a checkpoint without loading it."""
    vocabulary = vocabulary_of(profile.folder)
    facts = summary(profile)
    facts["gain"] = profile.gain
    facts["calibrated"] = profile.curve is not None
    facts["default_guidance"] = profile.default_guidance
    facts["styles"] = list(profile.styles)
    facts["words"] = None if vocabulary is None else len(vocabulary.words)
    facts["subjects"] = _subjects(profile.folder)
    facts["folder"] = None if profile.folder is None else str(profile.folder)
    facts["revision"] = _said(profile, "revision")
    facts["licences"] = _licences(profile.folder)
    return facts


def _draws(profile: Profile) -> str:
    """What it draws, in a few words; a checkpoint's config may say so itself."""
    if "draws" in profile.config:
        return str(profile.config["draws"])
    if profile.conditioning == "references":
        return MANNER
    if profile.family in WITHOUT_WEIGHTS:
        return COLOURS
    return ARTWORK if profile.artwork_only else OPEN


def _said(profile: Profile, fact: str) -> str | None:
    """What a checkpoint of somebody else's says of itself, or its hub of it."""
    return None if profile.checkpoint is None else profile.checkpoint.facts.get(fact)


def _bytes(folder: Path | None) -> int:
    """Size of a checkpoint's files."""
    if folder is None:
        return 0
    if folder.is_file():
        return folder.stat().st_size
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _subjects(folder: Path | None) -> list[str]:
    """Names of subjects it was trained on, where the folder lists them."""
    file = None if folder is None else folder / "subjects.txt"
    if file is None or not file.is_file():
        return []
    return [line.strip() for line in file.read_text("utf-8").splitlines() if line.strip()]


def _licences(folder: Path | None) -> list[str]:
    """Files of the folder that name licences and sources."""
    if folder is None or not folder.is_dir():
        return []
    kinds = ("LICENSE", "LICENCE", "NOTICE", "README")
    return sorted(file.name for file in folder.iterdir() if file.name.upper().startswith(kinds))
