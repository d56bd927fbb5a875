"""Which folder a new run gets, and which folders are runs."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from trainlib.config.load import load_config
from trainlib.config.schema import Config
from trainlib.errors import CheckpointError, ConfigError, DiskFullError
from trainlib.folders.naming import create, folder_of, free_name, latest, unique_folder
from trainlib.folders.run import RunFolder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "runs"


def config(root: Path, **run: Any) -> Config:
    data = {"train_csv": "a", "valid_csv": "b", "classes": ["a", "b"]}
    return Config.model_validate({"data": data, "run": {"root": str(root), "name": "heart"} | run})


def run_in(path: Path, text: str = "") -> Path:
    """Make what looks like a run."""
    (path / "checkpoints").mkdir(parents=True)
    (path / "config.yaml").write_text(text)
    return path


def test_a_name_that_is_taken_gets_the_next_free_number(root: Path) -> None:
    names = [create(config(root)).path.name for _ in range(3)]
    assert names == ["heart", "heart_2", "heart_3"]
    shutil.rmtree(root / "heart_2")
    assert create(config(root)).path.name == "heart_2"


@pytest.mark.parametrize("kind", ["file", "dangling link"])
def test_a_name_that_anything_else_has_is_taken_too(root: Path, kind: str) -> None:
    root.mkdir()
    if kind == "file":
        (root / "heart").touch()
    else:
        (root / "heart").symlink_to("nowhere")
    assert create(config(root)).path.name == "heart_2"


def test_a_folder_that_cannot_be_made_is_one_sentence(root: Path) -> None:
    root.write_text("a file")
    with pytest.raises(ConfigError, match=rf"^{root}/heart: the folder cannot be made \(Not a directory\).$"):
        create(config(root))
    with pytest.raises(ConfigError, match="the folder cannot be made"):
        unique_folder(root.parent / ("x" * 300))


def test_no_folder_is_made_below_a_link_that_leads_nowhere(root: Path) -> None:
    root.symlink_to("nowhere")
    with pytest.raises(ConfigError, match=rf"^{root}/heart: the folder cannot be made \(Not a directory\)\.$"):
        create(config(root))


def test_overwrite_makes_room_for_a_new_run(root: Path) -> None:
    run_in(root / "heart")
    assert create(config(root, overwrite=True)).path == root / "heart"
    assert list((root / "heart").iterdir()) == [root / "heart" / "config.yaml"]


def test_overwrite_of_nothing_is_a_new_run(root: Path) -> None:
    assert create(config(root, overwrite=True)).path == root / "heart"


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_overwrite_never_deletes_what_is_no_run(root: Path, kind: str) -> None:
    root.mkdir()
    precious = root / "heart" / "precious" if kind == "folder" else root / "heart"
    precious.parent.mkdir(exist_ok=True)
    precious.write_text("x")
    with pytest.raises(
        ConfigError, match=r"^run.overwrite: .*/heart exists and is no run folder .*not deleted. Choose"
    ):
        create(config(root, overwrite=True))
    assert precious.read_text() == "x"


def test_overwrite_does_not_follow_a_link(root: Path, tmp_path: Path) -> None:
    run = run_in(tmp_path / "elsewhere")
    root.mkdir()
    (root / "heart").symlink_to(run)
    with pytest.raises(ConfigError, match=r"^run.overwrite: .*/heart cannot be deleted \(.*symbolic link.*\). Choose"):
        create(config(root, overwrite=True))
    assert (run / "config.yaml").is_file()


def test_a_checkpoint_knows_its_run(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_in(root / "heart")
    assert folder_of(run / "checkpoints" / "last.ckpt") == RunFolder(run)
    monkeypatch.chdir(run / "checkpoints")
    assert folder_of(Path("last.ckpt")) == RunFolder(run)


def test_a_checkpoint_that_lies_elsewhere_belongs_to_no_run(root: Path) -> None:
    run = run_in(root / "heart")
    assert folder_of(run / "last.ckpt") is None
    assert folder_of(run / "other" / "last.ckpt") is None
    (run / "config.yaml").unlink()
    assert folder_of(run / "checkpoints" / "last.ckpt") is None


def test_the_newest_run_has_the_highest_number(root: Path) -> None:
    assert latest(config(root)) is None
    for name in ("heart", "heart_2", "heart_10", "heart_11_old", "heart_x", "heart2", "hearty_12", "heart_²"):
        run_in(root / name).joinpath("config.yaml").write_text("run: {name: heart}\n")
    run_in(root / "heart_50").joinpath("config.yaml").write_text("run: {name: heart_50}\n")  # a run of its own
    (root / "heart_99").mkdir()  # no run: it has no config
    assert latest(config(root)) == RunFolder(root / "heart_10")
    assert latest(config(root, name="liver")) is None


def test_a_new_run_has_its_config_from_the_first_moment(root: Path) -> None:
    folder = create(config(root))
    assert load_config(folder.config).run == config(root).run
    assert latest(config(root)) == folder


def test_a_run_whose_config_finds_no_room_leaves_no_folder(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(DiskFullError, match=r"heart/config\.yaml cannot be written"):
        create(config(root))
    assert list(root.iterdir()) == []


def test_a_lost_config_comes_back_from_the_snapshot_with_its_time(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "trainlib")
    for name, time in (("heart", 1_000), ("heart_2", 2_000)):
        run = run_in(root / name, "run: {name: heart}\n")
        os.utime(run / "config.yaml", (time, time))
    (root / "heart" / "snapshot").mkdir()
    (root / "heart" / "config.yaml").rename(root / "heart" / "snapshot" / "config.yaml")
    assert latest(config(root)) == RunFolder(root / "heart_2")
    assert (root / "heart" / "config.yaml").read_text() == "run: {name: heart}\n"
    assert caplog.messages == [f"{root}/heart/config.yaml was missing; it is that of the snapshot again."]
    (root / "heart" / "config.yaml").unlink()
    assert folder_of(root / "heart" / "checkpoints" / "last.ckpt") == RunFolder(root / "heart")


def test_a_newer_run_without_any_config_is_not_passed_over(root: Path) -> None:
    for name, time in (("heart", 1_000), ("heart_2", 2_000)):
        run = run_in(root / name, "run: {name: heart}\n")
        (run / "checkpoints" / "last.ckpt").touch()
        os.utime(run / "checkpoints" / "last.ckpt", (time + 500, time + 500))
        os.utime(run / "config.yaml", (time, time))
    (root / "heart" / "config.yaml").unlink()
    assert latest(config(root)) == RunFolder(root / "heart_2")
    (root / "heart_2" / "config.yaml").rename(root / "heart" / "config.yaml")
    with pytest.raises(
        CheckpointError, match=rf"^{root}/heart_2 has checkpoints, but no config\.yaml, .* run of heart\."
    ):
        latest(config(root, name="heart"))


def test_a_free_name_is_not_taken_yet(root: Path) -> None:
    root.mkdir()
    (root / "a").symlink_to("nowhere")
    assert free_name(root / "a") == root / "a_2"
    assert not (root / "a_2").exists()
