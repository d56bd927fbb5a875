"""Let Ray run the trials of a search that are not ended."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from trainlib.callbacks import Record
from trainlib.cluster import cluster
from trainlib.folders.search import SearchFolder, Trial
from trainlib.folders.searches import Outcome, Search, outcomes
from trainlib.folders.standing import Standing
from trainlib.system.signals import interruptible
from trainlib.tune.shared import check_resources, check_shared, slots
from trainlib.tune.space import Space
from trainlib.tune.table import asking

log = logging.getLogger(__name__)

Watch = Callable[[Callable[[], list[Standing]], int], AbstractContextManager[None]]
# Ray's own output, its signal handlers and its tables, in the place of which are ours.
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_DEDUP_LOGS": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_AUTO_CALLBACK_SYNCER": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_RESULT_BUFFER_LENGTH": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
_COPIES = 6  # of a trial that Ray keeps; it counts some twice, and one may be waited for while two more are made


def run_trials(search: Search, address: str | None, record: Record | None, watch: Watch | None) -> None:
    """Let Ray run what is not ended.

    Args:
        search: The search.
        address: Address of a running Ray cluster; None uses this machine.
        record: How the search was started.
        watch: Shows the progress.

    Raises:
        ConfigError: No machine has room for a trial, or one of a cluster lacks something.
        ResourceError: Ray cannot be started.
        Interrupted: A signal ended the search.
    """
    assert search.config.tune is not None
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    shutil.rmtree(search.folder.ray, ignore_errors=True)
    with interruptible(), cluster(address) as ray:
        _silence()
        check_resources(ray, search.config.tune)
        if address is not None:
            check_shared(ray, search)
        parallel = slots(ray, search.config.tune)
        _advise(ray, search)
        with watch(asking(search), parallel) if watch else nullcontext():
            _fit(search, record, parallel)


def _fit(search: Search, record: Record | None, parallel: int) -> None:
    """Run Ray's Tuner. Its own state is of no use to us: run folders and records tell where all trials are."""
    from ray import tune as ray_tune

    from trainlib.tune.schedulers import make_scheduler, teach
    from trainlib.tune.trial import Plan, make_trainable
    from trainlib.tune.watching import Notes

    config, settings = search.config, search.config.tune
    assert settings is not None
    space = Space(settings.space)
    found = outcomes(search)
    scheduler = make_scheduler(settings, search.mode, search.epochs, space, config.seed)
    teach(scheduler, found)
    demand = {"cpu": settings.per_trial.cpu, "gpu": settings.per_trial.gpu}
    trainable = ray_tune.with_resources(make_trainable(Plan(search, record, str(Path.cwd()))), demand)
    parameters, options = _proposals(search, found, space, parallel)
    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(parallel)  # they start side by side, not one after the other
    tuner = ray_tune.Tuner(
        trainable,
        param_space=parameters,
        tune_config=ray_tune.TuneConfig(scheduler=scheduler, trial_dirname_creator=_name, reuse_actors=True, **options),
        run_config=ray_tune.RunConfig(
            name="trials",
            storage_path=str(search.folder.ray),
            verbose=0,
            callbacks=[Notes(search.folder)],
            failure_config=ray_tune.FailureConfig(max_failures=0),
            checkpoint_config=ray_tune.CheckpointConfig(num_to_keep=_COPIES if settings.scheduler == "pbt" else None),
        ),
    )
    tuner.fit()


def _proposals(
    search: Search, found: Sequence[Outcome], space: Space, parallel: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Make what draws the settings of the trials: a searcher, or for a population all at once."""
    from trainlib.tune.schedulers import BEST
    from trainlib.tune.searcher import PARAMETERS, Proposer, RecordedSearch

    config, settings = search.config, search.config.tune
    assert settings is not None
    population = settings.scheduler == "pbt"
    method = "random" if population else settings.search or "optuna"
    proposer = Proposer(space, method, search.mode, config.seed, settings.trials)
    noted = [outcome.trial for outcome in found]
    for outcome in found:
        if outcome.trial.ended and not population:
            value = float("nan") if outcome.trial.state == "failed" else outcome.best
            proposer.learn(outcome.trial, value)
    waiting = [trial for trial in noted if not trial.ended]
    first = max((trial.number for trial in noted), default=-1) + 1
    if population:
        waiting += [Trial(number, proposer.draw(number)) for number in range(first, settings.trials)]
        _note_all(search.folder, waiting)
        from ray.tune import grid_search

        space_of_ray = {PARAMETERS: grid_search([trial.parameters for trial in waiting])}
        numbers = [trial.number for trial in waiting]
        return space_of_ray, {"trial_name_creator": lambda trial: f"trial_{numbers[_counter(trial)]:05d}"}
    searcher = RecordedSearch(
        proposer, waiting, first=first, trials=settings.trials, begin=search.folder.note, metric=BEST, mode=search.mode
    )
    samples = len(waiting) + max(0, settings.trials - first)
    name = {"trial_name_creator": lambda trial: searcher.begun[trial.trial_id].name}
    # No more at a time than there is room for, so that each is proposed as late, and as well informed, as can be.
    return {}, {"search_alg": searcher, "num_samples": samples, "max_concurrent_trials": parallel, **name}


def _note_all(folder: SearchFolder, trials: Sequence[Trial]) -> None:
    for trial in trials:
        folder.note(replace(trial, state="waiting"))


def _counter(trial: Any) -> int:
    """Return the place of one of Ray's trials in its grid."""
    return int(trial.trial_id.rpartition("_")[2])


def _name(trial: Any) -> str:
    return str(trial)


def _silence() -> None:
    """Keep Ray from telling what the table tells."""
    for name in ("ray", "ray.tune", "ray.train", "ray._private.worker"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _advise(ray: Any, search: Search) -> None:
    """Say what is seldom meant."""
    assert search.config.tune is not None
    if search.config.tune.per_trial.gpu == 0 and ray.cluster_resources().get("GPU", 0) > 0:
        log.info("The trials use no GPU, though there is one. tune.per_trial.gpu=1 gives one to each.")
