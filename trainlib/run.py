"""Train, validate, test and predict: the one place that puts config, data, task and callbacks together."""

from __future__ import annotations

import logging
from pathlib import Path

from lightning import Callback

from trainlib.build.advice import advice
from trainlib.build.check import origins
from trainlib.build.patches import describe
from trainlib.callbacks import Record, build_callbacks
from trainlib.check.quick import quick_check
from trainlib.checkpoints import compare, epochs_in, read_checkpoint
from trainlib.config.debug import debug_config
from trainlib.config.load import dump_config
from trainlib.config.schema import Config
from trainlib.continuing import checkpoint_of, read_to_continue
from trainlib.data.complete import complete, with_computable_monitor
from trainlib.data.geometry import Geometry
from trainlib.data.module import CSVDataModule
from trainlib.data.splits import SPLITS_OF, check_splits
from trainlib.destinations import prediction_folder, protect_inputs, results_folder
from trainlib.diskspace import is_full
from trainlib.ending import ended_in_good_order, entered
from trainlib.errors import ConfigError, DataError
from trainlib.files import remove_leftovers, write_text
from trainlib.folder import RunFolder
from trainlib.logfile import logged
from trainlib.processes import CHECKPOINT, agreed, decided, is_first, note
from trainlib.report import write_report
from trainlib.results import Run
from trainlib.runs import create, folder_of, latest
from trainlib.signals import interruptible
from trainlib.start import in_one_process, started
from trainlib.tasks import TASKS, BaseTask
from trainlib.trainer import explained, make_trainer, tensorboard

log = logging.getLogger(__name__)


def fit(
    config: Config,
    *,
    ckpt_path: str | Path | None = None,
    record: Record | None = None,
    debug: bool = False,
    check: bool = True,
) -> Run:
    """Train, then validate and test the best checkpoint.

    Args:
        config: The config.
        ckpt_path: Checkpoint to continue from; ``last`` or ``best`` is that of the newest run of the config's name,
            and where it has none yet, the training starts from the beginning. A run is continued in its own folder.
        record: How the run was started, for the snapshot.
        debug: Whether to train two short epochs on a few cases instead, and to look for common mistakes.
        check: Whether to read the headers of all files before anything else.

    Returns:
        The finished run.

    Raises:
        InputError: Something in the config, its CSVs, files or checkpoint is wrong.
        ResourceError: The machine ran out of something.
        Interrupted: A signal ended the training; everything up to the last finished epoch is on disk.
    """
    config = in_one_process(config) if debug else config
    return started(_fit, config, ckpt_path=ckpt_path, record=record, debug=debug, check=check)


def _fit(config: Config, *, ckpt_path: str | Path | None, record: Record | None, debug: bool, check: bool) -> Run:
    """Do the part of one process in a training."""
    config = _checked_for_training(config, debug=debug, resumed=ckpt_path is not None, headers=check)
    folder, checkpoint = decided(lambda: _start(config, ckpt_path))
    first_epoch = epochs_in(read_checkpoint(checkpoint)) if checkpoint else 0
    module, task = CSVDataModule(config, first_epoch), TASKS[config.task](config)
    with interruptible(), explained(config):
        task.configure_model()
        module.setup("fit")
        new, folder = folder is None, decided(lambda: _ready(folder or create(config)))
        note(CHECKPOINT, str(folder.last))
        run = Run(folder, config)
        with ended_in_good_order(folder, new), explained(config), logged(folder.log):
            _announce(run)
            callbacks = build_callbacks("fit", config, folder, record=record, debug=debug)
            with entered(callbacks), agreed(), explained(config):
                _train(run, task, module, callbacks, checkpoint)
            _report(run)
    return run


def _ready(folder: RunFolder) -> RunFolder:
    """Clear what a killed process may have left in a run folder."""
    remove_leftovers(folder.path)
    return folder


def _checked_for_training(config: Config, *, debug: bool, resumed: bool, headers: bool) -> Config:
    """Complete the config, and refuse what cannot be trained."""
    if debug and resumed:
        raise ConfigError("--debug looks at the beginning of a training. Leave --ckpt_path out.")
    if debug and config.task != "segmentation":
        raise ConfigError("--debug knows the mistakes of a segmentation only. Leave it out.")
    config = with_computable_monitor(complete(config))
    if problems := check_splits(config, SPLITS_OF["fit"]):
        raise DataError(problems)
    config = debug_config(config) if debug else config
    if headers and (problems := decided(lambda: quick_check(config))):
        raise DataError(problems)
    return config


def _train(run: Run, task: BaseTask, module: CSVDataModule, callbacks: list[Callback], checkpoint: Path | None) -> None:
    """Run Lightning's `fit`, then score the best checkpoint on the validation and the test cases."""
    trainer = make_trainer(run.config, callbacks, tensorboard(run.folder, checkpoint))
    trainer.fit(task, datamodule=module, ckpt_path=checkpoint, weights_only=True)
    # Where nothing was left to train, the checkpoint to continue from is the best there is.
    best = checkpoint if checkpoint and not run.folder.last.is_file() else run.checkpoint
    _evaluate("validate", run, best, module)
    if run.config.data.test_csv:
        _evaluate("test", run, best, module)


