"""Which checkpoints are kept, and when training stops early: Lightning's own callbacks, set by the config."""

from __future__ import annotations

from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint

from trainlib.config.schema import Config
from trainlib.folder import RunFolder


def best_checkpoint(config: Config, folder: RunFolder) -> ModelCheckpoint:
    """Keep the checkpoint with the best value of the monitored metric."""
    return ModelCheckpoint(
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
    return ModelCheckpoint(
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
        EarlyStopping(
            config.checkpoint.monitor,
            mode=config.monitor_mode,
            patience=settings.patience,
            min_delta=settings.min_delta,
        )
    ]
