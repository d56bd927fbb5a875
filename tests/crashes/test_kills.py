"""A run that SIGKILL ends at any moment goes on to the bits of one that nothing has interrupted."""

from __future__ import annotations

import shutil
from pathlib import Path
from signal import SIGKILL, SIGTERM

import pytest
import torch

from tests.crashes.comparing import differences
from tests.zygote import Zygote

# Of one training, one after the other: the moment, and which time it comes in a process.
MOMENTS = [
    ("begin *.safetensors", 3),
    ("begin command.txt", 1),
    ("train", 5),
    ("written best.ckpt", 1),
    ("valid", 4),
    ("renamed metrics.csv", 1),
    ("test", 2),
    ("written *.nii.gz", 2),
    ("written report.html", 1),
]


def test_a_run_killed_nine_times_ends_with_the_bits_of_an_uninterrupted_one(
    zygote: Zygote, training: Path, straight: Path, tmp_path: Path
) -> None:
    command = ("fit", "-c", training, f"run.root={tmp_path}", "--ckpt_path", "last")
    for i, (moment, nth) in enumerate(MOMENTS):
        workers = f"data.num_workers={2 * (i % 2)}"
        ended = zygote.run(*command, workers, strike={"moment": moment, "nth": nth, "number": SIGKILL})
        assert ended.status == -SIGKILL, (moment, ended)
    assert zygote.run(*command).status == 0
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(".")] == ["tiny"]
    assert differences(tmp_path / "tiny", straight) == []
    assert list((tmp_path / "tiny").rglob(".writing-*")) == []


@pytest.mark.parametrize(
    ("moment", "best", "last"),
    [("written best.ckpt", 0, 0), ("written last.ckpt", 1, 0), ("renamed last.ckpt", 1, 1)],
)
def test_a_kill_while_checkpoints_are_written_leaves_whole_ones(
    zygote: Zygote, training: Path, tmp_path: Path, moment: str, best: int, last: int
) -> None:
    strike = {"moment": moment, "nth": 2, "number": SIGKILL}
    assert zygote.run("fit", "-c", training, f"run.root={tmp_path}", strike=strike).status == -SIGKILL
    checkpoints = tmp_path / "tiny" / "checkpoints"
    epochs = {path.name: torch.load(path, weights_only=True)["epoch"] for path in checkpoints.glob("[bl]*.ckpt")}
    assert epochs == {"best.ckpt": best, "last.ckpt": last}
    assert len(list(checkpoints.glob(".writing-*"))) == (0 if moment.startswith("renamed") else 1)


def test_what_a_kill_has_left_half_written_is_swept_at_the_resume(
    zygote: Zygote, training: Path, straight: Path, tmp_path: Path
) -> None:
    command = ("fit", "-c", training, f"run.root={tmp_path}", "--ckpt_path", "last")
    run = tmp_path / "tiny"
    for name in ("command.txt", "last.ckpt"):  # of a folder, and of a file
        zygote.run(*command, strike={"moment": f"written {name}", "number": SIGKILL})
        [left] = [path for path in run.rglob(".writing-*") if path.parent.name in ("tiny", "checkpoints")]
        if left.is_file():
            left.write_bytes(left.read_bytes()[:1000])
        zygote.run(*command, strike={"moment": "train", "number": SIGTERM})
        assert not left.exists()
    assert zygote.run(*command).status == 0
    assert differences(run, straight) == []


def content(run: Path) -> dict[Path, bytes]:
    """The files of a run but for its lock, which says who looked at it last."""
    files = [path for path in run.rglob("*") if path.is_file() and path.name != ".lock"]
    return {path: path.read_bytes() for path in files}


@pytest.mark.parametrize("moment", ["begin config.yaml", "train", "written last.ckpt"])
def test_a_run_that_is_overwritten_outlives_a_kill_of_the_new_one(
    zygote: Zygote, training: Path, straight: Path, tmp_path: Path, moment: str
) -> None:
    shutil.copytree(straight, tmp_path / "tiny")
    before = content(tmp_path / "tiny")
    command = ("fit", "-c", training, f"run.root={tmp_path}")
    ended = zygote.run(*command, "run.overwrite=true", strike={"moment": moment, "nth": 1, "number": SIGKILL})
    assert ended.status == -SIGKILL
    assert zygote.run(*command, "trainer.max_epochs=1").status == 0
    assert [path.name for path in sorted(tmp_path.iterdir()) if path.name != ".cache"] == ["tiny", "tiny_2"]
    assert content(tmp_path / "tiny") == before