def _trained_as(config: Config, checkpoint: Path) -> Config:
    """Complete the config as the checkpoint was trained, and check that its weights fit."""
    content = read_checkpoint(checkpoint)
    config = complete(config, content["trainlib"]["config"])
    compare(content, config, checkpoint)
    return config


def _announce(run: Run) -> None:
    """Tell what every component of the config stands for, what is seldom meant, and where the results go."""
    for kind, origin in origins(run.config).items():
        log.info("%s: %s", kind, origin)
    for sentence in advice(run.config):
        log.info("%s", sentence)
    log.info("Run folder: %s", run.folder.path)


def _report(run: Run) -> None:
    """Write the report, where the config asks for it; the results are on disk even if it cannot be written."""
    if run.config.report is None or not is_first():
        return
    try:
        write_report(run.folder.path)
    except Exception as error:
        if is_full(error):
            raise
        log.warning("The report could not be written: %s.", describe(error), exc_info=True)


def validate(config: Config, ckpt_path: str | Path) -> dict[str, float]:
    """Score a checkpoint on the validation split, on the preprocessed grid, surface distances included.

    Args:
        config: The config.
        ckpt_path: The checkpoint. ``cases.csv`` of its run folder gets the scores; for a checkpoint that lies
            elsewhere a new run folder is made.

    Returns:
        The metrics.
    """
    return started(_score, config, stage="validate", checkpoint=Path(ckpt_path))


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
    return started(_score, config, stage="test", checkpoint=Path(ckpt_path))


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
    target = None if out is None else Path(out)
    return started(
        _predict, config, checkpoint=Path(ckpt_path), out=target, probabilities=probabilities, overwrite=overwrite
    )


def _predict(config: Config, *, checkpoint: Path, out: Path | None, probabilities: bool, overwrite: bool) -> Path:
    """Do the part of one process in a prediction."""
    config = _trained_as(config, checkpoint)
    if not (config.data.predict_csv or config.data.test_csv):
        raise ConfigError("data.predict_csv is missing. Name the CSV of the cases to predict.")
    task = TASKS[config.task](config, Geometry(config), keep_probabilities=probabilities)
    module = CSVDataModule(config)
    with interruptible(), explained(config):
        task.configure_model()
        module.setup("predict")
        target = decided(lambda: prediction_folder(checkpoint, out, overwrite))
        if config.task == "segmentation":  # a classification writes a table alone
            protect_inputs(target, module.cases["predict"], config.data.spatial_dims)
        folder = folder_of(checkpoint) or RunFolder(target)
        trainer = make_trainer(config, build_callbacks("predict", config, folder, predictions=target))
        trainer.predict(task, datamodule=module, ckpt_path=checkpoint, return_predictions=False, weights_only=True)
    return target


def _start(config: Config, ckpt_path: str | Path | None) -> tuple[RunFolder | None, Path | None]:
    """Find the run folder to go on in and the checkpoint to go on from; None for each that is to be new."""
    if ckpt_path is None:
        return None, None
    if str(ckpt_path) in ("last", "best"):
        folder = latest(config)
        found = checkpoint_of(folder, str(ckpt_path)) if folder else None
        if found is None:
            log.info("There is no checkpoint of a run %s yet; training starts from the beginning.", config.run.name)
            return folder, None
        checkpoint = found
    else:
        checkpoint = Path(ckpt_path)
        folder = folder_of(checkpoint)
    compare(read_to_continue(checkpoint), config, checkpoint)
    return folder, checkpoint


def _score(config: Config, *, stage: str, checkpoint: Path) -> dict[str, float]:
    """Do the part of one process in a validation or a test."""
    config = _trained_as(config, checkpoint)
    module = CSVDataModule(config)
    with interruptible(), explained(config):
        module.setup(stage)
        folder = decided(lambda: results_folder(stage, config, checkpoint))
        log.info("Results: %s", folder.path)
        run = Run(folder, config)
        if is_first() and not folder.config.is_file():
            write_text(folder.config, dump_config(config))
        metrics = _evaluate(stage, run, checkpoint, module)
        _report(run)
        return metrics


def _evaluate(stage: str, run: Run, checkpoint: Path, module: CSVDataModule) -> dict[str, float]:
    """Run Lightning's `validate` or `test` with a Trainer of its own, which leaves the training's logs alone."""
    config = run.config
    task = TASKS[config.task](config, Geometry(config))
    predictions = run.folder.predictions if stage == "test" else None
    trainer = make_trainer(config, build_callbacks(stage, config, run.folder, predictions=predictions))
    evaluate = trainer.test if stage == "test" else trainer.validate
    evaluate(task, datamodule=module, ckpt_path=checkpoint, weights_only=True, verbose=False)
    return {name: float(value) for name, value in trainer.callback_metrics.items()}
