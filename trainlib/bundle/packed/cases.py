"""Read the cases from a CSV, and name them."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from typing import Any

from trainlib.data.naming import unique_names


def read_cases(csv_file: str, folder: str, columns: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """Read the items of a data set.

    Args:
        csv_file: The CSV; its first line names the columns.
        folder: Where relative paths in it start.
        columns: Key of the item -> columns of its files; cases are named after the first column of ``image``.

    Returns:
        For each row its file for each key, or the list of its files where there are several columns; its name as
        ``case``; and each file again as ``file_of_COLUMN``.

    Raises:
        ValueError: A column is missing, or a cell is empty.
        FileNotFoundError: There is no such CSV, or no such file.
    """
    with open(csv_file, newline="", encoding="utf-8-sig") as file:
        rows = [[cell.strip() for cell in row] for row in csv.reader(file, skipinitialspace=True)]
    header, *rows = [row for row in rows if any(row)] or [[]]
    for column in (name for names in columns.values() for name in names):
        if column not in header:
            raise ValueError(f"{csv_file}: there is no column {column!r}. It has: {', '.join(header)}.")
    table = [dict(zip(header, row, strict=False)) for row in rows]
    items = []
    for cells, name in zip(table, unique_names(cells.get(columns["image"][0], "") for cells in table), strict=True):
        item: dict[str, Any] = {"case": name}
        for key, names in columns.items():
            files = [_file(csv_file, folder, column, cells.get(column, "")) for column in names]
            item |= {f"file_of_{column}": path for column, path in zip(names, files, strict=True)}
            # One alone is no list: its reader would stack channels.
            item[key] = files[0] if len(files) == 1 else files
        items.append(item)
    return items


def _file(csv_file: str, folder: str, column: str, cell: str) -> str:
    """Return the absolute path of a file."""
    if not cell:
        raise ValueError(f"{csv_file}: column {column!r} is empty in a row.")
    path = os.path.abspath(os.path.join(os.path.expanduser(folder), os.path.expanduser(cell)))
    if not os.path.isfile(path):
        raise FileNotFoundError(f"{csv_file}: column {column!r}: there is no file {path}.")
    return path
