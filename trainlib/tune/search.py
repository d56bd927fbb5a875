"""Search for good settings: open or continue the folder, let Ray run the trials, write the results."""

from __future__ import annotations

import logging
import shutil

from trainlib.build.patches import describe
from trainlib.callbacks import Record
from trainlib.config.schema import Config
from trainlib.data.complete import complete
from trainlib.errors import ResourceError
from trainlib.folders.searches import Search, ranked
from trainlib.report.search import write_search_report
from trainlib.start import alone
from trainlib.tune.opening import opened
from trainlib.tune.results import write_results
from trainlib.tune.running import Watch, run_trials

log = logging.getLogger(__name__)


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
    alone(config, "trainlib tune")
    with opened(complete(config), resume=resume) as search:
        log.info("Search: %s", search.folder.path)
        if _unended(search):
            run_trials(search, address, record, watch)
        found = write_results(search)
        shutil.rmtree(search.folder.ray, ignore_errors=True)
        _tell_busy(search)
        _report(search)
    if not ranked(search, found):
        reasons = [outcome.trial.error for outcome in found if outcome.trial.error]
        first = f" The first one failed with: {reasons[0]}" if reasons else ""
        raise ResourceError(f"No trial came to anything.{first}")
    return search


def _unended(search: Search) -> bool:
    """Tell whether there are trials to go on with, or to draw."""
    assert search.config.tune is not None
    noted = search.folder.noted()
    return len(noted) < search.config.tune.trials or any(not trial.ended for trial in noted)


def _tell_busy(search: Search) -> None:
    """Name the trials that were left alone, which another process works on."""
    names = [trial.name for trial in search.folder.noted() if not trial.ended]
    if names:
        log.warning("%s: not ended, for another process works on it. Go on later with --resume.", ", ".join(names))


def _report(search: Search) -> None:
    """Write the report; the results are on disk even if it cannot be written."""
    if search.config.report is None:
        return
    try:
        write_search_report(search.folder.path)
    except Exception as error:
        log.warning("The report could not be written: %s.", describe(error), exc_info=True)
