"""The scores of a split in a table: mean and median of each class and metric with their confidence intervals."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from trainlib.metrics.bootstrap import Estimate, estimate
from trainlib.report.content import Content
from trainlib.report.formats import Metric
from trainlib.report.segmentation.names import METRICS


@dataclass(frozen=True)
class Row:
    """The scores of one class, or of all of them together.

    Attributes:
        name: The class; empty for all together.
        tone: Class value, which decides the colour; 0 for all together.
        estimates: Metric -> mean and median.
        cases: Number of cases that the class was looked for in.
        missed: Number of cases with the structure in the label only.
        false_positive: Number of cases with the structure in the prediction only.
        absent: Number of cases with the structure in neither, which no mean counts.
    """

    name: str
    tone: int
    estimates: dict[str, Estimate]
    cases: int
    missed: int
    false_positive: int
    absent: int


@dataclass(frozen=True)
class Scores:
    """The scores of a split.

    Attributes:
        split: The split.
        metrics: The metrics that any case has.
        overall: All classes together: the mean over classes of the mean, or median, over cases.
        classes: Each class.
    """

    split: str
    metrics: list[Metric]
    overall: Row
    classes: list[Row]

    @property
    def without_surface(self) -> bool:
        """Whether no surface metric was computed."""
        return [metric.key for metric in self.metrics] == ["dice"]


def score_split(content: Content, split: str) -> Scores | None:
    """Compute the scores of a split from ``cases.csv``; None where it has no row."""
    if not len(content.cases):
        return None
    table = content.cases[content.cases["split"] == split]
    if not len(table):
        return None
    metrics = [metric for key, metric in METRICS.items() if key in table and table[key].notna().any()]
    overall = _row("", 0, table, {m.key: _estimate(content, _by_class(table, m.key)) for m in metrics})
    classes = [
        _row(str(name), content.tone(str(name)), rows, {m.key: _estimate(content, rows[[m.key]]) for m in metrics})
        for name, rows in table.groupby("class", sort=False)
    ]
    return Scores(split, metrics, overall, classes)


def _row(name: str, tone: int, rows: pd.DataFrame, estimates: dict[str, Estimate]) -> Row:
    outcomes = rows["outcome"].value_counts()
    counts = {outcome: int(outcomes.get(outcome, 0)) for outcome in ("missed", "false_positive", "absent")}
    return Row(name, tone, estimates, rows["case"].nunique(), **counts)


def _by_class(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Bring a metric into the shape (cases, classes)."""
    return table.pivot_table(index="case", columns="class", values=metric, sort=False)


def _estimate(content: Content, scores: pd.DataFrame) -> Estimate:
    return estimate(scores.to_numpy(), resamples=content.resamples, seed=content.config.seed)
