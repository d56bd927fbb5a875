"""A member is an ordinary run that is trained once."""

from __future__ import annotations

import logging
import multiprocessing
import os
import shutil
import time
from pathlib import Path

import pytest

from tests.ensemble.conftest import make_config
from trainlib.ensemble.members import members_of, standing, train_member
from trainlib.ensemble.opening import open_ensemble
from trainlib.errors import CheckpointError, ResourceError
from trainlib.folders.ensemble import Ensemble, read_ensemble
from trainlib.folders.results import load_run
from trainlib.system import lock
from trainlib.system.lock import held


@pytest.fixture
def copied(finished: Ensemble, tmp_path: Path) -> Ensemble:
    """A copy of the finished ensemble that may be changed."""
    shutil.copytree(finished.folder.path, tmp_path / "tiny")
    return read_ensemble(tmp_path / "tiny")


@pytest.mark.parametrize(
    "files",
    [["member.json"], ["config.yaml"], ["cases.csv"], ["held_out/cases.csv"], ["checkpoints/best.ckpt"] * 2],
)
def test_a_member_that_lacks_a_result_is_not_finished(copied: Ensemble, files: list[str]) -> None:
    member = members_of(copied)[1]
    if len(files) == 2:  # one checkpoint is enough to predict with
        member.folder.last.unlink()
    assert member.finished
    (member.folder.path / files[0]).unlink()
    assert not member.finished


def test_a_training_whose_last_checkpoint_is_gone_is_not_thrown_away(copied: Ensemble) -> None:
    member = members_of(copied)[1]
    member.note.unlink()
    member.folder.last.unlink()
    with pytest.raises(
        CheckpointError, match=r"last\.ckpt is missing, so that the training cannot go on\. Put it back"
    ):
        train_member(member)
    assert member.folder.best.is_file()


def test_another_run_beside_a_member_is_not_taken_for_it(copied: Ensemble, phantom: Path) -> None:
    member = members_of(copied)[1]
    shutil.copytree(member.folder.path, member.folder.path.with_name("fold_2_2"))
    (member.folder.path.with_name("fold_2_2") / "config.yaml").touch()
    member.note.unlink()
    train_member(member)
    assert member.finished
    assert (member.folder.snapshot / "resumed").is_dir()
    assert not (member.folder.path.with_name("fold_2_2") / "snapshot" / "resumed").exists()


def test_a_member_is_an_ordinary_run_with_its_own_fold(finished: Ensemble) -> None:
    run = load_run(finished.folder.member("fold_2").path)
    assert run.config.data.train_csv == str(finished.folder.fold_csv("fold_2", "train"))
    assert run.config.data.root == finished.config.data.root
    assert set(run.cases["split"]) == {"valid", "test"}
    assert (run.folder.snapshot / "csvs" / "fold_2_valid.csv").is_file()


def test_only_the_first_fold_prepares_cases(tmp_path: Path, phantom: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = make_config(tmp_path, phantom, trainer={"max_epochs": 1})
    members = members_of(open_ensemble(config, "folds", 3))
    prepared = []
    for member in members[:2]:
        caplog.clear()
        with caplog.at_level(logging.INFO, "trainlib.data"):
            train_member(member)
        prepared.append([line for line in caplog.messages if line.startswith("Preparing")])
    # Labelled cases, the test cases, and the held-out ones without their labels on the network's grid.
    assert prepared[0] == ["Preparing 9 of 9 cases.", "Preparing 3 of 3 cases.", "Preparing 3 of 3 cases."]
    assert prepared[1] == ["Preparing 3 of 3 cases."]
    assert {member.config.cache_dir for member in members} == {tmp_path / "runs" / ".cache"}
    assert not (members[0].folder.path / ".cache").exists()


def test_a_folder_that_was_killed_before_its_config_was_written_is_begun_anew(tmp_path: Path, phantom: Path) -> None:
    member = members_of(open_ensemble(make_config(tmp_path, phantom, trainer={"max_epochs": 1}), "folds", 3))[0]
    member.folder.logs.mkdir(parents=True)
    member.folder.log.write_text("of before\n")
    train_member(member)
    assert member.finished
    assert "of before" not in member.folder.log.read_text()
    assert not member.folder.path.with_name("fold_1_2").exists()


def test_the_standing_of_a_member_follows_from_its_folder(finished: Ensemble, tmp_path: Path, phantom: Path) -> None:
    done = standing(members_of(finished)[0])
    assert (done.name, done.state, done.epoch, done.epochs) == ("fold_1", "finished", 2, 2)
    assert done.seconds_left == 0
    waiting = standing(members_of(open_ensemble(make_config(tmp_path, phantom), "folds", 3))[0])
    assert (waiting.state, waiting.epoch) == ("waiting", 0)


def hold(path: Path, seconds: float) -> None:
    with held(path, "it"):
        path.with_name("held").touch()
        time.sleep(seconds)


def test_a_second_process_waits_for_the_first_or_gives_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    process = multiprocessing.get_context("fork").Process(target=hold, args=(tmp_path / "lock", 60))
    process.start()
    try:
        while not (tmp_path / "held").exists():
            time.sleep(0.02)
        monkeypatch.setattr(lock, "PATIENCE", 0.3)
        with (
            pytest.raises(ResourceError, match="fold_2: another process works on it"),
            held(tmp_path / "lock", "fold_2"),
        ):
            raise AssertionError("two at a time")
        monkeypatch.setattr(lock, "PATIENCE", 30)
        os.kill(process.pid or 0, 9)
        with held(tmp_path / "lock", "fold_2"):
            assert True
    finally:
        process.kill()
        process.join()
