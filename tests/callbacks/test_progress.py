"""Pictures of how the segmentation appears."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageSequence
from tensorboard.backend.event_processing.event_accumulator import IMAGES, EventAccumulator

from trainlib import fit, load_config, load_run
from trainlib.callbacks.progress.segmentation import caption
from trainlib.callbacks.series import read_series
from trainlib.drawing.colours import class_colour
from trainlib.errors import Interrupted
from trainlib.folders.results import Run

WriteConfig = Callable[..., Path]
FEW: dict[str, Any] = {"data": {"test_csv": None}}


def names(run: Run) -> list[str]:
    return [frame.name for frame in run.folder.frames]


def gif_length(run: Run) -> int:
    with Image.open(run.folder.gif) as gif:
        return sum(1 for _ in ImageSequence.Iterator(gif))


def test_every_validation_gives_a_picture_and_the_end_a_gif(write_config: WriteConfig) -> None:
    run = fit(load_config(write_config(**FEW, trainer={"max_epochs": 3})))
    assert names(run) == ["epoch_00001.png", "epoch_00002.png", "epoch_00003.png"]
    assert gif_length(run) == 3


def test_epochs_without_a_validation_give_none(write_config: WriteConfig) -> None:
    run = fit(load_config(write_config(**FEW, trainer={"max_epochs": 4, "check_val_every_n_epoch": 2})))
    assert names(run) == ["epoch_00002.png", "epoch_00004.png"]


def test_a_resumed_run_draws_on(write_config: WriteConfig) -> None:
    first = fit(load_config(write_config(**FEW, trainer={"max_epochs": 2})))
    before = {frame.name: frame.read_bytes() for frame in first.folder.frames}
    (first.folder.progress / "epoch_00003.png").write_bytes(b"left by a process that was killed")
    (first.folder.progress / "epoch_00009.png").write_bytes(b"of a longer training before")
    run = fit(load_config(write_config(**FEW, trainer={"max_epochs": 3})), ckpt_path="last")
    assert run.folder == first.folder
    assert names(run) == ["epoch_00001.png", "epoch_00002.png", "epoch_00003.png"]
    assert all((run.folder.progress / name).read_bytes() == content for name, content in before.items())
    assert gif_length(run) == 3


def test_tensorboard_shows_a_picture_for_each_epoch_also_after_a_resume(write_config: WriteConfig) -> None:
    fit(load_config(write_config(**FEW, trainer={"max_epochs": 2})))
    run = fit(load_config(write_config(**FEW, trainer={"max_epochs": 3})), ckpt_path="last")
    events = EventAccumulator(str(run.folder.logs), size_guidance={IMAGES: 0})
    events.Reload()
    assert [event.step for event in events.Images("progress")] == [2, 5, 8]  # three batches in each epoch


def test_the_number_of_cases_is_that_of_the_config(write_config: WriteConfig) -> None:
    heights = []
    for cases in (1, 3):
        run = fit(load_config(write_config(**FEW, progress={"cases": cases}, trainer={"max_epochs": 1})))
        with Image.open(run.folder.frames[0]) as frame:
            heights.append(frame.height)
    assert heights[1] > 1.5 * heights[0]


def test_more_cases_than_there_are_are_no_mistake(write_config: WriteConfig) -> None:
    run = fit(load_config(write_config(**FEW, progress={"cases": 50}, trainer={"max_epochs": 1})))
    assert len(names(run)) == 1


def test_null_draws_nothing(write_config: WriteConfig) -> None:
    run = fit(load_config(write_config(**FEW, progress=None)))
    assert not run.folder.progress.exists()
    assert not run.folder.gif.exists()


def test_a_picture_shows_label_and_prediction_in_the_colours_of_the_classes(write_config: WriteConfig) -> None:
    run = fit(load_config(write_config(**FEW, trainer={"max_epochs": 1})))
    with Image.open(run.folder.frames[0]) as frame:
        pixels = np.asarray(frame)[60:300]
    for value in range(1, len(run.config.data.classes)):
        assert (pixels == class_colour(value)).all(axis=-1).any()


@pytest.mark.parametrize(("error", "animated"), [(RuntimeError("bug"), True), (Interrupted(15), False)])
def test_a_training_that_fails_leaves_its_gif_and_one_that_is_interrupted_ends_at_once(
    write_config: WriteConfig, monkeypatch: pytest.MonkeyPatch, error: BaseException, animated: bool
) -> None:
    from trainlib.callbacks.epochs import EpochTable

    original = EpochTable.on_train_epoch_start

    def fail(self: Any, trainer: Any, pl_module: Any) -> None:
        if trainer.current_epoch == 2:
            raise error
        original(self, trainer, pl_module)

    monkeypatch.setattr(EpochTable, "on_train_epoch_start", fail)
    config = load_config(write_config(**FEW, trainer={"max_epochs": 4}))
    with pytest.raises(type(error)):
        fit(config)
    run = load_run(config.run.root + "/tiny")
    assert len(names(run)) == 2
    assert run.folder.gif.is_file() == animated


def test_a_failing_picture_does_not_end_the_training(
    write_config: WriteConfig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("trainlib.callbacks.progress.segmentation.stack", fail)
    run = fit(load_config(write_config(**FEW)))
    assert len(run.metrics) == 2
    assert [r.getMessage() for r in caplog.records].count(
        "SegmentationProgress failed and is switched off: OSError: No space left on device."
    ) == 1


def test_the_caption_names_mean_and_classes() -> None:
    rows = [{"class": "a", "dice": 0.5, "outcome": "found"}, {"class": "b", "dice": 1.0, "outcome": "found"}]
    assert caption("case 1", rows) == "case 1   Dice 0.750   a 0.50   b 1.00"
    assert caption("case 1", rows[:1]) == "case 1   Dice 0.500"
    empty = [{"class": "a", "dice": float("nan"), "outcome": "absent"}]
    assert caption("case 1", empty) == "case 1   Dice: nothing to find"


def test_series_leave_out_what_was_not_logged(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text("epoch,step,train/loss,valid/dice,seconds\n0,6,1.5,,0.1\n1,12,1.25,0.5,0.1\n")
    assert read_series(path) == {"train/loss": [(1.0, 1.5), (2.0, 1.25)], "valid/dice": [(2.0, 0.5)]}
    assert read_series(tmp_path / "none.csv") == {}
