"""The table of epochs."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import torch

from trainlib.callbacks.epochs import EpochTable
from trainlib.folders.run import RunFolder


def run_epoch(table: EpochTable, epoch: int, validated: dict[str, float] | None) -> None:
    """Play the hooks of one epoch."""
    trainer: Any = SimpleNamespace(
        callback_metrics={"valid/old": torch.tensor(9.0)},
        current_epoch=epoch,
        global_step=10 * (epoch + 1),
        max_epochs=5,
        is_global_zero=True,
        sanity_checking=False,
        loggers=[],
    )
    table.on_train_epoch_start(trainer, None)
    trainer.callback_metrics["train/loss"] = torch.tensor(0.5)
    if validated is not None:
        table.on_validation_start(trainer, None)
        trainer.callback_metrics |= {name: torch.tensor(value) for name, value in validated.items()}
        table.on_validation_end(trainer, None)
    table.on_train_epoch_end(trainer, None)


def test_an_epoch_without_validation_shows_no_old_values(tmp_path: Path) -> None:
    table = EpochTable(RunFolder(tmp_path))
    run_epoch(table, 0, {"valid/dice": 0.25})
    run_epoch(table, 1, None)
    run_epoch(table, 2, {"valid/dice": 0.75, "valid/hd95": 3.0})
    rows = pd.read_csv(tmp_path / "logs" / "metrics.csv")
    assert list(rows.columns) == ["epoch", "step", "train/loss", "valid/dice", "valid/hd95", "seconds"]
    assert rows["valid/dice"].isna().tolist() == [False, True, False]
    assert rows["valid/hd95"].isna().tolist() == [True, True, False]
    assert rows["step"].tolist() == [10, 20, 30]


def test_a_resumed_run_drops_the_epochs_it_is_going_to_repeat(tmp_path: Path) -> None:
    first = EpochTable(RunFolder(tmp_path))
    for epoch in range(3):
        run_epoch(first, epoch, {"valid/dice": epoch / 10})
    before = (tmp_path / "logs" / "metrics.csv").read_text().splitlines()
    second = EpochTable(RunFolder(tmp_path))
    trainer: Any = SimpleNamespace(current_epoch=2)
    second.on_train_start(trainer, None)
    run_epoch(second, 2, {"valid/dice": 0.875})
    after = (tmp_path / "logs" / "metrics.csv").read_text().splitlines()
    assert after[:3] == before[:3]
    assert len(after) == 4
    assert ",0.875," in after[3]


def test_a_torn_line_of_an_epoch_to_come_is_written_again(tmp_path: Path) -> None:
    first = EpochTable(RunFolder(tmp_path))
    for epoch in range(3):
        run_epoch(first, epoch, {"valid/dice": epoch / 10})
    table = tmp_path / "logs" / "metrics.csv"
    before = table.read_text().splitlines()
    table.write_text(table.read_text()[:-8])
    second = EpochTable(RunFolder(tmp_path))
    trainer: Any = SimpleNamespace(current_epoch=2)
    second.on_train_start(trainer, None)
    run_epoch(second, 2, {"valid/dice": 0.2})
    after = table.read_text().splitlines()
    assert after[:3] == before[:3]
    assert after[3].rsplit(",", 1)[0] == before[3].rsplit(",", 1)[0]
