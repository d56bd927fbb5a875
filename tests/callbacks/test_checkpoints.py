"""Checkpoints and early stopping when a run is resumed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.callbacks.early_stopping import EarlyStoppingReason

from trainlib.callbacks.checkpoints import best_checkpoint, early_stopping
from trainlib.config.schema import Config
from trainlib.folders.run import RunFolder

DATA = {"train_csv": "a", "valid_csv": "b", "classes": ["background", "heart"]}


def config(**sections: Any) -> Config:
    return Config.model_validate({"data": DATA, **sections})


def state_of(folder: RunFolder) -> dict[str, Any]:
    """The state of a callback that has saved a checkpoint with the score 0.7."""
    best, score = str(folder.best), torch.tensor(0.7)
    paths = {"best_model_path": best, "kth_best_model_path": best, "last_model_path": ""}
    scores = {"best_model_score": score, "kth_value": score, "current_score": score, "best_k_models": {best: score}}
    return {"monitor": "valid/dice", "dirpath": str(folder.checkpoints), **paths, **scores}


def test_the_best_score_moves_with_the_folder(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    moved = RunFolder(tmp_path / "moved")
    moved.checkpoints.mkdir(parents=True)
    moved.best.touch()
    callback = best_checkpoint(config(), moved)
    callback.load_state_dict(state_of(RunFolder(tmp_path / "before")))
    assert callback.best_model_score == torch.tensor(0.7)
    assert callback.best_k_models == {str(moved.best): torch.tensor(0.7)}
    assert callback.best_model_path == callback.kth_best_model_path == str(moved.best)
    assert callback.last_model_path == ""
    assert not recwarn.list


def test_a_new_folder_has_a_best_of_its_own(tmp_path: Path) -> None:
    callback = best_checkpoint(config(), RunFolder(tmp_path / "new"))
    callback.load_state_dict(state_of(RunFolder(tmp_path / "other")))
    assert callback.best_model_score is None
    assert callback.best_k_models == {}
    assert callback.best_model_path == ""


def test_another_interval_of_validation_keeps_the_best_score(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    keys = {best_checkpoint(config(trainer={"check_val_every_n_epoch": n}), folder).state_key for n in (1, 2)}
    assert len(keys) == 1


@pytest.mark.parametrize(
    ("changed", "count", "stopped"),
    [
        ({}, 3, True),
        ({"patience": 5}, 3, False),
        ({"patience": 2}, 3, True),
        ({"min_delta": 0.01}, 0, False),
    ],
    ids=["unchanged", "more patience", "less patience", "another threshold"],
)
def test_the_settings_of_the_config_decide_whether_training_is_over(
    changed: dict[str, float], count: int, stopped: bool
) -> None:
    [before] = early_stopping(config(early_stopping={"patience": 3}))
    before.wait_count, before.stopping_reason = 3, EarlyStoppingReason.PATIENCE_EXHAUSTED
    settings = {"patience": 3} | changed
    [after] = early_stopping(config(early_stopping=settings))
    after.load_state_dict(before.state_dict())
    assert after.patience == settings["patience"]
    assert after.wait_count == count
    assert (after.stopping_reason == EarlyStoppingReason.PATIENCE_EXHAUSTED) == stopped
