"""Score a checkpoint on the validation or the test cases."""

from __future__ import annotations

import logging
from pathlib import Path

from trainlib.config.load import dump_config
from trainlib.config.schema import Config
from trainlib.data.module import CSVDataModule
from trainlib.device import tell_precision
from trainlib.errors import ConfigError
from trainlib.folders.destinations import results_folder
from trainlib.folders.results import Run
from trainlib.folders.run import RunFolder
from trainlib.processes import decided, is_first
from trainlib.run.evaluation import evaluate, report, trained_as
from trainlib.start import started
from trainlib.system.files import write_text
from trainlib.system.signals import interruptible
from trainlib.trainer import explained

log = logging.getLogger(__name__)


def validate(config: Config, ckpt_path: str | Path | None) -> dict[str, float]:
    """Score a checkpoint on the validation split, on the preprocessed grid, surface distances included.

    Args:
        config: The config.
        ckpt_path: The checkpoint. ``cases.csv`` of its run folder gets the scores; for a checkpoint that lies
            elsewhere a new run folder is made. None tests the weights that a training of a bundle's
            network would start from.

    Returns:
        The metrics.
    """
    checkpoint = None if ckpt_path is None else Path(ckpt_path)
    return started(_score, config, stage="validate", checkpoint=checkpoint)


def test(config: Config, ckpt_path: str | Path | None, *, folder: RunFolder | None = None) -> dict[str, float]:  # noqa: PT028
    """Score a checkpoint on the test split, in the geometry of the label files, and write the predictions.

    Args:
        config: The config.
        ckpt_path: The checkpoint, as in `validate`.
        folder: Where the results go, in place of the folder that follows from the checkpoint.

    Returns:
        The metrics.
    """
    if config.data.test_csv is None:
        raise ConfigError("data.test_csv is missing. Name the CSV of the test cases.")
    checkpoint = None if ckpt_path is None else Path(ckpt_path)
    return started(_score, config, stage="test", checkpoint=checkpoint, folder=folder)


def _score(config: Config, *, stage: str, checkpoint: Path | None, folder: RunFolder | None = None) -> dict[str, float]:
    """Do the part of one process in a validation or a test."""
    config = trained_as(config, checkpoint)
    module = CSVDataModule(config)
    with interruptible(), explained(config):
        module.setup(stage)
        folder = decided(lambda: folder or results_folder(stage, config, checkpoint))
        log.info("Results: %s", folder.path)
        tell_precision(config)
        run = Run(folder, config)
        if is_first() and not folder.config.is_file():
            write_text(folder.config, dump_config(config))
        metrics = evaluate(stage, run, checkpoint, module)
        report(run)
        return metrics
