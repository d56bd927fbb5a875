"""The table of a CSV: what pandas makes of the same cells, without importing it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd

from tests.data.helpers import make_config
from trainlib.data.table import Table, read_table

CSV = 'image,label,note\na.png,x,\n\n"b, c.png",y,NA\nd.png,z\n'


def test_it_holds_the_cells_that_pandas_reads(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text(CSV)
    table = read_table(make_config(tmp_path, {}), "train.csv")
    expected = pd.read_csv(tmp_path / "train.csv", dtype=str, keep_default_na=False, skip_blank_lines=True)
    assert table.columns == list(expected.columns)
    assert [table[column] for column in table.columns] == [list(expected[column].fillna("")) for column in expected]
    assert table.index == [2, 4, 5]
    assert table.frame().reset_index(drop=True).equals(expected.fillna(""))


def test_rows_are_taken_by_their_line() -> None:
    table = Table(["a", "b"], [2, 4, 5], [["1", "x"], ["2", "y"], ["3", "z"]]).at([5, 2])
    assert (table.index, table["a"], table["b"]) == ([5, 2], ["3", "1"], ["z", "x"])


def test_a_table_without_rows_has_its_columns() -> None:
    table = Table(["a", "b"], [], [])
    assert (len(table), table["b"], "b" in table, "c" in table) == (0, [], True, False)
    assert list(table.frame().columns) == ["a", "b"]


def test_to_look_for_mistakes_in_a_config_imports_no_pandas() -> None:
    code = "import sys, trainlib.preflight, trainlib.data.complete; print('pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
