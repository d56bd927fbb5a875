"""The table of cases."""

from __future__ import annotations

import csv
import math
from pathlib import Path

from trainlib.callbacks.cases import replace_split


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_split_is_replaced_and_the_others_stay(tmp_path: Path) -> None:
    path = tmp_path / "cases.csv"
    replace_split(path, "test", [{"case": "a", "dice": 0.1}])
    replace_split(path, "valid", [{"case": "b", "dice": 0.2}, {"case": "c", "dice": 0.3}])
    replace_split(path, "test", [{"case": "a", "dice": 0.5}])
    rows = [(row["split"], row["case"], row["dice"]) for row in read(path)]
    assert rows == [("valid", "b", "0.2"), ("valid", "c", "0.3"), ("test", "a", "0.5")]


def test_numbers_are_read_back_equal_and_nan_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "cases.csv"
    third = 1 / 3
    replace_split(path, "test", [{"case": "a", "dice": third, "hd": math.nan}])
    [row] = read(path)
    assert float(row["dice"]) == third
    assert row["hd"] == ""


def test_a_name_with_commas_and_quotes_survives(tmp_path: Path) -> None:
    path = tmp_path / "cases.csv"
    replace_split(path, "test", [{"case": 'patient "1", left', "dice": 1.0}])
    assert read(path)[0]["case"] == 'patient "1", left'
