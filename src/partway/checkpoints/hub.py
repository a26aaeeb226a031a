"""The Hugging Face hub: owner/name, or owner/name@revision.

A revision that is a branch or tag is pinned to its commit when the configs are fetched, and the
weights come from that same commit. Fetched files stay in the hub's own cache
(HF_HOME, ~/.cache/huggingface) and are used without a network afterwards.
"""

from __future__ import annotations

import os
import re
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from partway.checkpoints.layout import HALF, INDEX
from partway.errors import ModelError

ID = re.compile(r"([\w.-]+/[\w.-]+)(?:@([\w./-]+))?")
# Chat templates (.jinja) belong to the tokenizers of language models, which some flows read with.
CONFIGS = tuple(
    f"{place}*.{kind}" for place in ("", "*/") for kind in ("json", "txt", "model", "jinja")
)
# Never fetched: weights that are not used, in formats that are not read.
IGNORED = ("*.bin", "*.ckpt", "*.pt", "*.pth", "*.msgpack", "*.onnx", "*.onnx_data", "*.h5")
NEEDED = "checkpoints on the hub need more of Partway: pip install 'partway[torch]'"


def is_id(model: str) -> tuple[str, str | None] | None:
    """Repository and revision where a name has the form of a hub id, else None."""
    match = ID.fullmatch(model)
    if match is None or model.startswith((".", "/", "~")) or ".." in model:
        return None
    return match[1], match[2]


def cached() -> dict[str, Path]:
    """Checkpoints in the hub's cache: owner/name → its newest snapshot. No library is loaded."""
    home = Path(os.environ.get("HF_HOME", "~/.cache/huggingface")).expanduser()
    root = Path(os.environ.get("HF_HUB_CACHE", home / "hub"))
    found: dict[str, Path] = {}
    for folder in sorted(root.glob("models--*--*")):
        indices = folder.glob(f"snapshots/*/{INDEX}")
        newest = max(indices, key=lambda file: file.stat().st_mtime, default=None)
        if newest is not None:
            _, owner, name = folder.name.split("--", 2)
            found[f"{owner}/{name}"] = newest.parent
    return found


@cache
def configs(repository: str, revision: str | None) -> tuple[Path, str]:
    """Fetch everything but weights: the folder, and the commit it is pinned to.

    Asked once per process, in which a branch thus stays at one commit.
    """
    folder = _snapshot(repository, revision, allow_patterns=list(CONFIGS))
    return folder, folder.name


@cache
def weights(repository: str, revision: str, components: tuple[str, ...]) -> Path:
    """Fetch the weights of some components at a commit, with progress on stderr: the folder.

    Asked once per process. Of weights in several precisions the half-size ones are taken where all
    components have them.
    """
    files = _files(repository, revision)
    chosen: list[str] = []
    for half in (True, False):
        chosen = [name for name in files if _wanted(name, components, half=half)]
        if {name.split("/")[0] for name in chosen} == set(components):
            break
    if chosen:
        patterns = [*CONFIGS, *chosen]
        return _snapshot(repository, revision, allow_patterns=patterns)
    return _snapshot(repository, revision, allow_patterns=list(CONFIGS))


def _wanted(name: str, components: tuple[str, ...], *, half: bool) -> bool:
    """Whether a file is a component's weights, in half precision or in its own."""
    component, _, file = name.partition("/")
    if component not in components or not file.endswith(".safetensors") or "/" in file:
        return False
    if "non_ema" in file:
        return False
    return bool(HALF.search(file)) if half else not re.search(r"\.(fp\d+|bf16)[.-]", file)


def _files(repository: str, revision: str) -> list[str]:
    """Names of all files of a commit; of those in the cache where the hub cannot be reached."""
    hub = _library()
    try:
        return list(hub.list_repo_files(repository, revision=revision))
    except Exception:  # noqa: BLE001  offline: whatever was fetched before
        folder = _snapshot(repository, revision, local_files_only=True)
        return [file.relative_to(folder).as_posix() for file in folder.rglob("*.safetensors")]


def _snapshot(repository: str, revision: str | None, **options: Any) -> Path:
    """A snapshot's folder; ModelError where it can neither be fetched nor found."""
    hub = _library()
    try:
        return Path(
            hub.snapshot_download(
                repository, revision=revision, ignore_patterns=list(IGNORED), **options
            )
        )
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise ModelError(
            f"{repository} cannot be fetched from the hub: {type(error).__name__}: {reason}"
        ) from error


def _library() -> Any:
    """huggingface_hub, or a ModelError that says what to install."""
    try:
        return import_module("huggingface_hub")
    except ImportError as error:
        raise ModelError(NEEDED) from error
