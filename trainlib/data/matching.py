"""Find the row of each case in a CSV of labels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from trainlib.data.pairing import Files
from trainlib.data.pattern import without_suffix
from trainlib.data.table import Table, shortened
from trainlib.errors import DataError, Problem
from trainlib.suggest import did_you_mean


@dataclass(frozen=True)
class Matched:
    """Which row belongs to which case.

    Attributes:
        key: The column that names the files.
        cases: The cases that have a row.
        rows: Line of the CSV of each of these cases.
        left_out: A sentence for each case without a row and each row without a case.
    """

    key: str
    cases: list[Files]
    rows: list[int]
    left_out: list[str]


def match_rows(table: Table, csv: str, cases: Sequence[Files], key: str | None, labels: Iterable[str]) -> Matched:
    """Match the rows of a CSV with cases.

    A cell may hold the path of one of the case's images from the folder of the data, its file name, either of them
    without suffix, or what the wildcards of the patterns stand for.

    Args:
        table: The CSV as `read_table` returns it.
        csv: Its name.
        cases: The cases.
        key: The column that names the files; None takes the one that names the most.
        labels: Columns that are something else.

    Raises:
        DataError: No column, or several, name the files; a row names several cases, or several rows one case.
    """
    names = _names(cases)
    if key is None:
        key = _find_key(table, csv, names, [column for column in table.columns if column not in labels])
    elif key not in table:
        raise DataError(f"--key {key}: {csv} has no such column.{did_you_mean(key, table.columns)}")
    row_of, problems, left_out = _rows(table, csv, key, names)
    if problems:
        raise DataError(problems)
    matched = [number for number in range(len(cases)) if number in row_of]
    if not matched:
        raise DataError(
            f"--key {key}: no cell of it names an image, such as {table[key][0]!r} does not. Images are "
            f"{', '.join(cases[0].paths)} and others; a cell may hold path, file name or {cases[0].name}."
        )
    left_out += [f"{case.paths[0]}: {csv} has no row for it." for n, case in enumerate(cases) if n not in row_of]
    return Matched(key, [cases[n] for n in matched], [row_of[n] for n in matched], left_out)


def _names(cases: Sequence[Files]) -> dict[str, set[int]]:
    """Collect what may stand in a cell, and the cases that it may mean."""
    names: dict[str, set[int]] = {}
    for number, case in enumerate(cases):
        for path in (case.name, *case.paths):
            file = path.rpartition("/")[2]
            for name in (path, file, without_suffix(path), without_suffix(file)):
                names.setdefault(name, set()).add(number)
    return names


def _plain(cell: str) -> str:
    return cell.replace("\\", "/").removeprefix("./")


def _find_key(table: Table, csv: str, names: dict[str, set[int]], columns: list[str]) -> str:
    # Different ones, for a class may be called as a file is.
    hits = {column: len({_plain(cell) for cell in table[column]} & names.keys()) for column in columns}
    most = max(hits.values(), default=0)
    best = [column for column in columns if hits[column] == most]
    if not most:
        example = ", ".join(sorted(names, key=lambda name: (min(names[name]), name))[:4])
        raise DataError(
            f"--label-csv {csv}: no column names the images; its columns are {', '.join(table.columns)}. "
            f"A cell may hold, for the first image: {example}."
        )
    if len(best) > 1:
        raise DataError(
            f"--label-csv {csv}: the columns {' and '.join(best)} name equally many images. Choose one with --key."
        )
    return best[0]


def _rows(
    table: Table, csv: str, key: str, names: dict[str, set[int]]
) -> tuple[dict[int, int], list[Problem], list[str]]:
    """Find the row of each case, rows that cannot be told apart, and rows that name no case."""
    row_of: dict[int, int] = {}
    vague, doubled, left_out = [], [], []
    for row, cell in zip(table.index, table[key], strict=True):
        found = names.get(_plain(cell), set())
        where = f"{csv}:{row}"
        if not found:
            left_out.append(f"{where}: no image is named {cell!r}.")
        elif len(found) > 1:
            vague.append(Problem(f"{cell!r} names {len(found)} images. Write their paths, or what differs.", where))
        elif row_of.setdefault(number := next(iter(found)), row) != row:
            doubled.append(Problem(f"{cell!r} is in row {row_of[number]} too. Leave one of them.", where))
    return row_of, [*shortened(vague, csv), *shortened(doubled, csv)], left_out
