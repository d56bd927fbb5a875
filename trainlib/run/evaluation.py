"""What a training and a test have in common: score one split, write the report."""

from __future__ import annotations

import logging
from pathlib import Path

from trainlib.build.patches import describe
from trainlib.callbacks import build_callbacks
from trainlib.checkpoints.checkpoint import compare, read_checkpoint
from trainlib.checkpoints.starting import start_from_weights
from trainlib.config.schema import Config
from trainlib.data.complete import complete
from trainlib.data.geometry import Geometry
from trainlib.data.module import CSVDataModule
from trainlib.errors import ConfigError
from trainlib.folders.results import Run
from trainlib.processes import is_first
from trainlib.report import write_report
from trainlib.system.diskspace import is_full
from trainlib.tasks import TASKS, BaseTask
from trainlib.trainer import make_trainer

log = logging.getLogger(__name__)


def trained_as(config: Config, checkpoint: Path | None) -> Config:
    """Complete the config as the checkpoint was trained, and check that its weights fit.

    Raises:
        ConfigError: There is no checkpoint, and the network brings no weights along.
    """
    if checkpoint is None:
        if not config.model.brings_weights:
            raise ConfigError(
                "A checkpoint is missing. Only the network of a bundle as it is (model.bundle) can do without."
            )
        return complete(config)
    content = read_checkpoint(checkpoint)
    config = complete(config, content["trainlib"]["config"])
    compare(content, config, checkpoint)
    return config


def take_own_weights(task: BaseTask, config: Config) -> None:
    """Give a network without a checkpoint the weights that a training of it would start from, and tell which."""
    task.configure_model()
    for start in start_from_weights(task.network, config):
        if is_first():
            start.tell()


def evaluate(stage: str, run: Run, checkpoint: Path | None, module: CSVDataModule) -> dict[str, float]:
    """Run Lightning's `validate` or `test` with a Trainer of its own, which leaves the training's logs alone."""
    config = run.config
    task = TASKS[config.task](config, Geometry(config))
    if checkpoint is None:
        take_own_weights(task, config)
    predictions = run.folder.predictions if stage == "test" else None
    trainer = make_trainer(config, build_callbacks(stage, config, run.folder, predictions=predictions))
    score = trainer.test if stage == "test" else trainer.validate
    score(task, datamodule=module, ckpt_path=checkpoint, weights_only=True, verbose=False)
    return {name: float(value) for name, value in trainer.callback_metrics.items()}


def report(run: Run) -> None:
    """Write the report, where the config asks for it; the results are on disk even if it cannot be written."""
    if run.config.report is None or not is_first():
        return
    try:
        write_report(run.folder.path)
    except Exception as error:
        if is_full(error):
            raise
        log.warning("The report could not be written: %s.", describe(error), exc_info=True)
