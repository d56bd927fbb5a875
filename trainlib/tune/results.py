"""What a search leaves behind: the table of its trials, the config of the best, the report."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from trainlib.config.load import dump_config
from trainlib.config.varied import vary
from trainlib.folders.searches import Outcome, Search, outcomes, ranked
from trainlib.system.files import write_table, write_text

FIXED = ("trial", "state", "epochs", "best_epoch")
LAST = ("seconds", "folder", "error")


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
        "folder": outcome.link,
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
