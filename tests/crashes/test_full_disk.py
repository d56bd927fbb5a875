"""A disk that fills up ends a run with a sentence and leaves a checkpoint from which it goes on to the same bits."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.crashes.comparing import differences
from tests.zygote import Ended, Zygote

# Predictions are written by a thread beside the pictures: either may be the first that finds no room.
OF_A_CASE = ["/predictions/case_", "/pictures/test/"]


def assert_told(ended: Ended, *files: str) -> None:
    """The sentence names the file, or one of several, and how full the disk is; there is no traceback."""
    assert ended.status == 1, ended
    assert "Traceback" not in ended.out + ended.errors, ended
    [line] = [line for line in ended.errors.splitlines() if " cannot be written: the disk is full (" in line]
    assert any(file in line.split(" cannot be written")[0] for file in files), ended.errors
    assert " of 25.2 MB). Free some space there" in ended.errors, ended.errors


@pytest.mark.parametrize(
    ("moment", "nth", "file", "epochs"),
    [
        ("begin best.ckpt", 2, "checkpoints/best.ckpt", 1),
        ("begin last.ckpt", 2, "checkpoints/last.ckpt", 1),
        ("begin metrics.csv", 3, "logs/metrics.csv", 2),
        ("begin epoch_00002.png", 1, "progress/epoch_00002.png", 1),
        ("renamed epoch_00003.png", 1, "logs", 2),  # TensorBoard's file is the next
        ("begin cases.csv", 1, "cases.csv", 0),
        ("begin config.yaml", 1, "config.yaml", 0),
        ("begin requirements.txt", 1, "requirements.txt", 0),
    ],
)
def test_a_disk_that_fills_up_during_a_training_ends_it_with_a_sentence(
    zygote: Zygote, training: Path, straight: Path, small_disk: Path, moment: str, nth: int, file: str, epochs: int
) -> None:
    command = ("fit", "-c", training, f"run.root={small_disk}", f"data.cache_dir={small_disk.parent}/cache")
    ended = zygote.run(*command, strike={"moment": moment, "nth": nth, "fill": str(small_disk)})
    assert_told(ended, file)
    run = small_disk / "tiny"
    if not epochs:
        assert file == "cases.csv" or not run.exists()
        return
    assert torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["epoch"] == epochs - 1
    assert f"It goes on from epoch {epochs + 1} of 3 with:\n  trainlib fit -c {training}" in ended.errors
    assert list(run.rglob(".writing-*")) == []
    if nth == 2:
        (small_disk / "filler").unlink()
        assert zygote.run(*command, "--ckpt_path", "last").status == 0
        assert differences(run, straight) == []


def test_a_disk_that_fills_up_after_a_training_loses_nothing_of_it(
    zygote: Zygote, training: Path, straight: Path, small_disk: Path
) -> None:
    command = ("fit", "-c", training, f"run.root={small_disk}", "--ckpt_path", "last")
    for moment, files in [
        ("begin progress.gif", ["progress.gif"]),
        ("begin *.nii.gz", OF_A_CASE),
        ("begin case_009.png", OF_A_CASE),
        ("begin predictions.csv", ["predictions/predictions.csv"]),
        ("begin report.html", ["report.html"]),
    ]:
        ended = zygote.run(*command, strike={"moment": moment, "fill": str(small_disk)})
        assert_told(ended, *files)
        assert "All epochs are trained; it goes on with:" in ended.errors
        (small_disk / "filler").unlink()
    assert zygote.run(*command).status == 0
    assert differences(small_disk / "tiny", straight) == []


@pytest.mark.parametrize("workers", [0, 2])
def test_a_cache_that_finds_no_room_is_told_once(
    zygote: Zygote, training: Path, small_disk: Path, tmp_path: Path, workers: int
) -> None:
    settings = (f"run.root={tmp_path}/runs", f"data.cache_dir={small_disk}/cache", f"data.num_workers={workers}")
    strike = {"moment": "begin *.safetensors", "fill": str(small_disk)}
    ended = zygote.run("fit", "-c", training, *settings, strike=strike)
    assert_told(ended, ".safetensors")
    assert ended.errors.count("\n") == 1
    assert "or name another folder in data.cache_dir, or set data.cache to memory or none." in ended.errors
    assert not (tmp_path / "runs").exists()
