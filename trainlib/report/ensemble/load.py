"""What the folder of an ensemble holds, read for the report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import pandas as pd

from trainlib.errors import ConfigError
from trainlib.folders.ensemble import OVER_FOLDS, POOLED, Ensemble, read_ensemble
from trainlib.metrics.bootstrap import Interval
from trainlib.report.content import Content
from trainlib.report.load import read_content
from trainlib.report.reading import UnreadableError, read_table

_TEXTS = ("set", "model", "fold", "case", "class", "metric", "outcome", "label", "prediction")
_NUMBERS = ("value", "low", "high", "std", "cases", "dice", "hd", "hd95", "asd", "nsd")


@dataclass(frozen=True)
class EnsembleContent:
    """The files of an ensemble.

    Attributes:
        ensemble: Its settings.
        members: The members that were begun.
        figures: ``summary.csv``, empty where it cannot be used.
        cv: ``cv.csv``, empty where it cannot be used.
        scores: ``ensemble.csv``, empty where it cannot be used.
        problems: Why tables cannot be used, a sentence each.
    """

    ensemble: Ensemble
    members: list[Content]
    figures: pd.DataFrame
    cv: pd.DataFrame
    scores: pd.DataFrame
    problems: list[str] = field(default_factory=list)

    @property
    def task(self) -> str:
        """The task."""
        return self.ensemble.config.task

    def models(self, name: str) -> list[str]:
        """List the models that have figures on a set (``cv`` or ``test``), in the order of the table."""
        return list(dict.fromkeys(self.figures.loc[self.figures["set"] == name, "model"])) if len(self.figures) else []

    def cases(self, name: str) -> int:
        """Count the cases of a set."""
        table = self.cv if name == "cv" else self.scores
        return int(table["case"].nunique()) if len(table) else 0

    def figure(self, name: str, model: str, metric: str, group: str = "") -> Interval:
        """Return a figure with its interval, nan where there is none."""
        row = self._row(name, model, metric, group)
        return Interval(*(math.nan if row is None else float(row[key]) for key in ("value", "low", "high")))

    @property
    def together(self) -> str:
        """The model of what all folds come to, beside which their deviation stands."""
        return OVER_FOLDS if OVER_FOLDS in self.models("cv") else POOLED

    def deviation(self, metric: str, group: str = "") -> float:
        """Return the standard deviation of a figure over the folds."""
        row = self._row("cv", self.together, metric, group)
        return math.nan if row is None else float(row["std"])

    def _row(self, name: str, model: str, metric: str, group: str) -> pd.Series | None:
        if not len(self.figures):
            return None
        table = self.figures
        wanted = (table["set"] == name) & (table["model"] == model)
        rows = table[wanted & (table["metric"] == metric) & (table["class"] == group)]
        return rows.iloc[0] if len(rows) else None

    def link(self, file: Path) -> str:
        """Return the address of a file for the page; empty where there is none."""
        return quote(file.relative_to(self.ensemble.folder.path).as_posix()) if file.is_file() else ""


def read_ensemble_content(path: Path) -> EnsembleContent:
    """Read the folder of an ensemble.

    Raises:
        ConfigError: It is no such folder, or none of its members was begun.
    """
    ensemble = read_ensemble(path)
    folder = ensemble.folder
    begun = [folder.member(name) for name in ensemble.members if folder.member(name).config.is_file()]
    if not begun:
        raise ConfigError(f"{path}: no member of the ensemble was begun yet, so there is nothing to report.")
    problems: list[str] = []
    figures = _read(folder.summary, ("set", "model", "class", "metric", "value"), problems)
    cv = _read(folder.cv, ("fold", "case"), problems) if ensemble.kind == "folds" else pd.DataFrame()
    tested = ensemble.config.data.test_csv is not None
    scores = _read(folder.scores, ("model", "case"), problems) if tested else pd.DataFrame()
    return EnsembleContent(ensemble, [read_content(run.path) for run in begun], figures, cv, scores, problems)


def _read(path: Path, needed: Sequence[str], problems: list[str]) -> pd.DataFrame:
    """Read a table; where it cannot be used, say why."""
    texts = dict.fromkeys(_TEXTS, str)
    try:
        table = read_table(
            lambda: pd.read_csv(path, dtype=texts, keep_default_na=False, na_values=[""], float_precision="round_trip"),
            path.name,
            needed,
            lambda name: name in _NUMBERS,
        )
    except UnreadableError as error:
        problems.append(str(error))
        return pd.DataFrame()
    present = [name for name in _TEXTS if name in table]
    table[present] = table[present].fillna("")
    return table
