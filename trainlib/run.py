"""Train, validate, test and predict: the one place that puts config, data, task and callbacks together."""

from __future__ import annotations

import logging
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from lightning import Callback, Trainer
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.loggers import TensorBoardLogger

from trainlib.build.check import origins
from trainlib.build.patches import describe
from trainlib.callbacks import Record, build_callbacks
from trainlib.checkpoints import compare, read_checkpoint
from trainlib.config.load import load_config
from trainlib.config.schema import Config
from trainlib.data.geometry import Geometry
from trainlib.data.module import CSVDataModule
from trainlib.data.splits import check_splits
from trainlib.data.workers import explain_worker_death
from trainlib.errors import CheckpointError, ConfigError, DataError, InputError, ResourceError
from trainlib.folder import RunFolder, create, folder_of, latest, unique_folder
from trainlib.preflight import SPLITS
from trainlib.signals import interruptible
from trainlib.tasks import TASKS

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Run:
    """A run on disk.

    Attributes:
        folder: Where everything is.
        config: The complete config.
    """

    folder: RunFolder
    config: Config

    @property
    def metrics(self) -> pd.DataFrame:
        """A row for each epoch."""
        return pd.read_csv(self.folder.metrics)

    @property
    def cases(self) -> pd.DataFrame:
        """A row for each case, class and split."""
        return pd.read_csv(self.folder.cases)

    @property
    def checkpoint(self) -> Path:
        """The best checkpoint, or the last one where nothing was monitored yet.

        Raises:
            CheckpointError: The run has not finished an epoch.
        """
        for path in (self.folder.best, self.folder.last):
            if path.is_file():
                return path
        raise CheckpointError(f"{self.folder.path}: the run has no checkpoint yet.")


def load_run(path: str | Path) -> Run:
    """Open a run folder.

    Args:
        path: The folder.

    Raises:
        ConfigError: It is no run folder.
    """
    folder = RunFolder(Path(path))
    if not folder.config.is_file():
        raise ConfigError(f"{path} is not a run folder: it has no config.yaml.")
    return Run(folder, load_config(folder.config))


def fit(config: Config, *, ckpt_path: str | Path | None = None, record: Record | None = None) -> Run:
    """Train, then validate and test the best checkpoint.

    Args:
        config: The config.
        ckpt_path: Checkpoint to continue from; ``last`` continues the newest run of the config's name. A run is
            continued in its own folder.
        record: How the run was started, for the snapshot.

    Returns:
        The finished run.

    Raises:
        InputError: Something in the config, its CSVs, files or checkpoint is wrong.
        ResourceError: The machine ran out of something.
        Interrupted: A signal ended the training; everything up to the last finished epoch is on disk.
    """
    if problems := check_splits(config, SPLITS["fit"]):
        raise DataError(problems)
    folder, checkpoint = _start(config, ckpt_path)
    module, task = CSVDataModule(config), TASKS[config.task](config)
    with interruptible(), _explained():
        task.configure_model()
        module.setup("fit")
        new = folder is None
        folder = folder or create(config)
        for kind, origin in origins(config).items():
            log.info("%s: %s", kind, origin)
        log.info("Run folder: %s", folder.path)
        trainer = _trainer(
            config, build_callbacks("fit", config, folder, record=record), _tensorboard(folder, checkpoint)
        )
        try:
            trainer.fit(task, datamodule=module, ckpt_path=_text(checkpoint), weights_only=True)
        except InputError:
            if new and not folder.metrics.exists():
                shutil.rmtree(folder.path)  # nothing was trained, and the name stays free
            raise
        run = Run(folder, config)
        _evaluate("validate", run, run.checkpoint, module)
        if config.data.test_csv:
            _evaluate("test", run, run.checkpoint, module)
    return run


def validate(config: Config, ckpt_path: str | Path) -> dict[str, float]:
    """Score a checkpoint on the validation split, on the preprocessed grid, surface distances included.

    Args:
        config: The config.
        ckpt_path: The checkpoint. ``cases.csv`` of its run folder gets the scores; for a checkpoint that lies
            elsewhere a new run folder is made.

    Returns:
        The metrics.
    """
    return _score("validate", config, Path(ckpt_path))


def test(config: Config, ckpt_path: str | Path) -> dict[str, float]:
    """Score a checkpoint on the test split, in the geometry of the label files, and write the predictions.

    Args:
        config: The config.
        ckpt_path: The checkpoint, as in `validate`.

    Returns:
        The metrics.
    """
    if config.data.test_csv is None:
        raise ConfigError("data.test_csv is missing. Name the CSV of the test cases.")
    return _score("test", config, Path(ckpt_path))


