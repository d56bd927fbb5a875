"""Watchers of a run that write files into its folder; `build_callbacks` is the one table of them."""

from __future__ import annotations

import sys
from pathlib import Path

from lightning import Callback
from lightning.pytorch.callbacks import LearningRateMonitor

from trainlib.callbacks.bar import TrainingBar
from trainlib.callbacks.cases import CaseTable
from trainlib.callbacks.checkpoints import Overwriting, best_checkpoint, early_stopping, last_checkpoint
from trainlib.callbacks.debug import DebugChecks
from trainlib.callbacks.emissions import Emissions
from trainlib.callbacks.epochs import EpochLoss, EpochTable, LogFlush
from trainlib.callbacks.fingerprints import Fingerprints
from trainlib.callbacks.pictures import ImagePictures, SegmentationPictures
from trainlib.callbacks.predictions import PredictionWriter
from trainlib.callbacks.progress import make_progress
from trainlib.callbacks.pushover import Pushover
from trainlib.callbacks.snapshot import Record, Snapshot
from trainlib.callbacks.swallowed import SwallowedSignals
from trainlib.config.schema import Config
from trainlib.folders.run import RunFolder
from trainlib.processes import is_first

__all__ = ["Record", "build_callbacks"]


def build_callbacks(
    stage: str,
    config: Config,
    folder: RunFolder,
    *,
    predictions: Path | None = None,
    record: Record | None = None,
    debug: bool = False,
) -> list[Callback]:
    """Build the callbacks of a stage in the order in which they act.

    Args:
        stage: ``fit``, ``validate``, ``test`` or ``predict``.
        config: The config.
        folder: The run folder.
        predictions: Folder of the predicted files, for ``test`` and ``predict``.
        record: How the run was started, for ``fit``.
        debug: Whether to look for mistakes first, for ``fit``.
    """
    callbacks: list[Callback] = [SwallowedSignals()]
    if config.trainer.get("enable_progress_bar", sys.stderr.isatty()):
        callbacks.append(TrainingBar(config.checkpoint.monitor))
    if stage == "fit":
        callbacks += _of_training(config, folder, record or Record(), debug)
    if stage != "predict":
        callbacks.append(CaseTable(folder))
        if config.report is not None and stage != "fit":
            pictures = SegmentationPictures if config.task == "segmentation" else ImagePictures
            callbacks.append(pictures(folder))
    if predictions is not None:
        callbacks.append(PredictionWriter(predictions))
    if stage == "fit":
        # Lightning lets these act last: a checkpoint is written when all else of the epoch is on disk.
        callbacks += [LogFlush(), *early_stopping(config), best_checkpoint(config, folder), last_checkpoint(folder)]
    return callbacks


def _of_training(config: Config, folder: RunFolder, record: Record, debug: bool) -> list[Callback]:
    """Build what only a training has."""
    callbacks: list[Callback] = [
        EpochLoss(),
        Overwriting(folder),
        Snapshot(config, folder, record),
        Fingerprints(config, folder),
        EpochTable(folder),
    ]
    if debug:
        callbacks.append(DebugChecks(config, folder))
    if config.lr_monitor is not None:
        callbacks.append(LearningRateMonitor(config.lr_monitor.logging_interval))
    if config.progress is not None:
        callbacks.append(make_progress(config, folder, config.progress.cases))
    if config.pushover is not None and is_first():  # after the pictures that it sends
        callbacks.append(Pushover(config, folder))
    if config.emissions is not None:  # entered last, so that its file is complete when the others end
        callbacks.append(Emissions(config, folder))
    return callbacks
