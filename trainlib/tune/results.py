"""What a search leaves behind: the table of its trials, the config of the best, the report."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from trainlib.config.load import dump_config
from trainlib.config.varied import vary
from trainlib.files import write_table, write_text
from trainlib.search_folder import Search, Trial
from trainlib.tune.history import epochs_of, reports_of, seconds_of

FIXED = ("trial", "state", "epochs", "best_epoch")
LAST = ("seconds", "folder", "error")


@dataclass(frozen=True)
class Outcome:
    """What a trial came to.

    Attributes:
        trial: The trial.
        epochs: Number of finished epochs.
        best: Best value of the metric; nan where there is none.
        best_epoch: The epoch with it, counted from 1; 0 where there is none.
        seconds: How long its epochs took.
    """

    trial: Trial
    epochs: int
    best: float
    best_epoch: int
    seconds: float


def outcome_of(search: Search, trial: Trial) -> Outcome:
    """Read what a trial came to."""
    folder = search.folder.run(trial)
    reports = reports_of(folder, search.metric, search.mode)
    best = reports[-1].best if reports else math.nan
    epoch = next((report.epoch for report in reports if report.value == best), 0)
    return Outcome(trial, len(epochs_of(folder)), best, epoch, seconds_of(folder))


def outcomes(search: Search) -> list[Outcome]:
    """Read what all trials came to, in the order of their numbers."""
    return [outcome_of(search, trial) for trial in search.folder.noted()]


def ranked(search: Search, found: Sequence[Outcome]) -> list[Outcome]:
    """Sort the trials that came to anything, the best first, of equal ones that with the lower number."""
    usable = [outcome for outcome in found if outcome.trial.state != "failed" and math.isfinite(outcome.best)]
    sign = -1 if search.mode == "max" else 1
    return sorted(usable, key=lambda outcome: (sign * outcome.best, outcome.trial.number))


def write_results(search: Search) -> list[Outcome]:
    """Write ``trials.csv``, and ``best.yaml`` where a trial came to anything."""
    assert search.config.tune is not None
    found = outcomes(search)
    keys = list(search.config.tune.space)
    rows = [_row(search, outcome, keys) for outcome in found]
    write_table(search.folder.trials, rows, [*FIXED, search.metric, *keys, *LAST])
    for best in ranked(search, found)[:1]:
        write_text(search.folder.best, _best_config(search, best))
    return found


def _row(search: Search, outcome: Outcome, keys: Sequence[str]) -> dict[str, str]:
    trial = outcome.trial
    row = {
        "trial": str(trial.number),
        "state": trial.state,
        "epochs": str(outcome.epochs),
        "best_epoch": str(outcome.best_epoch or ""),
        search.metric: f"{outcome.best:.9g}" if math.isfinite(outcome.best) else "",
        "seconds": f"{outcome.seconds:.1f}",
        "folder": trial.name if search.folder.run(trial).config.is_file() else "",
        "error": trial.error,
    }
    return row | {key: written(trial.parameters[key]) for key in keys}


def written(value: Any) -> str:
    """Write the value of a setting in a cell: a text as it is, all else as in JSON."""
    return value if isinstance(value, str) else json.dumps(value)


def _best_config(search: Search, best: Outcome) -> str:
    """Write the config of the best trial: that of the search with its settings, and the test cases again."""
    varied = vary(search.config, best.trial.parameters).config
    assert varied is not None
    run = varied.run.model_copy(update={"name": f"{varied.run.name}_best"})
    config = varied.model_copy(update={"run": run, "tune": None})
    head = f"# {best.trial.name} of {search.folder.path.name}: {search.metric} {best.best:.6g} in epoch"
    head += f" {best.best_epoch}\n"
    if search.config.tune is not None and search.config.tune.scheduler == "pbt":
        head += f"# These are its last settings; its weights came about with several. {best.trial.name}/checkpoints "
        head += "has them.\n"
    return head + dump_config(config)
