"""A trial that another process works on is left to it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ray import cloudpickle
from ray.exceptions import RayTaskError

from tests.tune.helpers import RATE
from trainlib.folders.search import SearchFolder, Trial
from trainlib.system import lock
from trainlib.tune.searcher import PARAMETERS
from trainlib.tune.trial import Plan, TrialBusyError, TrialError, train_trial
from trainlib.tune.watching import Notes

NAME = "trial_00000"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SearchFolder:
    """A search with a trial that was cut off, in a process of Ray's that goes on with it."""
    import ray.tune

    monkeypatch.setattr(ray.tune, "get_context", lambda: SimpleNamespace(get_trial_name=lambda: NAME))
    monkeypatch.setattr(ray.tune, "get_checkpoint", lambda: None)
    monkeypatch.setattr(lock, "PATIENCE", 0.3)
    folder = SearchFolder(tmp_path)
    folder.note(Trial(0, {RATE: 0.1}, "training"))
    return folder


class Failed:
    """One of Ray's trials, with the file in which Ray keeps what was raised; it keeps nothing of a killed process."""

    def __init__(self, folder: Path, error: Exception | None) -> None:
        self.pickled_error_file = None if error is None else str(folder / "error.pkl")
        if error is not None:
            (folder / "error.pkl").write_bytes(cloudpickle.dumps(error))

    def __str__(self) -> str:
        return NAME


def test_its_record_is_left_alone(folder: SearchFolder) -> None:
    plan: Any = Plan(SimpleNamespace(folder=folder), None, "/nowhere")  # type: ignore[arg-type]
    with lock.held(folder.records / f".{NAME}.lock", "it"), pytest.raises(TrialBusyError) as error:
        train_trial({PARAMETERS: {RATE: 0.1}}, plan)
    assert "another process works on it" in str(error.value)
    Notes(folder).on_trial_error(1, [], Failed(folder.path, RayTaskError("train", "traceback", error.value)))
    assert folder.noted() == [Trial(0, {RATE: 0.1}, "training")]


@pytest.mark.parametrize("error", [None, RayTaskError("train", "traceback", TrialError("it failed"))])
def test_one_whose_process_was_ended_has_failed(folder: SearchFolder, error: Exception | None) -> None:
    Notes(folder).on_trial_error(1, [], Failed(folder.path, error))
    [trial] = folder.noted()
    assert trial.state == "failed"
    assert "Its process was ended from outside" in trial.error
