"""What was predicted for the cases of a split: ``cases.csv`` of a classification, read and checked."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trainlib.config.schema import Config
from trainlib.folders.results import Run
from trainlib.metrics.decisions import Decisions, decide
from trainlib.report.reading import UnreadableError, read_table

Array = NDArray[Any]


@dataclass(frozen=True)
class Predictions:
    """The cases of a split.

    Attributes:
        split: The split.
        classes: Names of the classes.
        multilabel: Whether a case may have several classes or none.
        cases: Names of the cases.
        probabilities: Shape (cases, classes).
        targets: Index of the class of each case, shape (cases,); of multi-label cases 0 or 1, shape (cases, classes).
    """

    split: str
    classes: list[str]
    multilabel: bool
    cases: list[str]
    probabilities: Array
    targets: Array

    @cached_property
    def decisions(self) -> Decisions:
        """Which classes each case has, and which are predicted: those that the metrics count."""
        return decide(self.probabilities, self.targets, len(self.classes), multilabel=self.multilabel)

    @property
    def positive(self) -> int | None:
        """Index of the positive class of a binary task, the second one; None in other tasks."""
        return None if self.multilabel or len(self.classes) != 2 else 1

    @property
    def against_rest(self) -> list[int]:
        """Indices of the classes that are looked at against the rest: of a binary task the positive one alone."""
        return list(range(len(self.classes))) if self.positive is None else [self.positive]

    @property
    def support(self) -> list[int]:
        """Number of cases of each class."""
        return [int(number) for number in self.decisions.labelled.sum(axis=0)]

    def one_sided(self, column: int) -> str:
        """Say why a class cannot be told from the rest in these cases; empty where it can."""
        if not self.support[column]:
            return f"no case of class {self.classes[column]}"
        if self.support[column] == len(self.cases):
            return f"every case is of class {self.classes[column]}"
        return ""


def predictions_of(table: pd.DataFrame, config: Config, split: str) -> Predictions | None:
    """Take the cases of a split out of the table; None where there are none."""
    rows = table[table["split"] == split] if len(table) else table
    if not len(rows):
        return None
    classes = config.data.classes
    probabilities = rows[[f"probability_{name}" for name in classes]].to_numpy(np.float64)
    targets: Array
    if config.multilabel:
        targets = rows[[f"label_{name}" for name in classes]].to_numpy(np.float64).astype(np.int64)
    else:
        targets = pd.Index(classes).get_indexer(pd.Index(rows["label"]))
    return Predictions(split, classes, config.multilabel, rows["case"].tolist(), probabilities, targets)


def count_other_predictions(table: pd.DataFrame, predictions: Predictions) -> int:
    """Count the cases whose columns of predictions say something else than their probabilities."""
    rows, classes = table[table["split"] == predictions.split], predictions.classes
    names = [f"prediction_{name}" for name in classes] if predictions.multilabel else ["prediction"]
    if not set(names) <= set(rows):
        return 0
    predicted = predictions.decisions.predicted
    if predictions.multilabel:
        told = rows[names].astype(str).isin(["1", "1.0"]).to_numpy()
        return int((told != predicted).any(axis=1).sum())
    return int((rows["prediction"].to_numpy() != np.array(classes, dtype=object)[predicted.argmax(axis=1)]).sum())


def read_cases(run: Run) -> pd.DataFrame:
    """Read ``cases.csv``: a row for each case and split, with the probability of each class.

    Raises:
        UnreadableError: It cannot be used.
    """
    config, file = run.config, run.folder.cases
    probabilities = [f"probability_{name}" for name in config.data.classes]
    labels = [f"label_{name}" for name in config.data.classes] if config.multilabel else ["label"]
    numbers = {*probabilities, *(labels if config.multilabel else ())}
    texts = ["split", "case", *(() if config.multilabel else ("label", "prediction"))]
    # Names stay texts: a case may be called 001, and a class NA. Probabilities are read to the last digit, so that
    # those that are equal, and no others, are ties.
    cases = read_table(
        lambda: pd.read_csv(
            file, dtype=dict.fromkeys(texts, str), keep_default_na=False, na_values=[""], float_precision="round_trip"
        ),
        file.name,
        ("split", "case", *labels, *probabilities),
        lambda name: name in numbers,
        finite=True,
    )
    present = [name for name in texts if name in cases]
    cases[present] = cases[present].fillna("")
    _check(cases, config)
    return cases


def _check(cases: pd.DataFrame, config: Config) -> None:
    """Refuse a table from which no honest figure can be computed."""
    classes = config.data.classes
    if not classes:
        raise UnreadableError("cases.csv cannot be used: config.yaml does not name the classes (data.classes).")
    for name in classes:
        values = cases[f"probability_{name}"]
        _refuse(cases, ~values.between(0, 1), f"probability_{name}", "a probability from 0 to 1")
        if config.multilabel:
            _refuse(cases, ~cases[f"label_{name}"].isin([0, 1]), f"label_{name}", "0 or 1")
    if not config.multilabel:
        _refuse(cases, ~cases["label"].isin(classes), "label", "one of data.classes")


def _refuse(cases: pd.DataFrame, wrong: pd.Series, column: str, expected: str) -> None:
    if wrong.any():
        row = cases[wrong].iloc[0]
        value = row[column]
        found = "nothing" if pd.isna(value) else repr(value) if isinstance(value, str) else f"{value:g}"
        more = f" So it is in {int(wrong.sum())} of {len(cases)} rows." if wrong.sum() > 1 else ""
        raise UnreadableError(
            f"cases.csv cannot be used: {column} of case {row['case']} holds {found}, expected {expected}.{more}"
        )
