"""Search for good settings: open or continue the folder, let Ray run the trials, write the results."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from trainlib.build.patches import describe
from trainlib.callbacks import Record
from trainlib.cluster import cluster
from trainlib.config.schema import Config
from trainlib.data.complete import complete
from trainlib.ensemble.lock import held
from trainlib.errors import ConfigError, InputError, Problem, ResourceError
from trainlib.report.search import write_search_report
from trainlib.runs import unique_folder
from trainlib.search_folder import Search, SearchFolder, Trial, latest_search, read_search, wanted_folder
from trainlib.signals import interruptible
from trainlib.standing import Standing
from trainlib.tune.history import reports_of
from trainlib.tune.interruption import handlers, interruptions_kept
from trainlib.tune.results import outcomes, ranked, write_results
from trainlib.tune.shared import check_resources, check_shared, slots
from trainlib.tune.space import Space
from trainlib.tune.table import asking

log = logging.getLogger(__name__)

Watch = Callable[[Callable[[], list[Standing]], int], AbstractContextManager[None]]
# Settings that may differ when a search is continued.
_FREE = ("tune.trials", "tune.per_trial", "run.", "data.cache", "data.num_workers", "report", "pushover", "emissions")
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


def tune(
    config: Config,
    *,
    resume: bool = False,
    address: str | None = None,
    record: Record | None = None,
    watch: Watch | None = None,
) -> Search:
    """Search for the settings of the section ``tune``.

    Args:
        config: The config, checked.
        resume: Whether to continue the newest search of the config's name; without one, it begins.
        address: Address of a running Ray cluster; None starts Ray on this machine and stops it again.
        record: How the search was started, for the snapshots of the trials.
        watch: Shows the progress; it is handed a function that tells how far all trials are, and how many run at a
            time, and entered while they do.

    Returns:
        The search, its results written.

    Raises:
        InputError: Something in the config or on the cluster is wrong.
        ResourceError: The machine ran out of something, or no trial came to anything.
        Interrupted: A signal ended the search; what is finished stays so.
    """
    search = _opened(complete(config), resume)
    with held(search.folder.lock, search.folder.path.name):
        log.info("Search: %s", search.folder.path)
        if any(not trial.ended for trial in search.folder.noted()) or _missing(search):
            with _removed_if_refused(search.folder):
                _run(search, address, record, watch)
        found = write_results(search)
        shutil.rmtree(search.folder.ray, ignore_errors=True)
        _report(search)
    if not ranked(search, found):
        reasons = [outcome.trial.error for outcome in found if outcome.trial.error]
        raise ResourceError(f"No trial came to anything. The first one failed with: {(reasons or ['nothing'])[0]}")
    return search


def _opened(config: Config, resume: bool) -> Search:
    """Make the folder of a new search, or open that of one to continue."""
    if config.tune is None:
        raise ConfigError("tune is missing: it says what to search.")
    folder = latest_search(config) if resume else None
    if folder is None:
        if resume:
            log.info("There is no search of %s to continue yet; it begins.", config.run.name)
        search = Search(SearchFolder(unique_folder(wanted_folder(config).absolute())), config)
    else:
        _compare(read_search(folder.path).config, config, folder.path)
        search = Search(SearchFolder(folder.path.absolute()), config)
    search.write()
    return search


@contextmanager
def _removed_if_refused(folder: SearchFolder) -> Iterator[None]:
    """Take the folder of a search away that was refused before its first trial."""
    try:
        yield
    except InputError:
        if not folder.records.exists():
            shutil.rmtree(folder.path)
        raise


def _compare(before: Config, now: Config, path: Path) -> None:
    """Refuse to continue with settings that would make the trials incomparable.

    Raises:
        ConfigError: A setting differs; all are named.
    """
    old, new = _flat(before.model_dump(mode="json")), _flat(now.model_dump(mode="json"))
    keys = [key for key in sorted(old.keys() | new.keys()) if old.get(key) != new.get(key)]
    wrong = [key for key in keys if not key.startswith(_FREE)]
    if wrong:
        raise ConfigError(
            Problem(
                f"{key} is {new.get(key)!r}, but the search in {path} was begun with {old.get(key)!r}. Leave --resume "
                "out to begin another one."
            )
            for key in wrong
        )


def _flat(node: Any, key: str = "") -> dict[str, Any]:
    if not isinstance(node, dict) or not node:
        return {key: node}
    flat: dict[str, Any] = {}
    for name, value in node.items():
        flat |= _flat(value, f"{key}.{name}" if key else str(name))
    return flat


def _missing(search: Search) -> int:
    """Count the trials that were not drawn yet."""
    assert search.config.tune is not None
    return max(0, search.config.tune.trials - len(search.folder.noted()))


def _run(search: Search, address: str | None, record: Record | None, watch: Watch | None) -> None:
    """Let Ray run what is not ended."""
    assert search.config.tune is not None
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    shutil.rmtree(search.folder.ray, ignore_errors=True)
    with interruptible(), nullcontext(handlers()) as before, cluster(address) as ray:
        _silence()
        check_resources(ray, search.config.tune)
        if address is not None:
            check_shared(ray, search)
        parallel = slots(ray, search.config.tune)
        _advise(ray, search)
        with interruptions_kept(before), watch(asking(search), parallel) if watch else nullcontext():
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
    scheduler = make_scheduler(settings, search.mode, search.epochs, space, config.seed)
    teach(scheduler, _histories(search))
    demand = {"cpu": settings.per_trial.cpu, "gpu": settings.per_trial.gpu}
    trainable = ray_tune.with_resources(make_trainable(Plan(search, record, str(Path.cwd()))), demand)
    parameters, options = _proposals(search, space, parallel)
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
            checkpoint_config=ray_tune.CheckpointConfig(num_to_keep=4 if settings.scheduler == "pbt" else None),
        ),
    )
    tuner.fit()


def _proposals(search: Search, space: Space, parallel: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Make what draws the settings of the trials: a searcher, or for a population all at once."""
    from trainlib.tune.schedulers import BEST
    from trainlib.tune.searcher import PARAMETERS, Proposer, RecordedSearch

    config, settings = search.config, search.config.tune
    assert settings is not None
    population = settings.scheduler == "pbt"
    method = "random" if population else settings.search or "optuna"
    proposer = Proposer(space, method, search.mode, config.seed, settings.trials)
    noted = search.folder.noted()
    for outcome in outcomes(search):
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


def _histories(search: Search) -> dict[int, list[dict[str, float]]]:
    """Read what the trials that have ended reported."""
    return {
        trial.number: [asdict(report) for report in reports_of(search.folder.run(trial), search.metric, search.mode)]
        for trial in search.folder.noted()
        if trial.state in ("finished", "stopped")
    }


def _silence() -> None:
    """Keep Ray from telling what the table tells."""
    for name in ("ray", "ray.tune", "ray.train", "ray._private.worker"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _advise(ray: Any, search: Search) -> None:
    """Say what is seldom meant."""
    assert search.config.tune is not None
    if search.config.tune.per_trial.gpu == 0 and ray.cluster_resources().get("GPU", 0) > 0:
        log.info("The trials use no GPU, though there is one. tune.per_trial.gpu=1 gives one to each.")


def _report(search: Search) -> None:
    """Write the report; the results are on disk even if it cannot be written."""
    if search.config.report is None:
        return
    try:
        write_search_report(search.folder.path)
    except Exception as error:
        log.warning("The report could not be written: %s.", describe(error), exc_info=True)
