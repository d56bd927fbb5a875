"""An ensemble that is cut off anywhere ends with the same bits when it is given again."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import TINY
from tests.ensemble.conftest import make_config
from trainlib.checkpoints.checkpoint import AtomicCheckpointIO
from trainlib.ensemble.ensemble import fit_ensemble
from trainlib.ensemble.members import members_of
from trainlib.folders.ensemble import Ensemble, read_ensemble

# Sleeps in the training data, so that the test has time to strike in the middle of an epoch.
SLOW = """
import time
class Sleepd:
    def __init__(self): pass
    def __call__(self, data):
        time.sleep(0.15)
        return data
"""


class KilledError(BaseException):
    """Ends the training where a signal would."""


def results(folder: Path) -> dict[str, bytes]:
    """Tables and predictions."""
    files = [folder / name for name in ("cv.csv", "ensemble.csv", "summary.csv", "test/cases.csv")]
    files += [*folder.glob("test/predictions/*.nii.gz"), *folder.glob("fold_*/held_out/predictions/*.nii.gz")]
    files += folder.glob("fold_*/cases.csv")
    assert len(files) >= 10
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.parametrize("name", ["best.ckpt", "last.ckpt"])
def test_one_that_dies_in_its_second_fold_goes_on_there(
    finished: Ensemble, tmp_path: Path, phantom: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    config = finished.config.model_copy(update={"run": make_config(tmp_path, phantom).run})
    save = AtomicCheckpointIO.save_checkpoint

    def die(self: AtomicCheckpointIO, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        if "fold_2" in str(path) and Path(path).name == name and checkpoint["epoch"] == 1:
            raise KilledError
        save(self, checkpoint, path, storage_options)

    monkeypatch.setattr(AtomicCheckpointIO, "save_checkpoint", die)
    with pytest.raises(KilledError):
        fit_ensemble(config, folds=3)
    assert [member.finished for member in members_of(read_ensemble(tmp_path / "runs" / "tiny"))] == [True, False, False]
    monkeypatch.setattr(AtomicCheckpointIO, "save_checkpoint", save)
    again, _ = fit_ensemble(config, folds=3)
    assert results(again.folder.path) == results(finished.folder.path)
    assert sorted(path.name for path in again.folder.path.glob("fold_*")) == ["fold_1", "fold_2", "fold_3"]


@pytest.mark.parametrize("moment", ["in the test of a fold", "in the scoring of a fold", "in the scoring of all"])
def test_one_that_dies_between_two_trainings_goes_on_there(finished: Ensemble, tmp_path: Path, moment: str) -> None:
    shutil.copytree(finished.folder.path, tmp_path / "runs" / "tiny")
    folder = read_ensemble(tmp_path / "runs" / "tiny").folder
    run = finished.config.run.model_copy(update={"root": str(tmp_path / "runs")})
    config = finished.config.model_copy(update={"run": run})
    for file in (folder.scores, folder.cv, folder.summary, folder.test.cases):
        file.unlink()
    if moment != "in the scoring of all":
        (folder.member("fold_3").path / "member.json").unlink()
        shutil.rmtree(folder.held_out("fold_3").predictions)
        folder.held_out("fold_3").cases.unlink()
    if moment == "in the test of a fold":
        cases = folder.member("fold_3").cases
        cases.write_text("".join(line for line in cases.open() if not line.startswith("test")))
        shutil.rmtree(folder.member("fold_3").predictions)
    (folder.path / ".writing-x").touch()
    fit_ensemble(config, folds=3)
    assert results(folder.path) == results(finished.folder.path)
    assert not (folder.path / ".writing-x").exists()


def start(config: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "trainlib", "ensemble", "-c", str(config), "--folds", "2", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def wait_for_epochs(process: subprocess.Popen[str], run: Path, epochs: int) -> None:
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        metrics = run / "logs" / "metrics.csv"
        if metrics.is_file() and len(metrics.read_text().splitlines()) > epochs:
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    raise AssertionError("the training did not get that far")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "status", "parallel"),
    [
        *((signal.SIGKILL, -9, parallel) for parallel in (1, 2)),
        *((signal.SIGTERM, 143, parallel) for parallel in (1, 2)),
        *((signal.SIGINT, 130, parallel) for parallel in (1, 2)),
    ],
)
def test_a_signal_in_the_second_fold_changes_nothing_of_the_result(
    tmp_path: Path, phantom: Path, number: int, status: int, parallel: int
) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    transforms = TINY["transforms"] | {"train": [*TINY["transforms"]["train"], "Sleepd"]}
    sections = {"transforms": transforms, "patch": {"transforms": str(tmp_path / "slow.py")}}
    straight, _ = fit_ensemble(make_config(tmp_path / "a", phantom, trainer={"max_epochs": 4}, **sections), folds=2)
    make_config(tmp_path / "b", phantom, trainer={"max_epochs": 4}, **sections)
    process = start(tmp_path / "b" / "config.yaml", "--parallel", str(parallel))
    wait_for_epochs(process, tmp_path / "b" / "runs" / "tiny" / "fold_2", 2)
    time.sleep(0.4)  # into the next epoch
    os.kill(process.pid, number)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == status
    if number != signal.SIGKILL:
        assert errors.splitlines() == ["Interrupted. The same command continues; what is finished stays so."]
    process = start(tmp_path / "b" / "config.yaml")
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert (parallel > 1) or "fold_1 is finished already." in output
    assert results(tmp_path / "b" / "runs" / "tiny") == results(straight.folder.path)


def test_scores_of_a_member_that_is_trained_again_are_never_left_stale(
    finished: Ensemble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(finished.folder.path, tmp_path / "runs" / "tiny")
    folder = read_ensemble(tmp_path / "runs" / "tiny").folder
    run = finished.config.run.model_copy(update={"root": str(tmp_path / "runs")})
    config = finished.config.model_copy(update={"run": run})
    wrong = [line.replace(",found", ",missed") for line in folder.scores.read_text().splitlines(keepends=True)]
    folder.scores.write_text("".join(wrong))  # of a fold_3 that was another one
    (folder.member("fold_3").path / "member.json").unlink()

    def die(*_: Any, **__: Any) -> None:
        raise KilledError

    monkeypatch.setattr("trainlib.ensemble.ensemble.score", die)
    with pytest.raises(KilledError):
        fit_ensemble(config, folds=3)
    assert all(member.finished for member in members_of(read_ensemble(folder.path)))
    monkeypatch.undo()
    fit_ensemble(config, folds=3)
    assert results(folder.path) == results(finished.folder.path)
