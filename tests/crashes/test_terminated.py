"""SIGTERM, as SLURM and Kubernetes send it, ends a run at any moment, and the same command again goes on."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.crashes.comparing import differences
from tests.zygote import ROOT, Ended, Zygote

IN_GROUP = {"group": True}
TWICE = {"group": True, "twice": True}
# Of one training, one after the other; each process sends the signal to itself when the moment comes.
MOMENTS: list[tuple[str, int, dict[str, Any]]] = [
    ("begin *.safetensors", 2, IN_GROUP),
    ("begin *.safetensors", 2, {}),
    ("written command.txt", 1, IN_GROUP),
    ("train", 2, {}),
    ("train", 5, TWICE),
    ("valid", 2, TWICE),
    ("written last.ckpt", 1, IN_GROUP),
    ("test", 2, IN_GROUP),
    ("written report.html", 1, TWICE),
]


def assert_ended_in_good_order(ended: Ended, status: int = 143) -> None:
    """A status, a word, and neither a traceback nor a wait."""
    assert ended.status == status, ended
    assert "Interrupted." in ended.errors
    assert "Traceback" not in ended.errors
    assert "Exception ignored" not in ended.errors
    assert ended.seconds < 10


def test_a_run_terminated_nine_times_ends_with_the_bits_of_an_uninterrupted_one(
    zygote: Zygote, training: Path, straight: Path, tmp_path: Path
) -> None:
    command = ("fit", "-c", training, f"run.root={tmp_path}", "data.num_workers=2", "--ckpt_path", "last")
    for moment, nth, how in MOMENTS:
        ended = zygote.run(*command, strike={"moment": moment, "nth": nth, **how})
        assert_ended_in_good_order(ended)
        assert list(tmp_path.glob("tiny*/**/.writing-*")) == []
    ended = zygote.run(*command)
    assert ended.status == 0, ended.errors
    assert [path.name for path in tmp_path.glob("tiny*")] == ["tiny"]
    assert differences(tmp_path / "tiny", straight) == []


@pytest.mark.parametrize("moment", ["begin *.safetensors", "written command.txt"])
def test_a_run_that_has_not_begun_leaves_no_folder(zygote: Zygote, training: Path, tmp_path: Path, moment: str) -> None:
    ended = zygote.run("fit", "-c", training, f"run.root={tmp_path}", strike={"moment": moment})
    assert_ended_in_good_order(ended)
    assert list(tmp_path.glob("tiny*")) == []


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        ("valid", "Interrupted. It goes on from epoch 2 of 3 with:"),
        ("test", "All epochs are trained; it goes on with:"),
    ],
)
def test_it_says_where_the_run_goes_on(zygote: Zygote, training: Path, tmp_path: Path, moment: str, words: str) -> None:
    strike = {"moment": moment, "nth": 1 if moment == "test" else 4, "number": signal.SIGINT}
    ended = zygote.run("fit", "-c", training, f"run.root={tmp_path}", strike=strike)
    assert_ended_in_good_order(ended, 130)
    assert words in ended.errors
    last = tmp_path / "tiny" / "checkpoints" / "last.ckpt"
    assert f"  trainlib fit -c {training} run.root={tmp_path} --ckpt_path {last}\n" in ended.errors
    assert torch.load(last, weights_only=True)["epoch"] == (2 if moment == "test" else 0)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("wait", [0.0, 1.5])
def test_a_signal_during_the_imports_ends_the_command_with_a_word(
    training: Path, tmp_path: Path, number: int, status: int, wait: float
) -> None:
    command = [sys.executable, "-m", "trainlib", "fit", "-c", str(training), f"run.root={tmp_path}"]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    _wait_until_it_catches(number, process)
    time.sleep(wait)
    os.kill(process.pid, number)
    _, errors = process.communicate(timeout=10)
    assert process.returncode == status, errors
    assert errors == "Interrupted.\n"
    assert list(tmp_path.iterdir()) == []


def _wait_until_it_catches(number: int, process: subprocess.Popen[str]) -> None:
    """Wait until a process has a handler for a signal."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        caught = re.search(r"SigCgt:\t(\w+)", Path(f"/proc/{process.pid}/status").read_text())
        if caught and int(caught[1], 16) >> (signal.SIGTERM - 1) & int(caught[1], 16) >> (number - 1) & 1:
            return
        time.sleep(0.01)
    raise AssertionError("it never did")
