"""Predict cases with a checkpoint."""

from __future__ import annotations

from pathlib import Path

from trainlib.callbacks import build_callbacks
from trainlib.config.schema import Config
from trainlib.data.geometry import Geometry
from trainlib.data.module import CSVDataModule
from trainlib.device import tell_precision
from trainlib.errors import ConfigError
from trainlib.folders.destinations import prediction_folder, protect_inputs
from trainlib.folders.naming import folder_of
from trainlib.folders.run import RunFolder
from trainlib.processes import decided
from trainlib.run.evaluation import take_own_weights, trained_as
from trainlib.start import started
from trainlib.system.signals import interruptible
from trainlib.tasks import TASKS
from trainlib.trainer import explained, make_trainer


def predict(
    config: Config,
    ckpt_path: str | Path | None,
    *,
    out: str | Path | None = None,
    probabilities: bool = False,
    overwrite: bool = False,
) -> Path:
    """Predict the cases of `data.predict_csv`, or else of `data.test_csv`.

    Args:
        config: The config.
        ckpt_path: The checkpoint; None for the weights that a training of a bundle's network would start from.
        out: Folder for the files; by default a new folder ``predictions`` in the run folder of the checkpoint.
        probabilities: Whether to write the softmax as well.
        overwrite: Whether `out` may hold files already.

    Returns:
        The folder with one file for each case, and ``predictions.csv``.

    Raises:
        InputError: Something in the config, the CSV, a file or the checkpoint is wrong.
    """
    target = None if out is None else Path(out)
    return started(
        _predict,
        config,
        checkpoint=None if ckpt_path is None else Path(ckpt_path),
        out=target,
        probabilities=probabilities,
        overwrite=overwrite,
    )


def _predict(
    config: Config, *, checkpoint: Path | None, out: Path | None, probabilities: bool, overwrite: bool
) -> Path:
    """Do the part of one process in a prediction."""
    config = trained_as(config, checkpoint)
    if not (config.data.predict_csv or config.data.test_csv):
        raise ConfigError("data.predict_csv is missing. Name the CSV of the cases to predict.")
    task = TASKS[config.task](config, Geometry(config), keep_probabilities=probabilities)
    module = CSVDataModule(config)
    with interruptible(), explained(config):
        task.configure_model()
        if checkpoint is None:
            take_own_weights(task, config)
        module.setup("predict")
        target = decided(lambda: prediction_folder(checkpoint, out, overwrite))
        if config.task == "segmentation":  # a classification writes a table alone
            protect_inputs(target, module.cases["predict"], config.data.spatial_dims)
        folder = (folder_of(checkpoint) if checkpoint else None) or RunFolder(target)
        tell_precision(config)
        trainer = make_trainer(config, build_callbacks("predict", config, folder, predictions=target))
        trainer.predict(task, datamodule=module, ckpt_path=checkpoint, return_predictions=False, weights_only=True)
    return target
