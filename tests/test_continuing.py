"""From which checkpoint a run goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from trainlib.checkpoints.continuing import checkpoint_of, read_to_continue
from trainlib.errors import CheckpointError
from trainlib.folders.run import RunFolder

WANTED = r"^--ckpt_path {}: there is no checkpoint .*/checkpoints/{}\.ckpt\. "


def make(folder: RunFolder, rows: int, **epochs: int) -> None:
    """Make a run with so many rows in its table, and checkpoints of so many epochs."""
    folder.logs.mkdir()
    folder.checkpoints.mkdir()
    folder.config.write_text("run: {name: heart}\n")
    folder.metrics.write_text("epoch,seconds\n" + "".join(f"{epoch},1.0\n" for epoch in range(rows)))
    for name, count in epochs.items():
        content: dict[str, Any] = {
            "trainlib": {
                "config": {"data": {}, "patch": {"optimizer": None}, "optimizer": "AdamW", "scheduler": None},
                **{"optimizer": {}, "horizon": [9, 27]},
            },
            "loops": {"fit_loop": {"epoch_progress": {"current": {"processed": count}}}},
            **{"state_dict": {}, "optimizer_states": [], "lr_schedulers": []},
            **{"epoch": count - 1, "global_step": 3 * count, "pytorch-lightning_version": "2.6.6"},
        }
        torch.save(content, folder.checkpoints / f"{name}.ckpt")


@pytest.mark.parametrize("which", ["last", "best"])
def test_the_one_that_was_asked_for(tmp_path: Path, which: str) -> None:
    folder = RunFolder(tmp_path)
    make(folder, 3, last=3, best=2)
    assert checkpoint_of(folder, which) == folder.checkpoints / f"{which}.ckpt"


@pytest.mark.parametrize("which", ["last", "best"])
@pytest.mark.parametrize(("rows", "epochs"), [(0, {}), (1, {}), (1, {"best": 1})])
def test_a_run_that_died_in_its_first_epoch_has_none(
    tmp_path: Path, which: str, rows: int, epochs: dict[str, int]
) -> None:
    folder = RunFolder(tmp_path)
    make(folder, rows, **epochs)
    assert checkpoint_of(folder, which) == (folder.best if which == "best" and epochs else None)


@pytest.mark.parametrize(
    ("rows", "epochs", "remedy"),
    [
        (
            3,
            {"best": 2},
            "Go on after epoch 2, which is whole, with --ckpt_path .*/best.ckpt; or leave --ckpt_path out",
        ),
        (0, {"best": 2}, "Go on after epoch 2"),
        (2, {}, "has no other checkpoint that can be read: leave --ckpt_path out to train anew in a new folder"),
    ],
)
def test_a_last_one_that_was_lost_is_missed(tmp_path: Path, rows: int, epochs: dict[str, int], remedy: str) -> None:
    folder = RunFolder(tmp_path)
    make(folder, rows, **epochs)
    with pytest.raises(CheckpointError, match=WANTED.format("last", "last") + f".*{remedy}"):
        checkpoint_of(folder, "last")


def test_a_best_one_that_is_not_there_yet_is_missed(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    make(folder, 1, last=1)
    with pytest.raises(CheckpointError, match=WANTED.format("best", "best") + "Go on after epoch 1, .*/last.ckpt;"):
        checkpoint_of(folder, "best")


@pytest.mark.parametrize(("name", "other"), [("last", "best"), ("best", "last")])
def test_of_a_damaged_one_the_other_is_named(tmp_path: Path, name: str, other: str) -> None:
    folder = RunFolder(tmp_path)
    make(folder, 3, last=3, best=3)
    path = folder.checkpoints / f"{name}.ckpt"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(
        CheckpointError, match=rf"{name}\.ckpt cannot be read .* Go on after epoch 3, .*/{other}\.ckpt;"
    ):
        read_to_continue(path)


def test_a_checkpoint_of_elsewhere_has_no_other(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"^--ckpt_path: there is no checkpoint .*/last\.ckpt\.$"):
        read_to_continue(tmp_path / "last.ckpt")