def predict(
    config: Config,
    ckpt_path: str | Path,
    *,
    out: str | Path | None = None,
    probabilities: bool = False,
    overwrite: bool = False,
) -> Path:
    """Predict the cases of `data.predict_csv`, or else of `data.test_csv`.

    Args:
        config: The config.
        ckpt_path: The checkpoint.
        out: Folder for the files; by default a new folder ``predictions`` in the run folder of the checkpoint.
        probabilities: Whether to write the softmax as well.
        overwrite: Whether `out` may hold files already.

    Returns:
        The folder with one file for each case, and ``predictions.csv``.

    Raises:
        InputError: Something in the config, the CSV, a file or the checkpoint is wrong.
    """
    checkpoint = Path(ckpt_path)
    compare(read_checkpoint(checkpoint), config, checkpoint)
    if not (config.data.predict_csv or config.data.test_csv):
        raise ConfigError("data.predict_csv is missing. Name the CSV of the cases to predict.")
    task = TASKS[config.task](config, Geometry(config), keep_probabilities=probabilities)
    module = CSVDataModule(config)
    with interruptible(), _explained():
        task.configure_model()
        module.setup("predict")
        target = _prediction_folder(checkpoint, out, overwrite)
        folder = folder_of(checkpoint) or RunFolder(target)
        trainer = _trainer(config, build_callbacks("predict", config, folder, predictions=target))
        trainer.predict(
            task, datamodule=module, ckpt_path=_text(checkpoint), return_predictions=False, weights_only=True
        )
    return target


def _start(config: Config, ckpt_path: str | Path | None) -> tuple[RunFolder | None, Path | None]:
    """Find the run folder to go on in and the checkpoint to go on from; None for each that is to be new."""
    if ckpt_path is None:
        return None, None
    if str(ckpt_path) == "last":
        folder = latest(config)
        if folder is None or not folder.last.is_file():
            log.info("There is no checkpoint of a run %s yet; training starts from the beginning.", config.run.name)
            return folder, None
        checkpoint = folder.last
    else:
        checkpoint = Path(ckpt_path)
        folder = folder_of(checkpoint)
    compare(read_checkpoint(checkpoint), config, checkpoint)
    return folder, checkpoint


def _score(stage: str, config: Config, checkpoint: Path) -> dict[str, float]:
    compare(read_checkpoint(checkpoint), config, checkpoint)
    module = CSVDataModule(config)
    with interruptible(), _explained():
        module.setup(stage)
        folder = folder_of(checkpoint) or create(config)
        return _evaluate(stage, Run(folder, config), checkpoint, module)


def _evaluate(stage: str, run: Run, checkpoint: Path, module: CSVDataModule) -> dict[str, float]:
    """Run Lightning's `validate` or `test` with a Trainer of its own, which leaves the training's logs alone."""
    config = run.config
    task = TASKS[config.task](config, Geometry(config))
    predictions = run.folder.predictions if stage == "test" else None
    trainer = _trainer(config, build_callbacks(stage, config, run.folder, predictions=predictions))
    evaluate = trainer.test if stage == "test" else trainer.validate
    [metrics] = evaluate(task, datamodule=module, ckpt_path=_text(checkpoint), weights_only=True, verbose=False)
    return {name: float(value) for name, value in metrics.items()}


def _trainer(config: Config, callbacks: list[Callback], logger: TensorBoardLogger | None = None) -> Trainer:
    """Make a Trainer with the arguments of the config; a progress bar appears on a terminal only."""
    settings: dict[str, Any] = {
        "num_sanity_val_steps": 0,
        "enable_progress_bar": sys.stderr.isatty(),
        "enable_model_summary": False,
    }
    settings |= config.trainer
    checkpointing = any(isinstance(callback, Checkpoint) for callback in callbacks)
    try:
        return Trainer(**settings, callbacks=callbacks, logger=logger or False, enable_checkpointing=checkpointing)
    except Exception as error:  # whatever a value that it cannot use makes Lightning raise
        raise ConfigError(f"trainer: lightning.Trainer refuses these arguments: {describe(error)}.") from error


def _tensorboard(folder: RunFolder, checkpoint: Path | None) -> TensorBoardLogger:
    """Log into the run folder; a resumed run hides the points that it is going to write again."""
    purge = read_checkpoint(checkpoint)["global_step"] if checkpoint else None
    return TensorBoardLogger(folder.logs, name="", version="", purge_step=purge)


def _prediction_folder(checkpoint: Path, out: str | Path | None, overwrite: bool) -> Path:
    if out is not None:
        target = Path(out)
        if target.is_dir() and any(target.iterdir()) and not overwrite:
            raise ConfigError(f"--out: {out} holds files already. Choose another folder, or add --overwrite.")
        target.mkdir(parents=True, exist_ok=True)
        return target
    folder = folder_of(checkpoint)
    if folder is None:
        raise ConfigError(f"--out is missing: {checkpoint} is in no run folder, so name one for the predictions.")
    return unique_folder(folder.predictions)


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


@contextmanager
def _explained() -> Iterator[None]:
    """Put the lack of memory or open files into words that name the settings that help."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise ResourceError(
            "The GPU ran out of memory. Lower data.batch_size, make the window (roi_size) smaller, or set "
            f"trainer.precision to 16-mixed. ({str(error).splitlines()[0]})"
        ) from error
    except (RuntimeError, OSError) as error:
        if text := explain_worker_death(error):
            raise ResourceError(text) from error
        raise
