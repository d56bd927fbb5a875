"""Which checkpoints are kept, and when training stops early: Lightning's own callbacks, made fit for resuming."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.callbacks.early_stopping import EarlyStoppingReason

from trainlib.config.schema import Config
from trainlib.folders.overwriting import settle
from trainlib.folders.run import RunFolder

log = logging.getLogger(__name__)

# What the state of a ModelCheckpoint calls the paths of its files.
_PATHS = ("best_model_path", "kth_best_model_path", "last_model_path")


class MovableCheckpoint(ModelCheckpoint):
    """A `ModelCheckpoint` that knows its files again when the run folder was moved or copied.

    Args:
        scored_by: What the monitored metric follows from, see `Config.scored_by`; None where nothing is monitored.
        settings: Arguments of `ModelCheckpoint`.
    """

    def __init__(self, *, scored_by: dict[str, Any] | None = None, **settings: Any) -> None:
        super().__init__(**settings)
        self.scored_by = scored_by

    def state_dict(self) -> dict[str, Any]:
        """Add what the score follows from, to tell on loading whether it can be compared with others."""
        return super().state_dict() | {"scored_by": self.scored_by}

    @property
    def state_key(self) -> str:
        """Name the state by what is compared, not by how often, so that another interval does not lose the score."""
        return self._generate_state_key(monitor=self.monitor, mode=self.mode)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the scores over for the present folder, where their checkpoint lies in it."""
        if not Path(self._here(state_dict["best_model_path"])).is_file():
            return  # a new folder, continued from a checkpoint of elsewhere, has a best of its own
        if state_dict.get("scored_by", self.scored_by) != self.scored_by:
            log.info("%s is computed in another way than before: the best checkpoint is chosen anew.", self.monitor)
            return
        paths = {name: self._here(state_dict[name]) for name in _PATHS}
        scores = {self._here(path): score for path, score in state_dict["best_k_models"].items()}
        super().load_state_dict(state_dict | paths | {"dirpath": self.dirpath, "best_k_models": scores})

    def _here(self, path: str) -> str:
        """Return the path of the file of the same name in the present folder."""
        return os.path.join(str(self.dirpath), Path(path).name) if path else ""


class ResumableEarlyStopping(EarlyStopping):
    """An `EarlyStopping` under which a run that had stopped stays so when it is resumed.

    Patience and threshold are those of the config; Lightning would take the patience of the checkpoint.

    Args:
        scored_by: What the monitored metric follows from, see `Config.scored_by`.
        settings: Arguments of `EarlyStopping`.
    """

    def __init__(self, *, scored_by: dict[str, Any], **settings: Any) -> None:
        super().__init__(**settings)
        self.scored_by = scored_by

    def state_dict(self) -> dict[str, Any]:
        """Add the threshold and what the score follows from, to tell on loading whether they have changed."""
        return super().state_dict() | {"min_delta": self.min_delta, "scored_by": self.scored_by}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on counting; settings that have changed decide anew whether training is over."""
        if state_dict.get("scored_by", self.scored_by) != self.scored_by:
            return  # no improvement over what cannot be compared
        super().load_state_dict(state_dict | {"patience": self.patience})
        if state_dict["min_delta"] != self.min_delta:
            self.wait_count = 0  # what was counted is the lack of another improvement
        if (state_dict["patience"], state_dict["min_delta"]) != (self.patience, self.min_delta):
            over = self.wait_count >= self.patience
            self.stopping_reason = EarlyStoppingReason.PATIENCE_EXHAUSTED if over else EarlyStoppingReason.NOT_STOPPED

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Train nothing more where training was over; the states of callbacks are restored by now."""
        if self.stopping_reason != EarlyStoppingReason.NOT_STOPPED:
            trainer.should_stop = True

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Say why there are fewer epochs than were asked for."""
        stopped = self.stopping_reason != EarlyStoppingReason.NOT_STOPPED
        if stopped and trainer.fit_loop.epoch_progress.current.processed != trainer.max_epochs:
            log.info("Stopped early: %s.", self._reason())

    def _reason(self) -> str:
        if self.stopping_reason == EarlyStoppingReason.NON_FINITE_METRIC:
            return f"{self.monitor} is not finite"
        count = max(self.wait_count, self.patience)
        by = f" by more than {abs(self.min_delta):g}" if self.min_delta else ""
        return f"{self.monitor} has not improved{by} for {count} validation{'' if count == 1 else 's'}"


class Overwriting(Callback):
    """Deletes the run that is overwritten as soon as the new one has a checkpoint.

    Args:
        folder: The folder of the new run.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Look for the checkpoint of the epoch before."""
        if trainer.is_global_zero and self.folder.last.is_file():
            settle(self.folder.path)


def best_checkpoint(config: Config, folder: RunFolder) -> ModelCheckpoint:
    """Keep the checkpoint with the best value of the monitored metric."""
    return MovableCheckpoint(
        scored_by=config.scored_by,
        dirpath=folder.checkpoints,
        filename=folder.best.stem,
        monitor=config.checkpoint.monitor,
        mode=config.monitor_mode,
        every_n_epochs=config.trainer.get("check_val_every_n_epoch") or 1,
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )


def last_checkpoint(folder: RunFolder) -> ModelCheckpoint:
    """Keep the checkpoint of the last finished epoch."""
    return MovableCheckpoint(
        dirpath=folder.checkpoints,
        filename=folder.last.stem,
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )


def early_stopping(config: Config) -> list[EarlyStopping]:
    """Stop when the monitored metric no longer improves, where the config asks for it."""
    settings = config.early_stopping
    if settings is None:
        return []
    return [
        ResumableEarlyStopping(
            scored_by=config.scored_by,
            monitor=config.checkpoint.monitor,
            mode=config.monitor_mode,
            patience=settings.patience,
            min_delta=settings.min_delta,
        )
    ]
