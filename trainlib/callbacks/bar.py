"""The progress bar: one for the whole training, with loss, metric and the time that is left."""

from __future__ import annotations

import sys
import time
from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import ProgressBar
from tqdm import tqdm

from trainlib.callbacks.harmless import harmless

_INTERVAL = 0.2  # seconds between two readings of the loss, each of which waits for a GPU


class TrainingBar(ProgressBar):
    """Shows how far a training, a validation, a test or a prediction has come, and nothing once it is over.

    Args:
        metric: The logged metric that is shown beside the loss.
    """

    def __init__(self, metric: str) -> None:
        super().__init__()
        self.metric = metric
        self._enabled = True
        self._bar: tqdm[Any] | None = None
        self._inner: tqdm[Any] | None = None
        self._read = 0.0
        self._figures: dict[str, str] = {}

    def disable(self) -> None:
        """Show nothing, as Lightning asks of all processes but the first."""
        self._enabled = False

    def enable(self) -> None:
        """Show the bar."""
        self._enabled = True

    def _open(self, name: str, total: float, done: int = 0, position: int = 0) -> tqdm[Any]:
        return tqdm(
            total=int(total),
            initial=done,
            desc=name,
            position=position,
            leave=False,
            dynamic_ncols=True,
            smoothing=0,  # epochs with and without validation take turns
            file=sys.stderr,
            disable=not self._enabled,
            bar_format="{desc} {percentage:3.0f}% |{bar}| {elapsed}, {remaining} left{postfix}",
        )

    @harmless
    def on_train_start(self, trainer: Trainer, *_: Any) -> None:
        """Open the bar of all epochs."""
        batches = trainer.num_training_batches
        self._bar = self._open("training", (trainer.max_epochs or 1) * batches, trainer.current_epoch * int(batches))

    @harmless
    def on_train_epoch_start(self, trainer: Trainer, *_: Any) -> None:
        """Name the epoch."""
        if self._bar is not None:
            self._bar.set_description_str(f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}")

    @harmless
    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, outputs: Any, *_: Any) -> None:
        """Move on, and show the loss now and then."""
        if self._bar is None:
            return
        if "loss" in outputs and time.monotonic() - self._read > _INTERVAL:  # a batch that is skipped has none
            self._read = time.monotonic()
            self._figures["loss"] = f"{float(outputs['loss']):.3f}"
            self._show()
        self._bar.update()

    @harmless
    def on_validation_start(self, trainer: Trainer, *_: Any) -> None:
        """Open the bar of the validation, below that of the training."""
        if not trainer.sanity_checking:
            self._inner = self._open("validation", sum(trainer.num_val_batches), position=int(self._bar is not None))

    @harmless
    def on_validation_batch_end(self, *_: Any) -> None:
        """Move on."""
        self._step()

    @harmless
    def on_validation_end(self, trainer: Trainer, *_: Any) -> None:
        """Close the bar of the validation and show the metric."""
        self._close_inner()
        if self.metric in trainer.callback_metrics:
            self._figures[self.metric] = f"{float(trainer.callback_metrics[self.metric]):.3f}"
            self._show()

    @harmless
    def on_test_start(self, trainer: Trainer, *_: Any) -> None:
        """Open the bar of the test."""
        self._inner = self._open("test", sum(trainer.num_test_batches))

    @harmless
    def on_test_batch_end(self, *_: Any) -> None:
        """Move on."""
        self._step()

    @harmless
    def on_predict_start(self, trainer: Trainer, *_: Any) -> None:
        """Open the bar of the prediction."""
        self._inner = self._open("prediction", sum(trainer.num_predict_batches))

    @harmless
    def on_predict_batch_end(self, *_: Any) -> None:
        """Move on."""
        self._step()

    def on_exception(self, *_: Any) -> None:
        """Take the bars away, so that what is told of the failure has a line of its own."""
        self.teardown()

    @harmless
    def teardown(self, *_: Any, **__: Any) -> None:
        """Take the bars away."""
        self._close_inner()
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _step(self) -> None:
        if self._inner is not None:
            self._inner.update()

    def _close_inner(self) -> None:
        if self._inner is not None:
            self._inner.close()
            self._inner = None

    def _show(self) -> None:
        if self._bar is not None:
            self._bar.set_postfix_str("  ".join(f"{name} {value}" for name, value in self._figures.items()), False)
