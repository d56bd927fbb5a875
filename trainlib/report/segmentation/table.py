"""The rows of ``cases.csv`` of a segmentation: read, and brought into the table of every case."""

from __future__ import annotations

from typing import Any

import pandas as pd

from trainlib.folders.results import Run
from trainlib.report.cells import CaseTable, Cell, number_cell
from trainlib.report.content import Content
from trainlib.report.formats import SPLITS
from trainlib.report.reading import read_table
from trainlib.report.segmentation.names import METRICS, OUTCOMES, SIZES


def read_cases(run: Run) -> pd.DataFrame:
    """Read ``cases.csv``: a row for each case, class and split.

    Raises:
        UnreadableError: It cannot be used.
    """
    numbers = {*METRICS, *SIZES}
    needed = ("split", "case", "class", "dice", "outcome")
    cases = read_table(lambda: run.cases, run.folder.cases.name, needed, lambda name: name in numbers, finite=True)
    texts = ["split", "case", "class", "outcome"]
    cases[texts] = cases[texts].fillna("")
    return cases


def case_table(content: Content) -> CaseTable:
    """Bring every row into cells, those of the split that comes first on the page first."""
    columns = [metric for key, metric in {**METRICS, **SIZES}.items() if key in content.cases]
    head = [(name, False) for name in ("Split", "Case", "Class")] + [(metric.title, True) for metric in columns]
    records = [{str(name): value for name, value in row.items()} for row in content.cases.to_dict("records")]
    records.sort(key=lambda row: row["split"] != content.split)
    rows = [
        [
            Cell(SPLITS.get(str(row["split"]), str(row["split"]))),
            Cell(str(row["case"]), "case"),
            Cell(str(row["class"]), "class", tone=content.tone(str(row["class"]))),
            *(number_cell(row[metric.key], metric.show(row[metric.key])) for metric in columns),
            _outcome(row),
        ]
        for row in records
    ]
    return CaseTable([*head, ("Outcome", False)], rows)


def _outcome(row: dict[str, Any]) -> Cell:
    value = str(row["outcome"])
    return Cell(OUTCOMES.get(value, value), "outcome", bad=value in ("missed", "false_positive"))
