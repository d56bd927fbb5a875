"""cases.csv: a row for each case, class and split."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from lightning import Callback, LightningModule, Trainer

from trainlib.folders.run import RunFolder
from trainlib.processes import interleaved, is_first
from trainlib.system.files import read_rows, write_table

_ORDER = ("train", "valid", "test")


class CaseTable(Callback):
    """Writes the scores of the last validation and the last test, each in place of the one before.

    Args:
        folder: The run folder.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self._rows: list[list[dict[str, Any]]] = []  # of each batch

    def on_validation_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, *_: Any, **__: Any
    ) -> None:
        """Collect the rows of a batch."""
        if not trainer.sanity_checking:
            self._rows.append(outputs["rows"])

    def on_test_batch_end(self, trainer: Trainer, pl_module: LightningModule, outputs: Any, *_: Any, **__: Any) -> None:
        """Collect the rows of a batch."""
        self._rows.append(outputs["rows"])

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the rows of the validation cases."""
        self._write("valid")

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the rows of the test cases."""
        self._write("test")

    def _write(self, split: str) -> None:
        rows = [row for batch in interleaved(self._rows) for row in batch]
        self._rows = []
        if rows and is_first():
            replace_split(self.folder.cases, split, rows)


def replace_split(path: Path, split: str, rows: list[dict[str, Any]]) -> None:
    """Write the rows of a split into a table of cases; those of other splits stay as they are."""
    others = [row for row in read_rows(path, lambda row: row.get("split") in _ORDER) if row["split"] != split]
    table = others + [{"split": split, **{name: _text(value) for name, value in row.items()}} for row in rows]
    table.sort(key=lambda row: _ORDER.index(row["split"]))
    columns = dict.fromkeys(name for row in table for name in row)
    write_table(path, table, columns)


def _text(value: Any) -> str:
    """Write a number so that it is read back equal, and nothing for nan."""
    if isinstance(value, float):
        return "" if math.isnan(value) else repr(value)
    return str(value)
