"""Imports run one way, and the light commands stay light."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import partway

SOURCE = Path(partway.__file__).parent

# Lower layers first. A module may import from lower layers; within a layer only along `INSIDE`.
LAYERS: list[set[str]] = [
    {"errors", "cache", "runtime"},
    {"strength", "geometry", "fields"},
    {"schedule", "shift", "calibration", "margins"},
    {"spacings"},
    {"noise", "plan", "guidance"},
    {"request", "events", "dialects"},
    {"denoiser"},
    {"color", "patches", "checkpoints", "tiles", "low_band", "windows"},
    {"samplers", "images", "fidelity", "domain", "families", "residual", "ground", "surfaces",
     "sheet", "batcher", "models", "examples", "styles", "full_size"},
    {"metadata", "own_loop", "strength_map"},
    {"result"},
    {"edits", "choosing"},
    {"run", "outline", "outcome", "model_cache"},
    {"remembered"},
    {"tasks"},
    {"engine"},
    {"advice", "settings", "executors", "check"},
    {"api", "jobs"},
    {"interfaces"},
    {"__init__", "__main__"},
]  # fmt: skip
# Siblings of one layer that may see each other.
INSIDE = {("sheet", "images"), ("sheet", "fidelity"), ("edits", "choosing"), ("plan", "noise"),
          ("strength", "fields")}  # fmt: skip


def layer_of(name: str) -> int:
    return next(i for i, layer in enumerate(LAYERS) if name in layer)


def part_of(path: Path) -> str:
    first = path.relative_to(SOURCE).parts[0]
    return first.removesuffix(".py")


def imports_of(path: Path) -> set[str]:
    """Parts of partway a module imports at run time, also inside functions."""
    tree = ast.parse(path.read_text("utf-8"))
    typing_only = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    found: set[str] = set()
    for node in ast.walk(tree):
        if node in typing_only:
            continue
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("partway"):
            parts = (node.module or "").split(".")
            found |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
            found |= {parts[1] for parts in names if parts[0] == "partway" and len(parts) > 1}
    return found - {"__version__"}


@pytest.mark.parametrize(
    "path", sorted(SOURCE.rglob("*.py")), ids=lambda p: str(p.relative_to(SOURCE))
)
def test_imports_run_one_way(path: Path) -> None:
    here = part_of(path)
    for target in imports_of(path) - {here}:
        downwards = layer_of(target) < layer_of(here)
        assert downwards or (here, target) in INSIDE, f"{here} imports {target}"


def test_every_module_has_a_layer() -> None:
    for path in SOURCE.rglob("*.py"):
        layer_of(part_of(path))


def test_no_two_test_modules_share_a_name() -> None:
    """Pytest collects either of them alone and not both: the whole suite would not start."""
    names = Counter(path.name for path in Path(__file__).parent.rglob("test_*.py"))
    assert [name for name, count in names.items() if count > 1] == []


def loaded(code: str) -> set[str]:
    heavy = [
        "numpy",
        "openvino",
        "tokenizers",
        "torch",
        "diffusers",
        "ray",
        "pydantic",
        "fastapi",
        "PIL",
        "rich",
    ]
    script = f"{code}\nimport sys; print(*[m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split())


def test_import_partway_loads_nothing_heavy() -> None:
    assert loaded("import partway") == set()
    assert "openvino" not in loaded("import partway; partway.EditRequest; partway.Engine")


def test_planning_loads_no_runtime() -> None:
    code = (
        "from partway import plan_edit; from partway.families import profile_of; "
        "plan_edit(0.5, profile_of('pocket').schedule)"
    )
    assert loaded(code) <= {"numpy", "PIL"}


def test_public_names_exist_and_are_sorted() -> None:
    assert partway.__all__ == sorted(partway.__all__)
    for name in partway.__all__:
        assert getattr(partway, name) is not None
    with pytest.raises(AttributeError):
        partway.nothing  # noqa: B018  # pyright: ignore[reportAttributeAccessIssue]
