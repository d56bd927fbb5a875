"""A run that dies at any moment continues from its last epoch and ends with the same bits."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.conftest import ROOT
from tests.test_run import without_times
from trainlib import fit, load_config, load_run
from trainlib.checkpoints.checkpoint import AtomicCheckpointIO
from trainlib.errors import CheckpointError, Interrupted
from trainlib.folders.results import Run
from trainlib.folders.run import RunFolder
from trainlib.trainer import tensorboard

WriteConfig = Callable[..., Path]
Cli = Callable[..., subprocess.CompletedProcess[str]]

# Sleeps in the training data, so that the test has time to strike in the middle of an epoch.
SLOW = """
import time
class Sleepd:
    def __init__(self): pass
    def __call__(self, data):
        time.sleep(0.15)
        return data
"""

# Ends the training in its third epoch of six cases, the first time.
STOP = """
from trainlib.errors import Interrupted
class Stopd:
    calls = 0
    def __init__(self): pass
    def __call__(self, data):
        Stopd.calls += 1
        if Stopd.calls == 15:
            raise Interrupted(15)
        return data
"""


def start(config: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start `trainlib fit` in a session of its own, as a shell does."""
    command = [sys.executable, "-m", "trainlib", "fit", "-c", str(config), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def wait_for_epochs(process: subprocess.Popen[str], run: Path, epochs: int) -> None:
    """Wait until `metrics.csv` has so many rows."""
    metrics = run / "logs" / "metrics.csv"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if metrics.is_file() and len(metrics.read_text().splitlines()) > epochs:
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    raise AssertionError("the training did not get that far")


def weights(run: Run) -> dict[str, torch.Tensor]:
    """The weights of the last checkpoint."""
    state: dict[str, torch.Tensor] = torch.load(run.folder.last, weights_only=True)["state_dict"]
    return state


@pytest.fixture
def slow_config(write_config: WriteConfig, tmp_path: Path) -> Path:
    """A training of 6 epochs of about a second."""
    (tmp_path / "slow.py").write_text(SLOW)
    config = load_config(write_config())
    train = [component.model_dump() for component in config.transforms.train]
    return write_config(
        transforms={"train": [*train, "Sleepd"]},
        patch={"transforms": str(tmp_path / "slow.py")},
        trainer={"max_epochs": 6},
    )


@pytest.mark.parametrize("workers", [pytest.param(0, marks=pytest.mark.slow), 2])
def test_a_killed_run_ends_with_the_bits_of_an_uninterrupted_one(
    slow_config: Path, tmp_path: Path, cli: Cli, workers: int
) -> None:
    straight = fit(load_config(slow_config, [f"run.root={tmp_path}/straight"]))
    process = start(slow_config, f"data.num_workers={workers}")
    wait_for_epochs(process, tmp_path / "runs" / "tiny", 3)
    time.sleep(0.4)  # into the next epoch
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    (tmp_path / "runs" / "tiny" / "checkpoints" / ".writing-x-last.ckpt").touch()  # as a kill may leave it
    assert cli("fit", "-c", slow_config, f"data.num_workers={workers}", "--ckpt_path", "last").returncode == 0
    resumed = load_run(tmp_path / "runs" / "tiny")
    assert not (tmp_path / "runs" / "tiny_2").exists()
    theirs = weights(straight)
    assert all(torch.equal(value, theirs[name]) for name, value in weights(resumed).items())
    assert without_times(resumed) == without_times(straight)
    assert resumed.folder.cases.read_bytes() == straight.folder.cases.read_bytes()
    assert (resumed.folder.snapshot / "resumed" / "command.txt").is_file()
    assert list(resumed.folder.path.rglob(".writing-*")) == []
    assert points(resumed) == [3 * epoch - 1 for epoch in range(1, 7)]


def points(run: Run, tag: str = "valid/loss") -> list[int]:
    """The steps at which TensorBoard shows a metric."""
    events = EventAccumulator(str(run.folder.logs))
    events.Reload()
    return [event.step for event in events.Scalars(tag)]


@pytest.mark.parametrize("epoch", [1, 3])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_tensorboard_has_neither_a_gap_nor_a_double_point_wherever_the_run_is_killed(
    write_config: WriteConfig, monkeypatch: pytest.MonkeyPatch, moment: str, epoch: int
) -> None:
    save = AtomicCheckpointIO.save_checkpoint

    def killed(self: AtomicCheckpointIO, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        now = Path(path).name == "last.ckpt" and checkpoint["epoch"] == epoch - 1
        if not now or moment == "after":
            save(self, checkpoint, path, storage_options)
        if now:
            raise Killed

    class Killed(BaseException):
        """Ends the run where a signal would."""

    config = load_config(write_config(data={"test_csv": None}, trainer={"max_epochs": 4}))
    monkeypatch.setattr(AtomicCheckpointIO, "save_checkpoint", killed)
    with pytest.raises(Killed):
        fit(config)
    monkeypatch.setattr(AtomicCheckpointIO, "save_checkpoint", save)
    resumed = fit(config, ckpt_path="last")
    for tag in ("train/loss", "valid/dice"):
        assert points(resumed, tag) == [2, 5, 8, 11]
    assert points(resumed, "lr-AdamW") == [0, 3, 6, 9]
    assert resumed.metrics["epoch"].tolist() == [0, 1, 2, 3]


def test_the_events_of_a_run_resumed_within_the_second_come_last(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.logs.mkdir()
    earlier = folder.logs / f"events.out.tfevents.{int(time.time()):010d}.z"
    earlier.touch()
    _ = tensorboard(folder, None).experiment
    assert min(folder.logs.iterdir()) == earlier


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_run_in_good_order(slow_config: Path, tmp_path: Path, number: int, status: int) -> None:
    process = start(slow_config, "data.num_workers=2")
    run = tmp_path / "runs" / "tiny"
    wait_for_epochs(process, run, 2)
    began = time.monotonic()
    os.killpg(process.pid, number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == status
    assert time.monotonic() - began < 10
    assert "Traceback" not in errors
    assert f"trainlib fit -c {slow_config} data.num_workers=2 --ckpt_path {run / 'checkpoints/last.ckpt'}" in errors
    assert list(run.rglob(".writing-*")) == []
    epochs = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["epoch"]
    assert pd.read_csv(run / "logs" / "metrics.csv")["epoch"].max() in (epochs, epochs + 1)


def test_resuming_a_run_that_has_no_checkpoint_yet_starts_it_in_its_folder(slow_config: Path, tmp_path: Path) -> None:
    process = start(slow_config)
    run = tmp_path / "runs" / "tiny"
    deadline = time.monotonic() + 60
    while not (run / "snapshot" / "command.txt").is_file() and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert not (run / "checkpoints" / "last.ckpt").exists()
    resumed = fit(load_config(slow_config, ["trainer.max_epochs=1"]), ckpt_path="last")
    assert resumed.folder.path == run
    assert len(resumed.metrics) == 1


@pytest.mark.parametrize(
    "scheduler",
    [
        "OneCycleLR",
        {"StepLR": {"step_size": 1, "gamma": 0.5}},
        "CosineAnnealingLR",
        {"WarmupCosineSchedule": {"warmup_steps": 3}},
        {"ReduceLROnPlateau": {"patience": 0}},
    ],
)
def test_every_kind_of_schedule_continues_to_the_bit(
    write_config: WriteConfig, tmp_path: Path, scheduler: object
) -> None:
    script = tmp_path / f"stop_{len(str(scheduler))}.py"
    script.write_text(STOP)
    train = [component.model_dump() for component in load_config(write_config()).transforms.train]
    path = write_config(
        scheduler=scheduler,
        trainer={"max_epochs": 5},
        transforms={"train": [*train, "Stopd"]},
        patch={"transforms": str(script)},
    )
    with pytest.raises(Interrupted):
        fit(load_config(path))
    resumed = fit(load_config(path), ckpt_path="last")
    straight = fit(load_config(path, ["run.name=straight"]))
    theirs = weights(straight)
    assert all(torch.equal(value, theirs[name]) for name, value in weights(resumed).items())
    assert without_times(resumed) == without_times(straight)


def rates_of(run: Run) -> list[float]:
    """The learning rate of each epoch, under whichever of the optimizers' names."""
    return run.metrics.filter(regex="^lr-").bfill(axis=1).iloc[:, 0].tolist()


def test_a_longer_training_continues_as_if_it_had_been_planned(write_config: WriteConfig) -> None:
    short = fit(load_config(write_config(trainer={"max_epochs": 2})))
    longer = load_config(write_config(trainer={"max_epochs": 4}))
    resumed = fit(longer, ckpt_path=short.folder.last)
    planned = fit(longer)
    assert resumed.folder.path == short.folder.path
    assert rates_of(resumed)[2:] == rates_of(planned)[2:]


def test_the_learning_rate_of_the_config_wins_over_the_checkpoint(write_config: WriteConfig) -> None:
    first = fit(load_config(write_config(scheduler=None)))
    config = load_config(write_config(scheduler=None, optimizer={"AdamW": {"lr": 5e-4}}, trainer={"max_epochs": 3}))
    rates = rates_of(fit(config, ckpt_path="last"))
    assert rates == pytest.approx([0.01, 0.01, 5e-4])
    assert first.config.optimizer.kwargs == {"lr": 0.01}


def test_another_kind_of_optimizer_starts_without_the_memory_of_the_old_one(write_config: WriteConfig) -> None:
    fit(load_config(write_config()))
    sgd = {"SGD": {"lr": 0.01, "momentum": 0.9}}
    config = load_config(write_config(optimizer=sgd, scheduler=None, trainer={"max_epochs": 3}))
    resumed = fit(config, ckpt_path="last")
    [state] = torch.load(resumed.folder.last, weights_only=True)["optimizer_states"]
    assert state["param_groups"][0]["momentum"] == 0.9
    assert set(state["state"][0]) == {"momentum_buffer"}


ADAMW = {"optimizer": {"AdamW": {"lr": 0.01}}, "scheduler": "OneCycleLR"}
SGD = {"optimizer": {"SGD": {"lr": 0.02}}, "scheduler": "OneCycleLR"}
WARMUP = {"optimizer": {"AdamW": {"lr": 0.01}}, "scheduler": {"WarmupCosineSchedule": {"warmup_steps": 3}}}
CONSTANT = {"optimizer": {"AdamW": {"lr": 0.01}}, "scheduler": None}
SCRIPT = {"patch": {"optimizer": str(ROOT / "patches" / "optimizer.py")}, "scheduler": None}


@pytest.mark.parametrize(
    ("before", "now"),
    [(ADAMW, SCRIPT), (SCRIPT, ADAMW), (ADAMW, WARMUP), (WARMUP, CONSTANT), (CONSTANT, WARMUP), (WARMUP, SGD)],
    ids=["two groups", "one group", "other schedule", "no schedule", "first schedule", "both"],
)
def test_another_kind_of_optimizer_or_schedule_goes_on_as_if_it_had_been_planned(
    write_config: WriteConfig, before: dict[str, Any], now: dict[str, Any]
) -> None:
    short = fit(load_config(write_config(**before, data={"test_csv": None}, trainer={"max_epochs": 1})))
    config = load_config(write_config(**now, data={"test_csv": None}, trainer={"max_epochs": 3}))
    resumed = fit(config, ckpt_path=short.folder.last)
    planned = fit(config)
    assert rates_of(resumed)[1:] == rates_of(planned)[1:]
    assert settings_of_groups(resumed) == settings_of_groups(planned)


def settings_of_groups(run: Run) -> list[dict[str, Any]]:
    """The settings of the optimizer's groups of parameters in the last checkpoint."""
    [state] = torch.load(run.folder.last, weights_only=True)["optimizer_states"]
    groups: list[dict[str, Any]] = state["param_groups"]
    # what another schedule had written is not cleared, and nothing reads it
    return [{name: group[name] for name in ("params", "lr", "weight_decay")} for group in groups]


def test_a_run_that_stopped_early_trains_nothing_more(
    write_config: WriteConfig, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    frozen = {"optimizer": {"SGD": {"lr": 1e-12}}, "scheduler": None, "trainer": {"max_epochs": 6}}
    config = load_config(write_config(early_stopping={"patience": 1}, **frozen))
    caplog.set_level("INFO", logger="trainlib")

    def die(*_: Any) -> None:
        raise Interrupted(15)

    with monkeypatch.context() as patched:
        patched.setattr("trainlib.run.training.evaluate", die)
        with pytest.raises(Interrupted):
            fit(config)
    folder = RunFolder(Path(config.run.root) / config.run.name)
    files = [folder.best, folder.last, folder.metrics]
    before = [file.read_bytes() for file in files]
    assert len(pd.read_csv(folder.metrics)) == 2
    resumed = fit(config, ckpt_path="last")
    assert [file.read_bytes() for file in files] == before
    assert set(resumed.cases["split"]) == {"valid", "test"}
    lines = [record.getMessage() for record in caplog.records if record.getMessage().startswith("Stopped early")]
    assert lines == ["Stopped early: valid/dice has not improved for 1 validation."] * 2
    longer = load_config(write_config(early_stopping={"patience": 2}, **frozen))
    assert len(fit(longer, ckpt_path="last").metrics) == 3


def test_a_moved_run_keeps_its_best_checkpoint(write_config: WriteConfig, tmp_path: Path) -> None:
    fit(load_config(write_config()))
    run = load_run((tmp_path / "runs").rename(tmp_path / "elsewhere") / "tiny")
    state = torch.load(run.folder.last, weights_only=True)
    best = next(value for key, value in state["callbacks"].items() if "'valid/dice'" in key)
    best["best_model_score"] = best["kth_value"] = torch.tensor(2.0)  # better than any that is to come
    best["best_k_models"] = dict.fromkeys(best["best_k_models"], torch.tensor(2.0))
    torch.save(state, run.folder.last)
    before = run.folder.best.read_bytes()
    config = load_config(write_config(run={"root": str(tmp_path / "elsewhere")}, trainer={"max_epochs": 3}))
    resumed = fit(config, ckpt_path="last")
    assert len(resumed.metrics) == 3
    assert resumed.folder.best.read_bytes() == before


def test_checkpoints_are_written_through_trainlib(write_config: WriteConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    saved = []
    save = AtomicCheckpointIO.save_checkpoint

    def watched(self: AtomicCheckpointIO, checkpoint: dict[str, Any], path: str, storage_options: Any = None) -> None:
        saved.append(Path(path).name)
        save(self, checkpoint, path, storage_options)

    monkeypatch.setattr(AtomicCheckpointIO, "save_checkpoint", watched)
    fit(load_config(write_config(data={"test_csv": None}, trainer={"max_epochs": 1})))
    assert saved == ["best.ckpt", "last.ckpt"]


def test_the_class_weights_of_the_config_win_over_the_checkpoint(write_config: WriteConfig) -> None:
    fit(load_config(write_config(loss={"DiceCELoss": {"weight": [1.0, 1.0, 1.0]}}, trainer={"max_epochs": 1})))
    config = load_config(write_config(loss={"DiceCELoss": {"weight": [1.0, 5.0, 5.0]}}))
    resumed = fit(config, ckpt_path="last")
    state = torch.load(resumed.folder.last, weights_only=True)["state_dict"]
    buffers = [value.tolist() for name, value in state.items() if name.startswith("loss.")]
    assert buffers
    assert all(value == [1.0, 5.0, 5.0] for value in buffers)


def test_another_network_is_refused_with_its_key(write_config: WriteConfig) -> None:
    run = fit(load_config(write_config()))
    config = load_config(write_config(model={"UNet": {"channels": [8, 16], "strides": [2]}}))
    with pytest.raises(CheckpointError, match=r"model\.UNet\.channels is \[8, 16\]"):
        fit(config, ckpt_path=run.folder.last)


def test_a_truncated_checkpoint_is_told_in_a_sentence(write_config: WriteConfig) -> None:
    run = fit(load_config(write_config(trainer={"max_epochs": 1})))
    content = run.folder.last.read_bytes()
    run.folder.last.write_bytes(content[: len(content) // 2])
    with pytest.raises(CheckpointError, match=r"last\.ckpt cannot be read as a checkpoint"):
        fit(run.config, ckpt_path="last")
