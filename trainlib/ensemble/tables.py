"""cv.csv, and how the tables of cases are read and written: to the last digit, and nothing for nan."""

from __future__ import annotations

import csv
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trainlib.data.splits import read_split
from trainlib.ensemble.members import Member, cases_held_out
from trainlib.errors import TrainlibError
from trainlib.folders.ensemble import Ensemble
from trainlib.system.files import write_table

Rows = list[dict[str, Any]]


def write_cv(ensemble: Ensemble, members: Sequence[Member]) -> None:
    """Write cv.csv: every pooled case, scored by the model that was not trained on it.

    Raises:
        TrainlibError: A case is not there once, which no interruption can lead to.
    """
    pooled = ensemble.config.data.model_copy(update={"valid_csv": str(ensemble.folder.pooled), "limit_cases": None})
    names = iter([case.name for case in read_split(ensemble.config.model_copy(update={"data": pooled}), "valid")])
    table: Rows = []
    for member in members:
        assert member.held_out is not None
        # A file name that is unique in a fold may not be so among all cases.
        called = {own: next(names) for own in cases_held_out(member)}
        rows = read_rows(member.held_out.cases, split="test")
        if Counter(row["case"] for row in rows).keys() != called.keys():
            raise TrainlibError(f"{member.held_out.cases} does not hold the cases of {member.name}. Delete the folder.")
        table += [{"fold": member.name, **row, "case": called[row["case"]]} for row in rows]
    write_rows(ensemble.folder.cv, table)


def read_rows(path: Path, split: str) -> Rows:
    """Read the rows of a split from a table of cases, as texts."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == split]
    return [{name: text for name, text in row.items() if name != "split"} for row in rows]


def write_rows(path: Path, rows: Rows) -> None:
    """Write rows so that numbers are read back equal."""
    table = [{name: _text(value) for name, value in row.items()} for row in rows]
    write_table(path, table, dict.fromkeys(name for row in table for name in row))


def _text(value: Any) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else repr(value)
    return str(value)
