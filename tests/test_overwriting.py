"""An earlier run that is overwritten is there until the new one has a checkpoint."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trainlib import fit, load_config
from trainlib.config.schema import Config
from trainlib.errors import ConfigError, Interrupted, ResourceError
from trainlib.folders.naming import create, latest
from trainlib.folders.overwriting import aside, loss, needs, refuse_loss
from trainlib.folders.run import RunFolder
from trainlib.places import unwritable_places
from trainlib.system.lock import held
from trainlib.tasks.base import BaseTask

WriteConfig = Callable[..., Path]
KEPT = ".heart.overwritten"


def config(runs: Path, *, overwrite: bool = True, **data: Any) -> Config:
    required = {"train_csv": "a.csv", "valid_csv": "b.csv", "classes": ["a", "b"]}
    run = {"root": str(runs), "name": "heart", "overwrite": overwrite}
    return Config.model_validate({"data": required | data, "run": run})


def a_run(path: Path, *, last: bool = True) -> RunFolder:
    """Make what looks like a run, whose checkpoint tells its age."""
    folder = RunFolder(path)
    folder.checkpoints.mkdir(parents=True)
    folder.config.write_text("run: {name: heart}\n")
    if last:
        folder.last.write_text("old")
    return folder


def names(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir())


def test_the_earlier_run_is_kept_beside_the_new_one(tmp_path: Path) -> None:
    a_run(tmp_path / "heart")
    create(config(tmp_path))
    assert names(tmp_path) == [KEPT, "heart"]
    assert RunFolder(tmp_path / KEPT).last.read_text() == "old"


@pytest.mark.parametrize("overwrite", [True, False])
def test_a_new_run_that_was_killed_without_a_checkpoint_gives_way_to_the_earlier_one(
    tmp_path: Path, overwrite: bool
) -> None:
    a_run(tmp_path / "heart")
    create(config(tmp_path))
    folder = create(config(tmp_path, overwrite=overwrite))  # the next start
    earlier = tmp_path / (KEPT if overwrite else "heart")
    assert names(tmp_path) == sorted([earlier.name, folder.path.name])
    assert folder.path.name == ("heart" if overwrite else "heart_2")
    assert RunFolder(earlier).last.read_text() == "old"


def test_a_new_run_that_was_killed_with_a_checkpoint_has_replaced_the_earlier_one(tmp_path: Path) -> None:
    a_run(tmp_path / "heart")
    folder = create(config(tmp_path))
    folder.checkpoints.mkdir()
    folder.last.write_text("new")
    create(config(tmp_path, overwrite=False))
    assert names(tmp_path) == ["heart", "heart_2"]
    assert folder.last.read_text() == "new"


def test_a_process_killed_between_two_names_has_lost_nothing(tmp_path: Path) -> None:
    a_run(tmp_path / "heart")
    (tmp_path / "heart").rename(tmp_path / KEPT)
    found = latest(config(tmp_path))
    assert found == RunFolder(tmp_path / "heart")
    assert found.last.read_text() == "old"


def test_a_run_that_is_being_trained_is_not_overwritten(tmp_path: Path) -> None:
    folder = a_run(tmp_path / "heart")
    with held(folder.lock, ""), pytest.raises(ConfigError, match=r"another process trains in .*/heart, so it is not"):
        create(config(tmp_path))
    assert folder.last.read_text() == "old"
    new = create(config(tmp_path))
    with held(new.lock, ""), pytest.raises(ConfigError, match="another process trains in"):
        create(config(tmp_path))
    assert names(tmp_path) == [KEPT, "heart"]


def test_where_no_new_folder_can_be_made_the_earlier_run_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise ResourceError("full")

    a_run(tmp_path / "heart")
    monkeypatch.setattr("trainlib.folders.naming.write_text", full)
    with pytest.raises(ResourceError):
        create(config(tmp_path))
    assert RunFolder(tmp_path / "heart").last.read_text() == "old"
    assert names(tmp_path) == ["heart"]


NEEDED = [
    ({"train_csv": "{run}/a.csv"}, "data.train_csv"),
    ({"root": "{run}/data"}, "data.train_csv"),
    ({"cache_dir": "{run}/cache"}, "data.cache_dir"),
    ({"predict_csv": "{run}/new.csv"}, "data.predict_csv"),
]


@pytest.mark.parametrize(("data", "setting"), NEEDED)
def test_a_run_that_holds_what_the_new_one_needs_is_not_overwritten(
    tmp_path: Path, data: dict[str, str], setting: str
) -> None:
    folder = a_run(tmp_path / "heart")
    made = config(tmp_path, **{name: value.format(run=folder.path) for name, value in data.items()})
    [(key, text)] = unwritable_places(made)
    assert key == ("run", "overwrite")
    assert text.startswith(f"run.overwrite: {folder.path} holds {folder.path}/")
    assert f"({setting}), which this run needs, so it is not deleted. Choose another run.name." in text


def test_a_patch_script_behind_a_link_is_needed_too(tmp_path: Path) -> None:
    folder = a_run(tmp_path / "heart")
    (folder.path / "own.py").touch()
    (tmp_path / "own.py").symlink_to(folder.path / "own.py")
    made = config(tmp_path)
    made = made.model_copy(update={"patch": made.patch.model_copy(update={"model": str(tmp_path / "own.py")})})
    assert f"{tmp_path}/own.py (patch.model)" in loss(folder.path, dict(needs(made)))


@pytest.fixture
def earlier(write_config: WriteConfig, tmp_path: Path) -> RunFolder:
    """Make what looks like an earlier run of the config."""
    return a_run(tmp_path / "runs" / "tiny")


def overwriting(write_config: WriteConfig, **sections: Any) -> Config:
    return load_config(write_config(run={"overwrite": True}, progress=None, **sections))


def test_the_checkpoint_to_continue_from_is_needed(write_config: WriteConfig, earlier: RunFolder) -> None:
    kept = earlier.path / "keep.ckpt"
    with pytest.raises(ConfigError, match=r"^run\.overwrite: .*/tiny holds .*/keep\.ckpt \(--ckpt_path\), which this"):
        refuse_loss(overwriting(write_config), kept)
    assert earlier.last.read_text() == "old"


def test_the_images_of_the_new_run_are_needed(
    write_config: WriteConfig, earlier: RunFolder, tmp_path: Path, phantom: Path
) -> None:
    shutil.copytree(phantom, tmp_path / "data")
    moved = earlier.path / "images"
    (tmp_path / "data" / "images").rename(moved)
    (tmp_path / "data" / "images").symlink_to(moved)
    with pytest.raises(ConfigError, match=r"tiny holds .*\.nii\.gz \(train\.csv:2 \(case_000\.nii\.gz\), file 1\)"):
        fit(overwriting(write_config, data={"root": str(tmp_path / "data")}))
    assert earlier.last.read_text() == "old"


@pytest.mark.parametrize("error", [RuntimeError("a bug"), KeyError("x"), Interrupted(15)])
def test_a_training_that_fails_in_its_first_epoch_leaves_the_earlier_run(
    write_config: WriteConfig, earlier: RunFolder, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(BaseTask, "training_step", fail)
    with pytest.raises(type(error)):
        fit(overwriting(write_config))
    assert earlier.last.read_text() == "old"
    assert names(earlier.path.parent) == [".cache", "tiny"]


def test_the_earlier_run_is_deleted_in_the_second_epoch(
    write_config: WriteConfig, earlier: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    step = BaseTask.training_step

    def watched(self: BaseTask, batch: Any, batch_idx: int) -> Any:
        seen.append((self.current_epoch, aside(earlier.path).is_dir()))
        return step(self, batch, batch_idx)

    monkeypatch.setattr(BaseTask, "training_step", watched)
    run = fit(overwriting(write_config, data={"test_csv": None}))
    assert set(seen) == {(0, True), (1, False)}
    assert run.folder.path == earlier.path
    assert run.folder.last.stat().st_size > 1000


def test_a_run_of_one_epoch_replaces_the_earlier_one_too(write_config: WriteConfig, earlier: RunFolder) -> None:
    fit(overwriting(write_config, trainer={"max_epochs": 1}, data={"test_csv": None}))
    assert names(earlier.path.parent) == [".cache", "tiny"]
    assert earlier.last.stat().st_size > 1000


def test_two_processes_do_not_train_in_one_folder(
    write_config: WriteConfig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = load_config(write_config(progress=None, data={"test_csv": None}, trainer={"max_epochs": 1}))
    run = fit(made)
    monkeypatch.setattr("trainlib.run.training._PATIENCE", 0.0)
    before = run.folder.last.read_bytes()
    (run.folder.path / ".writing-of-the-other").touch()
    longer = load_config(write_config(progress=None, data={"test_csv": None}))
    with held(run.folder.lock, ""), pytest.raises(ResourceError, match=r"/tiny: another process works on it \(process"):
        fit(longer, ckpt_path="last")
    assert run.folder.last.read_bytes() == before
    assert (run.folder.path / ".writing-of-the-other").exists()
    fit(longer, ckpt_path="last")
    assert run.folder.last.read_bytes() != before
    assert not (run.folder.path / ".writing-of-the-other").exists()
