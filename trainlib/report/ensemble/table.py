"""Every case that a fold held out, and every test case by the mean of the members, as cells of one table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from trainlib.report.cells import CaseTable, Cell, number_cell
from trainlib.report.ensemble.load import EnsembleContent
from trainlib.report.formats import Metric
from trainlib.report.segmentation.names import METRICS, OUTCOMES, SIZES

_MOST_CLASSES = 8  # of a classification whose probabilities have a column each


def ensemble_table(content: EnsembleContent) -> CaseTable:
    """Bring every row into cells."""
    rows = [*_records(content.cv, "fold", "held out"), *_records(content.scores, "model", "test")]
    if content.task == "segmentation":
        return _maps(content, rows)
    return _classes(content, rows)


def _records(table: pd.DataFrame, by: str, name: str) -> Iterator[dict[str, Any]]:
    if not len(table):
        return
    if by == "model":
        table = table[table["model"] == "mean"]
    for row in table.to_dict("records"):
        yield {"set": name, "by": row[by]} | {str(key): value for key, value in row.items()}


def _maps(content: EnsembleContent, rows: list[dict[str, Any]]) -> CaseTable:
    known = set().union(*rows)
    columns = [metric for key, metric in {**METRICS, **SIZES}.items() if key in known]
    head = [(name, False) for name in ("Cases", "Model", "Case", "Class")]
    head += [(metric.title, True) for metric in columns]
    first = content.members[0]
    cells = [
        [
            *_place(row),
            Cell(str(row["class"]), "class", tone=first.tone(str(row["class"]))),
            *(_number(metric, row) for metric in columns),
            Cell(OUTCOMES.get(row["outcome"], row["outcome"]), "outcome", bad=row["outcome"] in _BAD),
        ]
        for row in rows
    ]
    return CaseTable([*head, ("Outcome", False)], cells)


_BAD = ("missed", "false_positive")


def _classes(content: EnsembleContent, rows: list[dict[str, Any]]) -> CaseTable:
    config = content.ensemble.config
    shown = config.data.classes[:_MOST_CLASSES]
    head = [(name, False) for name in ("Cases", "Model", "Case", "True", "Predicted")]
    metrics = [Metric(f"probability_{name}", f"P({name})", digits=4) for name in shown]
    cells = []
    for row in rows:
        true, predicted = (_called(content, row, kind) for kind in ("label", "prediction"))
        outcome = Cell("right" if true == predicted else "wrong", "outcome", bad=true != predicted)
        numbers = [_number(metric, row) for metric in metrics]
        cells.append([*_place(row), Cell(true), Cell(predicted), *numbers, outcome])
    return CaseTable([*head, *((metric.title, True) for metric in metrics), ("Outcome", False)], cells)


def _called(content: EnsembleContent, row: dict[str, Any], kind: str) -> str:
    """Name the class of a case, or all its labels."""
    if not content.ensemble.config.multilabel:
        return str(row[kind])
    names = [name for name in content.ensemble.config.data.classes if int(row[f"{kind}_{name}"]) == 1]
    return ", ".join(names) or "none"


def _place(row: dict[str, Any]) -> list[Cell]:
    return [Cell(row["set"]), Cell(str(row["by"])), Cell(str(row["case"]), "case")]


def _number(metric: Metric, row: dict[str, Any]) -> Cell:
    value = float(row[metric.key])
    return number_cell(value, metric.show(value))
