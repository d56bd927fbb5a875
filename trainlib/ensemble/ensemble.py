"""Train an ensemble, score it, and write its report: what `trainlib ensemble` does."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from trainlib.build.patches import describe
from trainlib.callbacks import Record
from trainlib.config.schema import Config
from trainlib.data.complete import complete
from trainlib.ensemble.members import Member, members_of, standing
from trainlib.ensemble.opening import open_ensemble
from trainlib.ensemble.summary import Figure, write_summary
from trainlib.ensemble.tables import write_cv
from trainlib.ensemble.testing import score_test_set
from trainlib.ensemble.training import train_members
from trainlib.errors import ConfigError
from trainlib.folders.ensemble import Ensemble, Kind
from trainlib.folders.standing import Standing
from trainlib.report.ensemble import write_ensemble_report
from trainlib.system.files import remove_leftovers
from trainlib.system.lock import held
from trainlib.system.signals import interruptible

log = logging.getLogger(__name__)

Watch = Callable[[Callable[[], list[Standing]]], AbstractContextManager[None]]
"""Shows how far the members are for as long as they are trained; gets what tells it."""


def fit_ensemble(
    config: Config,
    *,
    folds: int | None = None,
    seeds: int | None = None,
    parallel: int = 1,
    address: str | None = None,
    record: Record | None = None,
    watch: Watch | None = None,
) -> tuple[Ensemble, list[Figure]]:
    """Train the members of an ensemble, or those that are not finished yet, and score them together.

    Args:
        config: The config of every member.
        folds: Number of folds that the training and validation cases are divided into, each held out once.
        seeds: Number of members that are trained on the same cases with other seeds; one of both is given.
        parallel: Members that are trained at a time.
        address: Address of a running Ray cluster; None uses this machine.
        record: How the ensemble was started, for the snapshots.
        watch: Shows how far the members are.

    Returns:
        The ensemble and its figures.

    Raises:
        InputError: Something in the config, its CSVs or files is wrong, or differs from what was begun.
        ResourceError: The machine ran out of something.
        Interrupted: A signal ended the training; the same call continues.
    """
    kind, count = _asked(folds, seeds)
    with interruptible():
        ensemble = open_ensemble(complete(config), kind, count)
        log.info("Ensemble of %d %s: %s", count, kind, ensemble.folder.path)
        with held(ensemble.folder.path / ".lock", str(ensemble.folder.path)):
            remove_leftovers(ensemble.folder.path)
            members = members_of(ensemble)
            if not all(member.finished for member in members):
                ensemble.folder.scores.unlink(missing_ok=True)  # whatever interrupts it, they are made again
            with watch(lambda: [standing(member) for member in members]) if watch else nullcontext():
                train_members(members, record, parallel=parallel, address=address)
            return ensemble, score(ensemble, members)


def score(ensemble: Ensemble, members: Sequence[Member]) -> list[Figure]:
    """Write the tables and the report of an ensemble whose members are finished.

    The test cases are scored unless ensemble.csv is there, which is removed when a member is trained.
    """
    if ensemble.kind == "folds":
        write_cv(ensemble, members)
    if ensemble.config.data.test_csv is not None and not ensemble.folder.scores.is_file():
        log.info("Scoring the test cases with all members together.")
        score_test_set(ensemble, members)
    figures = write_summary(ensemble)
    if ensemble.config.report is not None:
        _report(ensemble.folder.path)
    return figures


def _asked(folds: int | None, seeds: int | None) -> tuple[Kind, int]:
    if (folds is None) == (seeds is None):
        raise ConfigError("Give either --folds or --seeds, the number of members.")
    kind: Kind = "seeds" if folds is None else "folds"
    count = folds or seeds or 0
    if count < 2:
        raise ConfigError(f"--{kind}: expected at least 2, found {count}. One model is trained by `trainlib fit`.")
    return kind, count


def _report(path: Path) -> None:
    """Write the report; the results are on disk even if it cannot be written."""
    try:
        write_ensemble_report(path)
    except Exception as error:
        log.warning("The report could not be written: %s.", describe(error), exc_info=True)
