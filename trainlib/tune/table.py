"""How far the trials are, for the table on the console."""

from __future__ import annotations

from collections.abc import Callable

from trainlib.folders.search import Trial
from trainlib.folders.searches import Search
from trainlib.folders.standing import Standing, standing_of


def asking(search: Search) -> Callable[[], list[Standing]]:
    """Return a function that tells how far all trials are, those that were not drawn yet as well.

    What has ended is read once.
    """
    assert search.config.tune is not None
    total, ended = search.config.tune.trials, dict[int, Standing]()

    def ask() -> list[Standing]:
        noted = {trial.number: trial for trial in search.folder.noted()}
        standings = []
        for number in range(max(total, len(noted))):
            trial = noted.get(number, Trial(number, {}))
            if number not in ended:
                standing = _standing(search, trial)
                if not trial.ended:
                    standings.append(standing)
                    continue
                ended[number] = standing
            standings.append(ended[number])
        return standings

    return ask


def _standing(search: Search, trial: Trial) -> Standing:
    folder = search.folder.run(trial)
    found = standing_of(folder, trial.name, epochs=search.epochs, monitor=search.metric, mode=search.mode)
    state = trial.state if trial.state != "training" or found.epoch < search.epochs else "testing"
    return Standing(found.name, state, found.epochs, found.history, found.best)
