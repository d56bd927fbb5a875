"""Put the report of a search together."""

from __future__ import annotations

import math
import shlex
from dataclasses import dataclass
from typing import Any

from trainlib.folders.searches import Outcome
from trainlib.report.formats import NOTHING, duration, fixed, significant
from trainlib.report.page import fill, frame
from trainlib.report.reading import read_text
from trainlib.report.search.charts import draw_slices, draw_trials
from trainlib.report.search.importance import LEAST, Importance, importances
from trainlib.report.search.load import SearchContent
from trainlib.report.search.parallel import draw_parallel
from trainlib.report.search.scales import short_names, written
from trainlib.words import count, listed

_SECTIONS = (
    ("results", "Results"),
    ("curves", "Trials"),
    ("settings", "Settings"),
    ("cases", "Every trial"),
    ("config", "Config"),
)
_FEW = 20  # trials below which nothing is sure


@dataclass(frozen=True)
class Bar:
    """The importance of a setting, as it is shown.

    Attributes:
        key: The setting.
        text: The share in percent.
        width: The share in percent, for the width of the bar.
        chance: What chance stays below, in percent.
        certain: Whether chance hardly explains it.
    """

    key: str
    text: str
    width: float
    chance: float
    certain: bool


def render_search(content: SearchContent) -> str:
    """Write the page."""
    search, tune = content.search, content.search.config.tune
    assert tune is not None
    counted = [outcome for outcome in content.trials if outcome.counts]
    values = {key: [outcome.trial.parameters[key] for outcome in counted] for key in content.keys}
    found = importances(dict(tune.space), values, content.bests())
    order = [importance.key for importance in reversed(found)] or content.keys
    best = content.best
    context: dict[str, Any] = {
        **frame(content.example, search.folder.path.name, ["search/style.css"]),
        "sections": _SECTIONS,
        "sentence": _sentence(content),
        "tiles": _tiles(content),
        "best": [(key, written(best.trial.parameters[key])) for key in content.keys] if best else [],
        "failed": [outcome for outcome in content.trials if outcome.trial.state == "failed"],
        "fit": shlex.join(["trainlib", "fit", "-c", str(search.folder.best)]),
        "resume": _unended(content),
        "command": read_text(content.example.folder.snapshot / "command.txt").strip(),
        "curves": draw_trials(content),
        "parallel": draw_parallel(content, order),
        "slices": draw_slices(content),
        "bars": [_bar(importance) for importance in found],
        "least": LEAST,
        "few": len(counted) < _FEW,
        "counted": len(counted),
        "how": _how(content),
        "metric": search.metric,
        "keys": [(key, short_names(content.keys)[key]) for key in content.keys],
        "rows": [_row(content, outcome) for outcome in content.trials],
        "config_text": content.settings,
        "population": tune.scheduler == "pbt",
    }
    return fill("search/report.html", context)


def _sentence(content: SearchContent) -> str:
    best, search = content.best, content.search
    if best is None:
        return f"None of {count(len(content.trials), 'trial')} came to anything."
    return (
        f"Of {count(len(content.trials), 'trial')} over {listed(content.keys)}, trial {best.trial.number} has the "
        f"{'highest' if content.higher else 'lowest'} {search.metric}: {significant(best.best, 4)} in epoch "
        f"{best.best_epoch}."
    )


def _tiles(content: SearchContent) -> list[tuple[str, str, str]]:
    """Return name, value and note of the headline figures."""
    best = content.best
    seconds = math.fsum(outcome.seconds for outcome in content.trials)
    whole = content.search.epochs * len(content.trials)
    done = sum(outcome.epochs for outcome in content.trials)
    ends = [f"{content.count(state)} {state}" for state in ("finished", "stopped", "failed") if content.count(state)]
    return [
        (f"Best {content.search.metric}", significant(best.best, 4) if best else NOTHING,
         f"trial {best.trial.number}, epoch {best.best_epoch}" if best else ""),
        ("Trials", str(len(content.trials)), ", ".join(ends)),
        ("Epochs", str(done), f"{fixed(100 * done / whole, 0)} % of {whole}, had none ended early"),
        ("Training time", duration(seconds), "of all trials together"),
    ]  # fmt: skip


def _how(content: SearchContent) -> str:
    """Say how settings were chosen and trials ended."""
    tune = content.search.config.tune
    assert tune is not None
    if tune.scheduler == "pbt":
        return "Population based training: the worst trials took over weights of the best, with changed settings."
    chosen = {
        "random": "Settings were drawn at random.",
        "optuna": "Settings were proposed by Optuna's tree-structured Parzen estimator, the first ones at random.",
    }
    ended = {
        "asha": "Asynchronous successive halving (ASHA) ended trials that were not among the best third so far.",
        "median": "Trials worse than the median of the others at the same epoch were ended.",
        "none": "No trial was ended early.",
    }
    return f"{chosen[tune.search or 'optuna']} {ended[tune.scheduler]}"


def _unended(content: SearchContent) -> bool:
    tune = content.search.config.tune
    assert tune is not None
    return len(content.trials) < tune.trials or any(not outcome.trial.ended for outcome in content.trials)


def _bar(importance: Importance) -> Bar:
    share, chance = 100 * importance.share, 100 * importance.chance
    return Bar(importance.key, f"{share:.0f} %", share, chance, importance.certain)


def _row(content: SearchContent, outcome: Outcome) -> dict[str, Any]:
    return {
        "number": outcome.trial.number,
        "name": outcome.trial.name,
        "link": outcome.link,
        "state": outcome.trial.state,
        "bad": outcome.trial.state == "failed",
        "error": outcome.trial.error,
        "epochs": outcome.epochs,
        "value": repr(outcome.best) if outcome.counts else "",
        "text": significant(outcome.best, 4) if outcome.counts else NOTHING,
        "best": content.best is not None and outcome.trial.number == content.best.trial.number,
        "time": duration(outcome.seconds) if outcome.epochs else NOTHING,
        "seconds": repr(outcome.seconds) if outcome.epochs else "",
        "cells": [
            (written(value, 28), _sortable(value)) for value in (outcome.trial.parameters[k] for k in content.keys)
        ],
    }


def _sortable(value: Any) -> str:
    return repr(float(value)) if isinstance(value, int | float) and not isinstance(value, bool) else ""
