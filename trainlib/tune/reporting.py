"""Tell Ray of a trial's progress after every validation."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint

from trainlib.errors import ResourceError
from trainlib.folders.run import RunFolder
from trainlib.folders.searches import Report, reports_of

Tell = Callable[[Report, bool], None]
"""Takes a report, and whether the training is over with it."""


class TrialReport(Checkpoint):
    """Reports when all else of an epoch is on disk: Lightning lets checkpoints act last, in their order.

    Args:
        folder: The run folder.
        metric: The metric that decides.
        mode: ``min`` or ``max``, whichever is better.
        tell: Takes the report; where the trial is to end it does not return.
    """

    def __init__(self, folder: RunFolder, metric: str, mode: str, tell: Tell) -> None:
        self._folder = folder
        self._metric = metric
        self._mode = mode
        self._tell = tell
        self._validated = False

    @property
    def state_key(self) -> str:
        """Name the state, of which there is none."""
        return type(self).__qualname__

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget the validation of the epoch before."""
        self._validated = False

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Remember that there is something to report."""
        self._validated = not trainer.sanity_checking

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Report.

        Raises:
            ResourceError: The loss is no number any more, so that the trial has failed.
        """
        loss: Any = trainer.callback_metrics.get("train/loss")
        if loss is not None and not math.isfinite(float(loss)):
            raise ResourceError(f"train/loss is {float(loss)} after epoch {trainer.current_epoch + 1}: it diverged.")
        if not (self._validated or self._metric.startswith("train/")):
            return
        reports = reports_of(self._folder, self._metric, self._mode)
        if reports and reports[-1].epoch == trainer.current_epoch + 1:
            self._tell(reports[-1], is_over(trainer))


def is_over(trainer: Trainer) -> bool:
    """Tell at the end of an epoch whether nothing is trained after it, nor by whoever goes on from its checkpoint."""
    epochs, steps = trainer.current_epoch + 1, trainer.global_step
    enough = trainer.max_epochs is not None and 0 <= trainer.max_epochs <= epochs
    stopped = trainer.should_stop and epochs >= (trainer.min_epochs or 0) and steps >= (trainer.min_steps or 0)
    return stopped or enough or 0 <= trainer.max_steps <= steps
