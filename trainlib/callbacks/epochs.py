"""The figures of each epoch: a row in metrics.csv and a point in TensorBoard."""

from __future__ import annotations

import logging
import re
import time
from pathlib import Path
from typing import Any

from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger

from trainlib.folders.run import RunFolder
from trainlib.system.diskspace import room_for
from trainlib.system.files import read_rows, write_table

log = logging.getLogger(__name__)

SECONDS = "seconds"
"""The one column that differs between two runs of the same config."""


class EpochTable(Callback):
    """Writes what was logged in each epoch, and goes on where a resumed run stopped.

    The tasks leave it to this callback to write them to TensorBoard too.

    Args:
        folder: The run folder.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self._rows: list[dict[str, str]] = []
        self._validated: dict[str, Any] = {}
        self._began = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Read the rows of the epochs that the checkpoint has behind it; later ones will be trained again."""
        rows = read_rows(self.folder.metrics, lambda row: row.get("epoch", "").isdigit())
        self._rows = [row for row in rows if int(row["epoch"]) < trainer.current_epoch]

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self._began = time.monotonic()
        self._validated = {}

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget the last validation: Lightning keeps showing metrics that are not computed every time."""
        for name in _validated(trainer):
            del trainer.callback_metrics[name]

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep what this validation logged, for an epoch without one has nothing to show."""
        if not trainer.sanity_checking:
            self._validated = _validated(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Add the row of the epoch."""
        validated = _validated(trainer)
        trained = {name: value for name, value in trainer.callback_metrics.items() if name not in validated}
        row = {"epoch": str(trainer.current_epoch), "step": str(trainer.global_step)}
        row |= {name: f"{float(value):.9g}" for name, value in {**trained, **self._validated}.items()}
        figures = {name: float(value) for name, value in {**trained, **self._validated}.items() if not _is_rate(name)}
        for logger in trainer.loggers:
            # Lightning itself would log them after the checkpoint is written, and a kill in between lose them.
            with room_for(self.folder.logs):
                logger.log_metrics(figures, step=trainer.global_step - 1)
        row[SECONDS] = f"{time.monotonic() - self._began:.3f}"
        self._rows.append(row)
        if trainer.is_global_zero:
            self._write()
            log.info("%s", self._line(row, trainer))

    def _write(self) -> None:
        columns = dict.fromkeys(name for row in self._rows for name in row if name != SECONDS)
        write_table(self.folder.metrics, self._rows, [*columns, SECONDS])

    def _line(self, row: dict[str, str], trainer: Trainer) -> str:
        """Write the headline figures of an epoch in one line; counts of failures only where there are any."""
        shown = {
            name: value
            for name, value in row.items()
            if re.fullmatch("(train|valid)/[^/]+", name) and (value != "0" or name.endswith("/loss"))
        }
        figures = "  ".join(f"{name} {float(value):.4g}" for name, value in shown.items())
        return f"epoch {int(row['epoch']) + 1}/{trainer.max_epochs}  {figures}  {row[SECONDS]} s"


class EpochLoss(Callback):
    """Logs the training loss of an epoch before other callbacks ask for it, all of which act before the task."""

    def on_train_epoch_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Let the task log it, unless there was no batch to learn from."""
        if pl_module.train_loss.cases:
            pl_module.log_train_loss()


class LogFlush(Callback):
    """Brings what TensorBoard was told of an epoch to the disk before the epoch's checkpoint is written."""

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Wait for TensorBoard's writer."""
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                with room_for(Path(logger.log_dir)):
                    logger.experiment.flush()


def _is_rate(name: str) -> bool:
    """Tell whether a figure is a learning rate, which Lightning's monitor logs at the start of an epoch."""
    return name.startswith("lr-")


def _validated(trainer: Trainer) -> dict[str, Any]:
    """Return the metrics of the validation; the others are of the training epoch."""
    return {name: value for name, value in trainer.callback_metrics.items() if name.startswith("valid/")}
