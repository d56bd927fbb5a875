"""Lightning's Trainer with the arguments of the config, and what it is told when the machine gives out."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from lightning import Callback, LightningModule, Trainer
from lightning.fabric.plugins import ClusterEnvironment
from lightning.fabric.plugins.environments import LightningEnvironment
from lightning.pytorch.callbacks import Checkpoint, ProgressBar
from lightning.pytorch.loggers import Logger, TensorBoardLogger
from lightning.pytorch.plugins import CheckpointIO
from lightning.pytorch.profilers import PassThroughProfiler

from trainlib.build.patches import describe
from trainlib.checkpoints.checkpoint import AtomicCheckpointIO, read_checkpoint
from trainlib.config.schema import Config
from trainlib.data.workers import explain_worker_death
from trainlib.device import precision, precision_plugin
from trainlib.errors import CheckpointError, ConfigError, DiskFullError, ResourceError
from trainlib.folders.run import RunFolder
from trainlib.memory import explain_memory
from trainlib.processes import place
from trainlib.processes.environment import PlaceEnvironment
from trainlib.system.diskspace import explain_full_disk

_NOTHING = nullcontext()
_LONGEST = 400  # letters of what torch says of weights that do not fit; it lists each of them


def device_count(config: Config) -> int:
    """Count the devices that the config asks for on each machine, as Lightning does; each gets a process.

    Raises:
        ConfigError: Lightning refuses them.
    """
    settings = {name: config.trainer[name] for name in ("accelerator", "devices") if name in config.trainer}
    if settings.get("devices") in (None, 1, "1"):
        return 1
    logging.disable(logging.INFO)  # what Lightning says of the machine is said again when it counts
    try:
        trainer = Trainer(**settings, plugins=[LightningEnvironment()], logger=False, enable_checkpointing=False)
    except Exception as error:
        raise _refused(error) from error
    finally:
        logging.disable(logging.NOTSET)
    return int(trainer.num_devices)


def make_trainer(config: Config, callbacks: list[Callback], loggers: Sequence[Logger] = ()) -> Trainer:
    """Make a Trainer with the arguments of the config, its loggers excepted."""
    settings: dict[str, Any] = {
        "devices": 1,
        "num_sanity_val_steps": 0,
        "enable_model_summary": False,
        "profiler": _NoProfiler(),
        "use_distributed_sampler": False,  # Lightning's would repeat cases so that all processes have equally many
    }
    settings |= {name: value for name, value in config.trainer.items() if _is_argument(name, value)}
    settings["plugins"] = _plugins(settings.get("plugins"))
    if precision_plugin(config) is None:  # Lightning takes one or the other
        settings["precision"] = precision(config)
    settings["enable_progress_bar"] = any(isinstance(callback, ProgressBar) for callback in callbacks)
    checkpointing = any(isinstance(callback, Checkpoint) for callback in callbacks)
    try:
        callbacks = [*callbacks, _OwnSignals()]
        logger = [*loggers] or False
        return Trainer(**settings, callbacks=callbacks, logger=logger, enable_checkpointing=checkpointing)
    except Exception as error:  # whatever a value that it cannot use makes Lightning raise
        raise _refused(error) from error


def _is_argument(name: str, value: Any) -> bool:
    """Tell whether a setting goes to the Trainer as it is."""
    return name != "logger" and (name != "devices" or value is not None)


def _refused(error: Exception) -> ConfigError:
    return ConfigError(f"trainer: lightning.Trainer refuses these arguments: {describe(error)}.")


def _plugins(given: Any) -> list[Any]:
    """Add to the plugins of the config the writing of checkpoints and the processes, unless they do that."""
    plugins = [] if given is None else list(given) if isinstance(given, list | tuple) else [given]
    if not any(isinstance(plugin, CheckpointIO) for plugin in plugins):
        plugins.append(AtomicCheckpointIO())
    if not any(isinstance(plugin, ClusterEnvironment) for plugin in plugins):
        here = place()
        plugins.append(PlaceEnvironment(here) if here else LightningEnvironment())
    return plugins


class _NoProfiler(PassThroughProfiler):
    """Measures nothing; Lightning's takes as long for a hundred hooks of a step as a small network for its loss."""

    def profile(self, action_name: str) -> AbstractContextManager[None]:
        """Return a context in which nothing is done."""
        return _NOTHING


class _OwnSignals(Callback):
    """Takes SIGTERM back from Lightning, whose handler waits for all processes to get the signal at the same step."""

    def __init__(self) -> None:
        self.handler = signal.getsignal(signal.SIGTERM)

    def _take_back(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.world_size > 1 and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self.handler)

    on_train_start = on_validation_start = on_test_start = on_predict_start = _take_back


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
    except Exception as error:
        if isinstance(error, DiskFullError):
            raise
        if full := explain_full_disk(error):
            raise full from error
        if not isinstance(error, RuntimeError | OSError | MemoryError):
            raise
        if "loading state_dict" in str(error):
            said = " ".join(str(error).split())
            said = said if len(said) <= _LONGEST else f"{said[:_LONGEST]} ..."
            raise CheckpointError(f"The weights do not fit the network: {said}") from error
        if text := explain_worker_death(error, config) or explain_memory(error, config):
            raise ResourceError(text) from error
        raise
