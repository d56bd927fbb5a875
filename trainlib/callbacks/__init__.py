"""Watchers of a run that write files into its folder; `build_callbacks` is the one table of them."""

from __future__ import annotations

from pathlib import Path

from lightning import Callback
from lightning.pytorch.callbacks import LearningRateMonitor

from trainlib.callbacks.cases import CaseTable
from trainlib.callbacks.checkpoints import best_checkpoint, early_stopping, last_checkpoint
from trainlib.callbacks.epochs import EpochTable
from trainlib.callbacks.predictions import PredictionWriter
from trainlib.callbacks.snapshot import Record, Snapshot
from trainlib.config.schema import Config
from trainlib.folder import RunFolder

__all__ = ["Record", "build_callbacks"]


def build_callbacks(
    stage: str, config: Config, folder: RunFolder, *, predictions: Path | None = None, record: Record | None = None
) -> list[Callback]:
    """Build the callbacks of a stage in the order in which they act.

    Args:
        stage: ``fit``, ``validate``, ``test`` or ``predict``.
        config: The config.
        folder: The run folder.
        predictions: Folder of the predicted files, for ``test`` and ``predict``.
        record: How the run was started, for ``fit``.
    """
    callbacks: list[Callback] = []
    if stage == "fit":
        callbacks += [Snapshot(config, folder, record or Record()), EpochTable(folder)]
        if config.lr_monitor is not None:
            callbacks.append(LearningRateMonitor(config.lr_monitor.logging_interval))
    if stage != "predict":
        callbacks.append(CaseTable(folder))
    if predictions is not None:
        callbacks.append(PredictionWriter(predictions))
    if stage == "fit":
        # Lightning lets these act last: a checkpoint is written when all else of the epoch is on disk.
        callbacks += [*early_stopping(config), best_checkpoint(config, folder), last_checkpoint(folder)]
    return callbacks
