"""Read a CSV file, however a spreadsheet saved it."""

from __future__ import annotations

from collections.abc import Sequence
from csv import Error as CSVError
from csv import reader as csv_reader
from pathlib import Path
from typing import TYPE_CHECKING

from trainlib.config.schema import Config
from trainlib.errors import DataError, Problem

if TYPE_CHECKING:  # which takes longer to import than most mistakes take to be found
    import pandas as pd

_MOST = 5  # rows named for one kind of mistake; the rest is counted


class Table:
    """The rows of a CSV file that hold anything; all cells are texts without surrounding blanks.

    Args:
        columns: Names of the columns.
        index: Line of each row in the file.
        rows: Cells of each row, one for each column.
    """

    def __init__(self, columns: Sequence[str], index: Sequence[int], rows: Sequence[Sequence[str]]) -> None:
        self.columns = list(columns)
        self.index = list(index)
        self._cells = [list(cells) for cells in zip(*rows, strict=True)] if rows else [[] for _ in columns]

    def __len__(self) -> int:
        return len(self.index)

    def __contains__(self, column: object) -> bool:
        return column in self.columns

    def __getitem__(self, column: str) -> list[str]:
        """Return the cells of a column; of several that share a name those of the first."""
        return self._cells[self.columns.index(column)]

    def at(self, lines: Sequence[int]) -> Table:
        """Return the rows of some lines of the file, in their order."""
        place = {line: number for number, line in enumerate(self.index)}
        rows = [place[line] for line in lines]
        return Table(self.columns, lines, [[cells[row] for cells in self._cells] for row in rows])

    def frame(self) -> pd.DataFrame:
        """Return it as a table of pandas, with the lines as index."""
        import pandas as pd

        return pd.DataFrame(list(zip(*self._cells, strict=True)), columns=self.columns, index=self.index, dtype=str)


def read_table(config: Config, csv: str) -> Table:
    """Read the rows that hold anything.

    Args:
        config: The config.
        csv: The CSV file as the config names it.

    Returns:
        The rows.

    Raises:
        DataError: There is no such file, it is empty, or it is no CSV.
    """
    try:
        lines = [(row, cells) for row, cells in _read_lines(config.data_path(csv), csv) if any(cells)]
    except FileNotFoundError:
        raise DataError(f"{csv}: there is no such CSV file in data.root ({config.data.root}).") from None
    except OSError as error:
        raise DataError(f"{csv}: cannot be read as CSV: {' '.join(str(error).split())}.") from None
    if not lines:
        raise DataError(f"{csv}: the file is empty. Its first line must name the columns.")
    (_, header), *rows = lines
    if problems := _row_problems(csv, header, rows):
        raise DataError(problems)
    width = len(header)
    return Table(header, [row for row, _ in rows], [(cells + [""] * width)[:width] for _, cells in rows])


def _read_lines(path: Path, csv: str) -> list[tuple[int, list[str]]]:
    """Read the cells of each row, with the line that it ends in.

    pandas would take a surplus column for row names and shift the others.

    Raises:
        DataError: It is no CSV.
        OSError: It cannot be read.
    """
    lines: list[tuple[int, list[str]]] = []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv_reader(file, strict=True, skipinitialspace=True)
            lines.extend((reader.line_num, [cell.strip() for cell in cells]) for cells in reader)
    except UnicodeDecodeError:
        text = f"{csv}: cannot be read as CSV: it is not a text in UTF-8. Save it as `CSV UTF-8`."
        raise DataError(text) from None
    except CSVError as error:
        raise DataError([_unreadable(csv, lines[-1][0] + 1 if lines else 1, error)]) from None
    return lines


def _unreadable(csv: str, row: int, error: CSVError) -> Problem:
    """Say what is wrong with the row that begins in a line."""
    reason = str(error).rstrip(".")
    if "unexpected end of data" in reason or "field larger" in reason:
        reason = 'a double quote (") is opened and not closed. Close it, or double it where it is part of a name'
    elif "expected after" in reason:
        reason = 'text follows a closing double quote ("). Put the whole cell in quotes, and double those inside it'
    return Problem(f"cannot be read as CSV: {reason}.", f"{csv}:{row}")


def _row_problems(csv: str, header: list[str], rows: list[tuple[int, list[str]]]) -> list[Problem]:
    """Find rows with more cells than the header."""
    longer = [
        Problem(
            f"has {len(cells)} cells, but the header {len(header)}. Put a path that holds a comma in double quotes.",
            f"{csv}:{row}",
        )
        for row, cells in rows
        if any(cells[len(header) :])
    ]
    return shortened(longer, csv)


def shortened(problems: list[Problem], where: str, most: int = _MOST, what: str = "in {} more rows") -> list[Problem]:
    """Keep the first few of many problems of one kind, and count the others.

    Args:
        problems: The problems.
        where: The CSV that they are in.
        most: How many are kept.
        what: How the others are counted.
    """
    if len(problems) <= most:
        return problems
    return [*problems[:most], Problem(f"... and the same {what.format(len(problems) - most)}.", where)]
