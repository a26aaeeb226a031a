"""Checkpoints from a hub: what is fetched, and from which commit. The hub here is a folder."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path
from shutil import copy, copytree, rmtree
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from huggingface_hub.utils import (
    are_progress_bars_disabled,
    disable_progress_bars,
    enable_progress_bars,
)
from PIL import Image
from tests.families import tiny

from partway.checkpoints import hub
from partway.engine import Engine
from partway.errors import InputsDiffer, ModelError
from partway.families import load_family, profile_of
from partway.interfaces.cli import cli
from partway.interfaces.cli.report import Reporter
from partway.metadata.describe import describe
from partway.metadata.replay import replay_of
from partway.request import EditRequest

COMMIT = "0123456789abcdef0123456789abcdef01234567"
NETWORKS = ("unet", "vae", "text_encoder")


class Folder:
    """Stands in for huggingface_hub: `remote` is the repository, `cache` what was fetched."""

    def __init__(self, remote: Path, cache: Path) -> None:
        self.remote, self.folder = remote, cache / COMMIT
        self.revisions: list[str | None] = []
        self.bars: list[bool] = []

    def list_repo_files(self, repository: str, *, revision: str) -> list[str]:
        assert (repository, revision) == ("owner/tiny", COMMIT)
        return [f.relative_to(self.remote).as_posix() for f in self.remote.rglob("*.*")]

    def snapshot_download(
        self, repository: str, *, revision: str | None, ignore_patterns: list[str],
        allow_patterns: Iterable[str] = ("*",),
    ) -> str:  # fmt: skip
        assert repository == "owner/tiny"
        self.revisions.append(revision)
        self.bars.append(not are_progress_bars_disabled())
        for file in (f for f in self.remote.rglob("*") if f.is_file()):
            name = file.relative_to(self.remote).as_posix()
            wanted = any(fnmatch(name, pattern) for pattern in allow_patterns)
            if wanted and not any(fnmatch(name, pattern) for pattern in ignore_patterns):
                place = self.folder / name
                place.parent.mkdir(parents=True, exist_ok=True)
                copy(file, place)
        return str(self.folder)

    def weights(self) -> set[str]:
        found = (f.relative_to(self.folder) for f in self.folder.rglob("*.*"))
        return {f.as_posix() for f in found if f.suffix in {".safetensors", ".bin", ".ckpt"}}


@pytest.fixture
def remote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """A repository beside whose weights lie others that are not to be fetched."""
    folder = tmp_path / "remote"
    copytree(tiny.folder_of("sd1"), folder)
    for name in ("model.ckpt", "unet/diffusion_pytorch_model.bin", "all.safetensors"):
        (folder / name).write_bytes(b"?" * 100)
    stand_in = Folder(folder, tmp_path)
    monkeypatch.setattr(hub, "_library", lambda: stand_in)
    forget()
    return stand_in


def forget() -> None:
    """As a new process, which asks the hub again."""
    hub.configs.cache_clear()
    hub.weights.cache_clear()


def test_configs_come_first_and_weights_from_the_same_commit(remote: Folder) -> None:
    profile = profile_of("owner/tiny@main")
    assert profile.name == "owner/tiny"
    assert profile.checkpoint is not None
    assert profile.checkpoint.facts["revision"] == COMMIT
    assert remote.weights() == set()
    family = load_family(profile, "fp32")
    assert remote.revisions == ["main", COMMIT]
    assert {name.split("/")[0] for name in remote.weights()} == set(NETWORKS)
    assert all(name.endswith(".safetensors") for name in remote.weights())
    local = load_family(profile_of(str(tiny.folder_of("sd1"))), "fp32")
    assert np.array_equal(family.encode_prompt("red"), local.encode_prompt("red"))


def test_the_bar_is_shown_while_weights_come_and_put_back(remote: Folder) -> None:
    load_family(profile_of("owner/tiny"), "fp32")
    assert remote.bars == [True, True]
    assert not are_progress_bars_disabled()
    disable_progress_bars()
    try:
        forget()
        load_family(profile_of("owner/tiny"), "fp32")
        assert are_progress_bars_disabled()
    finally:
        enable_progress_bars()
    assert remote.bars[2:] == [False, False]


def test_the_command_fetches_before_it_draws_a_bar_and_says_the_commit(
    remote: Folder, icon: Image.Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[int] = []  # calls of the hub by then
    progress = Reporter.progress

    def drawing(self: Reporter) -> Any:
        drawn.append(len(remote.revisions))
        return progress(self)

    monkeypatch.setattr(Reporter, "progress", drawing)
    icon.save(tmp_path / "icon.png")
    args = [str(tmp_path / "icon.png"), "red", "-m", "owner/tiny", "--steps", "1"]
    result = CliRunner().invoke(cli, [*args, "-s", "0.5"])
    assert result.exit_code == 0, result.stderr
    assert f"model: owner/tiny@{COMMIT}" in result.stderr
    assert remote.revisions == [None, COMMIT]
    assert drawn == [2]
    forget()
    remote.revisions.clear()
    result = CliRunner().invoke(cli, [*args, "-s", "0"])
    assert result.exit_code == 0, result.stderr
    assert COMMIT not in remote.revisions  # strength 0 needs no weights


def test_a_record_knows_it_by_its_commit_whatever_was_fetched(remote: Folder) -> None:
    request = EditRequest(prompt="red", model="owner/tiny", full_steps=1, precision="fp32")
    document = describe(Engine().run(request))
    assert (document.model, document.fingerprint) == ("owner/tiny", COMMIT)
    rmtree(remote.folder)
    forget()
    assert replay_of(document, None, model="owner/tiny").request.model == "owner/tiny"
    assert remote.weights() == set()
    with pytest.raises(InputsDiffer, match=f"-m owner/tiny@{COMMIT}"):
        replay_of(document, None)
    with pytest.raises(InputsDiffer, match=f"-m owner/tiny@{COMMIT}"):
        replay_of(document, None, model="analytic")


def test_a_tokenizers_template_comes_with_it(remote: Folder) -> None:
    """Of Z-Image, whose prompts are wrapped by it, and which may be a file of its own."""
    rmtree(remote.remote)
    copytree(tiny.folder_of("z-image"), remote.remote)
    assert (remote.remote / "tokenizer" / "chat_template.jinja").is_file()
    family = load_family(profile_of("owner/tiny"), "fp32")
    assert len(family.encode_prompt("red")) > 0


def test_half_the_size_where_all_have_it(remote: Folder) -> None:
    files = [next((remote.remote / name).glob("*.safetensors")) for name in NETWORKS]
    for file in files[:2]:
        copy(file, file.with_suffix(".fp16.safetensors"))
    load_family(profile_of("owner/tiny"), "fp32")
    assert not any(".fp16." in name for name in remote.weights())
    copy(files[2], files[2].with_suffix(".fp16.safetensors"))
    for file in remote.folder.rglob("*.safetensors"):
        file.unlink()
    forget()
    load_family(profile_of("owner/tiny"), "fp32")
    assert all(".fp16." in name for name in remote.weights())


def test_half_the_size_in_parts(remote: Folder) -> None:
    """As large networks are published."""
    pipe = tiny.KINDS["sd1"]()
    pipe.save_pretrained(remote.remote, variant="fp16", max_shard_size="200KB")
    load_family(profile_of("owner/tiny"), "fp32")
    assert len(remote.weights()) > len(NETWORKS)
    assert all(".fp16" in name for name in remote.weights())


def test_a_repository_of_pickles_is_refused(remote: Folder) -> None:
    file = next((remote.remote / "vae").glob("*.safetensors"))
    file.rename(file.with_suffix(".bin"))
    with pytest.raises(ModelError, match=r"vae.*no weights.*safetensors"):
        load_family(profile_of("owner/tiny"), "fp32")


def test_what_the_hub_says_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone:
        def snapshot_download(self, *args: Any, **options: Any) -> str:
            raise OSError("404: no such repository\nor it is gated")

    monkeypatch.setattr(hub, "_library", Gone)
    with pytest.raises(ModelError, match=r"owner/gone cannot be fetched.*404: no such repository"):
        profile_of("owner/gone")
