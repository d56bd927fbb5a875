"""Train a network, then score it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

from lightning import Callback

from trainlib.build.advice import advice
from trainlib.build.check import origins
from trainlib.build.extras import extra_callbacks, extra_loggers
from trainlib.build.guarding import own_runs
from trainlib.callbacks import Record, build_callbacks
from trainlib.check.quick import quick_check
from trainlib.checkpoints.checkpoint import compare, epochs_in, read_checkpoint
from trainlib.checkpoints.continuing import checkpoint_of, read_to_continue
from trainlib.checkpoints.starting import start_from_weights
from trainlib.config.debug import debug_config
from trainlib.config.schema import Config
from trainlib.data.complete import complete, with_computable_monitor
from trainlib.data.module import CSVDataModule
from trainlib.data.once import reading_once
from trainlib.data.splits import SPLITS_OF, check_splits
from trainlib.device import tell_precision
from trainlib.ending import ended_in_good_order, entered
from trainlib.errors import ConfigError, DataError
from trainlib.folders.logfile import logged
from trainlib.folders.naming import create, folder_of, latest
from trainlib.folders.overwriting import refuse_loss
from trainlib.folders.results import Run
from trainlib.folders.run import RunFolder
from trainlib.processes import CHECKPOINT, agreed, decided, is_first, note
from trainlib.run.evaluation import evaluate, report
from trainlib.start import in_one_process, started
from trainlib.system.files import remove_leftovers
from trainlib.system.lock import held
from trainlib.system.signals import interruptible
from trainlib.tasks import TASKS, BaseTask
from trainlib.trainer import explained, make_trainer, tensorboard

log = logging.getLogger(__name__)

_NAMES = ("last", "best")  # of checkpoints of the newest run
_PATIENCE = 10.0
"""Seconds in which a training that was told to end, or was killed, leaves its folder."""


def fit(
    config: Config,
    *,
    ckpt_path: str | Path | None = None,
    record: Record | None = None,
    debug: bool = False,
    check: bool = True,
    extra: Sequence[Callback] = (),
) -> Run:
    """Train, then validate and test the best checkpoint.

    Args:
        config: The config.
        ckpt_path: Checkpoint to continue from; ``last`` or ``best`` is that of the newest run of the config's name,
            and where it has none yet, the training starts from the beginning. A run is continued in its own folder.
        record: How the run was started, for the snapshot.
        debug: Whether to train two short epochs on a few cases instead, and to look for common mistakes.
        check: Whether to read the headers of all files before anything else.
        extra: Callbacks that act after all others; each of several processes has copies of them.

    Returns:
        The finished run.

    Raises:
        InputError: Something in the config, its CSVs, files or checkpoint is wrong.
        ResourceError: The machine ran out of something.
        Interrupted: A signal ended the training; everything up to the last finished epoch is on disk.
    """
    config = in_one_process(config) if debug else config
    return started(_fit, config, ckpt_path=ckpt_path, record=record, debug=debug, check=check, extra=extra)


@reading_once()
def _fit(
    config: Config,
    *,
    ckpt_path: str | Path | None,
    record: Record | None,
    debug: bool,
    check: bool,
    extra: Sequence[Callback],
) -> Run:
    """Do the part of one process in a training, all of it with the same rows."""
    config = _checked_for_training(config, debug=debug, resumed=ckpt_path is not None, headers=check)
    continued = decided(lambda: _folder_to_continue(config, ckpt_path))
    with interruptible(), _alone_in(continued):
        checkpoint = decided(lambda: _checkpoint_to_continue(config, continued, ckpt_path))
        first_epoch = epochs_in(read_checkpoint(checkpoint)) if checkpoint else 0
        module, task = CSVDataModule(config, first_epoch), TASKS[config.task](config)
        with explained(config):
            task.configure_model()
            starts = start_from_weights(task.network, config) if checkpoint is None else []
            module.setup("fit")
        folder = decided(lambda: continued or create(config))
        note(CHECKPOINT, str(folder.last))
        run = Run(folder, config)
        mine = nullcontext() if continued else _alone_in(folder)
        with ended_in_good_order(folder, continued is None), mine, logged(folder.log):
            _announce(run)
            for start in starts if is_first() else ():  # the others have taken the same
                start.tell()
            record = replace(record or Record(), starts=tuple(starts))
            callbacks = build_callbacks("fit", config, folder, record=record, debug=debug)
            with entered([*callbacks, *extra]), agreed(), explained(config):
                _train(run, task, module, [*callbacks, *extra_callbacks(config), *extra], checkpoint)
            report(run)
    return run


@contextmanager
def _alone_in(folder: RunFolder | None) -> Iterator[None]:
    """Keep other trainings out of a run folder for the block, and clear what a killed one may have left in it."""
    with ExitStack() as stack:

        def lock() -> None:
            if folder is not None:
                stack.enter_context(held(folder.lock, str(folder.path), _PATIENCE))
                remove_leftovers(folder.path)

        decided(lock)
        yield


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
    with own_runs():
        loggers = extra_loggers(run.config, run.folder.logs)
        trainer = make_trainer(run.config, callbacks, [tensorboard(run.folder, checkpoint), *loggers])
        trainer.fit(task, datamodule=module, ckpt_path=checkpoint, weights_only=True)
    # Where nothing was left to train, the checkpoint to continue from is the best there is.
    best = checkpoint if checkpoint and not run.folder.last.is_file() else run.checkpoint
    evaluate("validate", run, best, module)
    if run.config.data.test_csv:
        evaluate("test", run, best, module)


def _announce(run: Run) -> None:
    """Tell what every component of the config stands for, what is seldom meant, and where the results go."""
    for kind, origin in origins(run.config).items():
        log.info("%s: %s", kind, origin)
    for sentence in advice(run.config):
        log.info("%s", sentence)
    tell_precision(run.config)
    log.info("Run folder: %s", run.folder.path)


def _folder_to_continue(config: Config, ckpt_path: str | Path | None) -> RunFolder | None:
    """Find the run folder to go on in, None for a new one."""
    if ckpt_path is None:
        return None
    return latest(config) if str(ckpt_path) in _NAMES else folder_of(Path(ckpt_path))


def _checkpoint_to_continue(config: Config, folder: RunFolder | None, ckpt_path: str | Path | None) -> Path | None:
    """Find the checkpoint to go on from, None where the training starts from the beginning."""
    if ckpt_path is None:
        checkpoint = None
    elif str(ckpt_path) in _NAMES:
        checkpoint = checkpoint_of(folder, str(ckpt_path)) if folder else None
        if checkpoint is None:
            log.info("There is no checkpoint of a run %s yet; training starts from the beginning.", config.run.name)
    else:
        checkpoint = Path(ckpt_path)
    if checkpoint is not None:
        compare(read_to_continue(checkpoint), config, checkpoint)
    if folder is None:
        refuse_loss(config, checkpoint)
    return checkpoint
