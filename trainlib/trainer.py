"""Lightning's Trainer with the arguments of the config, and what it is told when the machine gives out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lightning import Callback, Trainer
from lightning.pytorch.callbacks import Checkpoint, ProgressBar
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.plugins import CheckpointIO

from trainlib.build.patches import describe
from trainlib.checkpoints import AtomicCheckpointIO, read_checkpoint
from trainlib.config.schema import Config
from trainlib.data.workers import explain_worker_death
from trainlib.diskspace import explain_full_disk
from trainlib.errors import CheckpointError, ConfigError, ResourceError
from trainlib.folder import RunFolder
from trainlib.tasks.memory import explain_memory

_LONGEST = 400  # letters of what torch says of weights that do not fit; it lists each of them


def make_trainer(config: Config, callbacks: list[Callback], logger: TensorBoardLogger | None = None) -> Trainer:
    """Make a Trainer with the arguments of the config."""
    settings: dict[str, Any] = {
        "devices": 1,
        "num_sanity_val_steps": 0,
        "enable_model_summary": False,
    }
    settings |= config.trainer
    if settings["devices"] == "auto":
        settings["devices"] = 1  # a run is one process
    settings["plugins"] = _plugins(settings.get("plugins"))
    settings["enable_progress_bar"] = any(isinstance(callback, ProgressBar) for callback in callbacks)
    checkpointing = any(isinstance(callback, Checkpoint) for callback in callbacks)
    try:
        return Trainer(**settings, callbacks=callbacks, logger=logger or False, enable_checkpointing=checkpointing)
    except Exception as error:  # whatever a value that it cannot use makes Lightning raise
        raise ConfigError(f"trainer: lightning.Trainer refuses these arguments: {describe(error)}.") from error


def _plugins(given: Any) -> list[Any]:
    """Add to the plugins of the config the writing of checkpoints, unless one of them does that."""
    plugins = [] if given is None else list(given) if isinstance(given, list | tuple) else [given]
    own = any(isinstance(plugin, CheckpointIO) for plugin in plugins)
    return plugins if own else [*plugins, AtomicCheckpointIO()]


def tensorboard(folder: RunFolder, checkpoint: Path | None) -> TensorBoardLogger:
    """Log into the run folder; a resumed run hides the points that it is going to write again."""
    purge = read_checkpoint(checkpoint)["global_step"] if checkpoint else 0 if folder.logs.exists() else None
    _wait_for_the_next_name(folder)
    return TensorBoardLogger(folder.logs, name="", version="", purge_step=purge)


def _wait_for_the_next_name(folder: RunFolder) -> None:
    """Wait until a new file of events comes after those that there are.

    TensorBoard reads them in the order of their names, which begin with the second they were opened in; of two of the
    same second either may come first, and would then hide the points of the other.
    """
    while any(folder.logs.glob(f"events.out.tfevents.{int(time.time()):010d}.*")):
        time.sleep(0.05)


@contextmanager
def explained(config: Config | None = None) -> Iterator[None]:
    """Put the lack of memory, disk or open files into words that name the settings that help.

    Args:
        config: The config, to tell present values.
    """
    try:
        yield
    except (RuntimeError, OSError, MemoryError) as error:
        if full := explain_full_disk(error):
            raise full from error
        if "loading state_dict" in str(error):
            said = " ".join(str(error).split())
            said = said if len(said) <= _LONGEST else f"{said[:_LONGEST]} ..."
            raise CheckpointError(f"The weights do not fit the network: {said}") from error
        if text := explain_worker_death(error, config) or explain_memory(error, config):
            raise ResourceError(text) from error
        raise
