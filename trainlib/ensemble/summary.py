"""The figures of an ensemble: cross-validated, and of each model on the test cases, with confidence intervals."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import pandas as pd

from trainlib.config.schema import Config
from trainlib.config.watching import ReportSection
from trainlib.ensemble.tables import write_rows
from trainlib.folders.ensemble import OVER_FOLDS, POOLED, Ensemble
from trainlib.metrics.bootstrap import estimate
from trainlib.metrics.classification_report import CLASS_FIGURES, Row, classification_report
from trainlib.metrics.summary import METRICS

_TEXTS = ("fold", "model", "case", "class", "outcome", "label", "prediction")


@dataclass(frozen=True)
class Figure:
    """A figure of a model.

    Attributes:
        set: ``cv`` for the cases that a fold held out, or ``test``.
        model: A member, `OVER_FOLDS`, `POOLED`, or a way to combine the members.
        group: The class; empty for all classes together.
        metric: Its name.
        value: Its value: of a score of cases their mean, of all classes the mean over them.
        low: Lower end of the 95 % bootstrap interval over cases.
        high: Upper end.
        std: Standard deviation of the figures of the folds, beside what they come to.
        cases: Number of cases.
    """

    set: str
    model: str
    group: str
    metric: str
    value: float
    low: float
    high: float
    std: float
    cases: int


def write_summary(ensemble: Ensemble) -> list[Figure]:
    """Compute the figures from cv.csv and ensemble.csv, and write summary.csv."""
    figures = [*_of_folds(ensemble), *_of_test_cases(ensemble)]
    rows = [{("class" if name == "group" else name): value for name, value in asdict(f).items()} for f in figures]
    write_rows(ensemble.folder.summary, rows)
    return figures


def _of_folds(ensemble: Ensemble) -> Iterator[Figure]:
    """Compute what all folds come to, and what each does.

    Scores of a segmentation are those of a case, whichever fold it is of: their mean over all cases stands beside the
    deviation of the folds. A figure of a classification compares cases with each other. Probabilities of different
    models are on scales of their own, so that the folds may each be faultless and all cases together not; here the
    deviation stands beside the mean of the folds.
    """
    if not ensemble.folder.cv.is_file():
        return
    config, table = ensemble.config, read_scores(ensemble.folder.cv)
    folds = [
        figure
        for name, rows in table.groupby("fold", sort=False)
        for figure in figures_of(config, "cv", str(name), rows)
    ]
    pooled = [*figures_of(config, "cv", POOLED, table)]
    values = [_defined(fold.value for fold in folds if _same(fold, figure)) for figure in pooled]
    if config.task == "classification":
        yield from (_over_folds(figure, own) for figure, own in zip(pooled, values, strict=True))
        yield from pooled
    else:
        yield from (replace(figure, std=_deviation(own)) for figure, own in zip(pooled, values, strict=True))
    yield from folds


def _same(one: Figure, other: Figure) -> bool:
    return (one.group, one.metric) == (other.group, other.metric)


def _over_folds(pooled: Figure, values: Sequence[float]) -> Figure:
    """Average the values of the folds of a figure."""
    mean = statistics.fmean(values) if values else math.nan
    return replace(pooled, model=OVER_FOLDS, value=mean, low=math.nan, high=math.nan, std=_deviation(values))


def _of_test_cases(ensemble: Ensemble) -> Iterator[Figure]:
    if ensemble.folder.scores.is_file():
        for name, rows in read_scores(ensemble.folder.scores).groupby("model", sort=False):
            yield from figures_of(ensemble.config, "test", str(name), rows)


def read_scores(path: object) -> pd.DataFrame:
    """Read cv.csv or ensemble.csv; names stay texts, numbers are read to the last digit."""
    texts = dict.fromkeys(_TEXTS, str)
    return pd.read_csv(
        str(path), dtype=texts, keep_default_na=False, na_values=[""], float_precision="round_trip"
    )  # fmt: skip


def figures_of(config: Config, name: str, model: str, rows: pd.DataFrame) -> Iterator[Figure]:
    """Compute the figures of some cases.

    Args:
        config: The config.
        name: What the cases are.
        model: Who predicted them.
        rows: A row for each case, and in segmentation for each of its classes.
    """
    cases = rows["case"].nunique()
    found = _of_maps(config, rows) if config.task == "segmentation" else _of_classes(config, rows)
    for group, metric, value, low, high in found:
        yield Figure(name, model, group, metric, value, low, high, math.nan, cases)


def _settings(config: Config) -> dict[str, int]:
    return {"resamples": (config.report or ReportSection()).resamples, "seed": config.seed}


def _of_maps(config: Config, rows: pd.DataFrame) -> Iterator[tuple[str, str, float, float, float]]:
    """Average over the cases of each class, and over the classes."""
    classes = list(dict.fromkeys(rows["class"]))
    for metric in METRICS:
        table = rows.pivot(index="case", columns="class", values=metric)
        table = table.reindex(index=rows["case"].unique(), columns=classes).astype(float)
        for group in ("", *classes):
            scores = table if not group else table[[group]]
            yield group, metric, *estimate(scores.to_numpy(), **_settings(config)).mean


def _of_classes(config: Config, rows: pd.DataFrame) -> Iterator[tuple[str, str, float, float, float]]:
    """Take each class against the rest; of two classes the figures of the second, the positive one, come first."""
    classes = config.data.classes
    probabilities = rows[[f"probability_{name}" for name in classes]].to_numpy(np.float64)
    labels = rows[[f"label_{name}" for name in classes]] if config.multilabel else rows["label"].map(classes.index)
    targets = labels.to_numpy(np.int64)
    report = classification_report(probabilities, targets, classes, multilabel=config.multilabel, **_settings(config))
    overall = {str(row["figure"]): _found(row, "value", "low", "high") for row in report.overall}
    of_class = {
        (str(row["class"]), metric): _found(row, metric, f"{metric}_low", f"{metric}_high")
        for row in report.classes
        for metric in CLASS_FIGURES
    }
    positive = classes[1] if len(classes) == 2 and not config.multilabel else None
    for metric in CLASS_FIGURES:
        yield "", metric, *(of_class[positive, metric] if positive else overall[f"macro_{metric}"])
    for metric in ("accuracy", "balanced_accuracy"):
        yield "", metric, *overall[metric]
    for (name, metric), found in of_class.items():
        yield name, metric, *found


def _found(row: Row, value: str, low: str, high: str) -> tuple[float, float, float]:
    return float(row[value]), float(row[low]), float(row[high])


def _defined(values: Iterable[float]) -> list[float]:
    return [value for value in values if not math.isnan(value)]


def _deviation(values: Sequence[float]) -> float:
    """Compute the sample standard deviation."""
    return statistics.stdev(values) if len(values) > 1 else math.nan
