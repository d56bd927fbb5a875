"""The snapshot of a run."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import trainlib
from trainlib.callbacks.snapshot import Record, Snapshot
from trainlib.config.load import load_config
from trainlib.folders.run import RunFolder

TRAINER: Any = SimpleNamespace(is_global_zero=True)


def take(path: Path, folder: Path) -> None:
    """Take the snapshot of a run with the config at `path`."""
    snapshot = Snapshot(load_config(path), RunFolder(folder), Record(("trainlib", "fit", "-c", "a b.yaml"), (path,)))
    snapshot.setup(TRAINER, None, "fit")


def test_it_keeps_configs_csvs_patches_source_and_command(write_config: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    for folder in ("one", "two"):
        (tmp_path / folder / "mine.py").write_text(f"# {folder}\n")
    patch = {"model": str(tmp_path / "one/mine.py"), "loss": str(tmp_path / "two/mine.py")}
    path = write_config(patch=patch)
    take(path, tmp_path / "run")
    kept = tmp_path / "run" / "snapshot"
    assert (kept / "configs" / "config.yaml").read_text() == path.read_text()
    assert {file.read_text() for file in (kept / "patches").iterdir()} == {"# one\n", "# two\n"}
    assert sorted(file.name for file in (kept / "csvs").iterdir()) == ["test.csv", "train.csv", "valid.csv"]
    assert (kept / "trainlib" / "__init__.py").read_text() == Path(trainlib.__file__).read_text()
    assert (kept / "command.txt").read_text() == "trainlib fit -c 'a b.yaml'\n"
    assert json.loads((kept / "environment.json").read_text())["trainlib"] == trainlib.__version__
    assert load_config(tmp_path / "run" / "config.yaml") == load_config(path)


def test_a_second_one_leaves_the_first_alone(write_config: Callable[..., Path], tmp_path: Path) -> None:
    path = write_config()
    take(path, tmp_path / "run")
    (tmp_path / "run" / "snapshot" / "command.txt").write_text("the first")
    take(path, tmp_path / "run")
    take(path, tmp_path / "run")
    assert (tmp_path / "run" / "snapshot" / "command.txt").read_text() == "the first"
    assert sorted(file.name for file in (tmp_path / "run" / "snapshot").glob("resumed*")) == ["resumed", "resumed_2"]


def test_each_keeps_the_config_that_it_was_started_with(write_config: Callable[..., Path], tmp_path: Path) -> None:
    for epochs in (2, 5):
        take(write_config(trainer={"max_epochs": epochs}), tmp_path / "run")
    kept = tmp_path / "run" / "snapshot"
    assert load_config(kept / "config.yaml").trainer["max_epochs"] == 2
    assert load_config(kept / "resumed" / "config.yaml").trainer["max_epochs"] == 5


def test_it_keeps_commit_and_changes_of_a_git_repository(
    write_config: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *identity, *arguments], cwd=project, check=True, capture_output=True, text=True
        ).stdout

    git("init")
    (project / "notes.txt").write_text("before\n")
    git("add", ".")
    git("commit", "-m", "first")
    (project / "notes.txt").write_text("after\n")
    monkeypatch.chdir(project)
    take(write_config(), tmp_path / "run")
    kept = tmp_path / "run" / "snapshot"
    assert git("rev-parse", "HEAD").strip() in (kept / "git.txt").read_text()
    assert "+after" in (kept / "git.diff").read_text()
