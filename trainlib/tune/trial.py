"""A trial: an ordinary run on a worker of Ray, begun, continued, or continued from the weights of another."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainlib.build.patches import describe
from trainlib.callbacks import Record
from trainlib.config.schema import Config
from trainlib.config.varied import vary
from trainlib.errors import ConfigError, ResourceError, TrainlibError
from trainlib.folders.search import Trial
from trainlib.folders.searches import Report, Search, reports_of
from trainlib.system.lock import held
from trainlib.tune.inheritance import bequeath, take_over
from trainlib.tune.reporting import TrialReport
from trainlib.tune.schedulers import BEST, EPOCH, OVER, VALUE, grace_of
from trainlib.tune.searcher import PARAMETERS

_ENDING = 60  # seconds that a trial which is ended early has to close its files


@dataclass(frozen=True)
class Plan:
    """What a worker has to know.

    Attributes:
        search: The search.
        record: How it was started.
        directory: Where it was started.
    """

    search: Search
    record: Record | None
    directory: str


class TrialError(Exception):
    """A trial has failed, for the reason that stands in its record."""


class TrialBusyError(TrialError):
    """Another process works on the trial, such as one that a killed search has left; its record is left alone."""


def trial_config(search: Search, trial: Trial) -> Config:
    """Return the complete config of a trial.

    It has no test cases: a search that looked at them would choose by them. It writes no report and sends nothing, and
    measures no energy, which is that of a machine and not of one of the trials on it.

    Raises:
        ConfigError: The settings of the trial cannot be used.
    """
    varied = vary(search.config, trial.parameters)
    if varied.problems or varied.config is None:
        raise ConfigError(varied.problems)
    config, tune = varied.config, search.config.tune
    assert tune is not None
    data: dict[str, Any] = {"test_csv": None, "cache_dir": str(search.config.cache_dir)}
    if config.data.num_workers == "auto":
        data["num_workers"] = max(0, min(8, int(tune.per_trial.cpu) - 1))
    run = {"name": trial.name, "root": str(search.folder.path), "overwrite": False}
    return config.model_copy(
        update={
            "run": config.run.model_copy(update=run),
            "data": config.data.model_copy(update=data),
            "trainer": config.trainer | {"enable_progress_bar": False},
            "report": None,
            "emissions": None,
            "pushover": None,
            "tune": None,
        }
    )


def make_trainable(plan: Plan) -> Any:
    """Make what Ray runs for each trial."""
    from ray.tune.trainable.function_trainable import wrap_function

    def train(config: dict[str, Any]) -> None:
        train_trial(config, plan)

    # `wrap_function` knows the functions that `Tuner` takes; deriving from it gives a trial time to end.
    base: Any = wrap_function(train, name="trial")

    class TrialActor(base):
        def cleanup(self) -> None:
            _let_end()
            super().cleanup()

        def reset_config(self, new_config: dict[str, Any]) -> bool:
            _let_end()
            return bool(super().reset_config(new_config))

    return TrialActor


def _let_end() -> None:
    """Let a trial that is ended early close its files, before its process ends or takes the next one."""
    from ray.train._internal.session import get_session

    session = get_session()
    if session is not None and session.training_started:
        session.stop_event.set()
        session.continue_lock.release()
        session.training_thread.join(timeout=_ENDING)  # type: ignore[no-untyped-call]


def train_trial(config: Mapping[str, Any], plan: Plan) -> None:
    """Train a trial in a process of Ray; it is begun, or goes on where it was cut off.

    Args:
        config: What Ray hands over.
        plan: What else there is to know.

    Raises:
        TrialBusyError: Another process works on it.
        TrialError: The trial has failed; why is noted.
    """
    from ray import tune

    number = int(tune.get_context().get_trial_name().rpartition("_")[2])
    folder = plan.search.folder
    if os.path.isdir(plan.directory):
        os.chdir(plan.directory)  # that of the command, for the snapshot
    with ExitStack() as stack:
        try:
            stack.enter_context(held(folder.records / f".{Trial(number, {}).name}.lock", f"trial {number}"))
        except ResourceError as error:
            raise TrialBusyError(str(error)) from None
        _train_noted(plan, number, dict(config[PARAMETERS]), tune.get_checkpoint())


def _train_noted(plan: Plan, number: int, parameters: dict[str, Any], checkpoint: Any) -> None:
    """Train a trial that no other process works on, and note what becomes of it."""
    search, folder, copied = plan.search, plan.search.folder, 0
    try:
        trial = folder.change(number, state="training", error="", parameters=parameters)
        if checkpoint is not None:
            source = Path(checkpoint.path)  # in a folder of Ray's that has the name of a trial
            take_over(source, folder.run(trial))
            if source.parent.name != trial.name:
                trial = folder.change(number, inherited=int(source.parent.name.rpartition("_")[2]))
            copied = reports_of(folder.run(trial), search.metric, search.mode)[-1].epoch
        _train(plan, trial, copied)
        folder.change(number, state="finished")
    except TrainlibError as error:
        folder.change(number, state="failed", error=" ".join(str(error).split()))
        raise TrialError(str(error)) from None
    except Exception as error:
        folder.change(number, state="failed", error=_sentence(error))
        raise TrialError(describe(error)) from error


def _train(plan: Plan, trial: Trial, copied: int) -> None:
    """Train, and report to Ray; a trial of a population that goes on from a copy was `copied` after that epoch.

    It hands over another copy only when Ray may pause it or let others take over: Ray keeps but a few, and those of
    every epoch would push out the one that another trial is about to go on from.
    """
    from trainlib.run import fit

    search, run = plan.search, plan.search.folder.run(trial)
    begun = run.config.is_file()
    if not begun and run.path.exists():  # killed before the first epoch began
        shutil.rmtree(run.path)

    interval = _interval(search)

    def tell(report: Report, over: bool) -> None:
        nonlocal copied
        from ray import tune

        figures = {EPOCH: report.epoch, VALUE: report.value, BEST: report.best, OVER: over}
        if over or interval is None or report.epoch - copied < interval:
            tune.report(figures)
            return
        copied = report.epoch
        with tempfile.TemporaryDirectory(dir=run.path) as temporary:
            bequeath(run, Path(temporary))
            tune.report(figures, checkpoint=tune.Checkpoint.from_directory(temporary))

    reporter = TrialReport(run, search.metric, search.mode, tell)
    fit(trial_config(search, trial), ckpt_path="last" if begun else None, record=plan.record, extra=[reporter])


def _interval(search: Search) -> int | None:
    """Return the number of epochs between two copies of a trial, None where there are no copies."""
    settings = search.config.tune
    return grace_of(settings, search.epochs) if settings is not None and settings.scheduler == "pbt" else None


def _sentence(error: Exception) -> str:
    """Say in a line what went wrong where it is nothing that trainlib knows of."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:300]}" if text else type(error).__name__
