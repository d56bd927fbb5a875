"""Rows that are read once: the same cases as those read anew, and never those of a CSV that has changed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.data.helpers import make_config
from trainlib.config.schema import Config
from trainlib.data import splits
from trainlib.data.once import once, reading_once
from trainlib.data.splits import read_split
from trainlib.data.table import Table, read_table
from trainlib.errors import DataError


@pytest.fixture
def config(tmp_path: Path) -> Config:
    for name in ("a.nii.gz", "b.nii.gz", "c.nii.gz"):
        (tmp_path / name).touch()
    (tmp_path / "train.csv").write_text("image,label\na.nii.gz,b.nii.gz\n")
    return make_config(tmp_path, {})


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    made: list[str] = []

    def read(config: Config, csv: str) -> Table:
        made.append(csv)
        return read_table(config, csv)

    monkeypatch.setattr(splits, "read_table", read)
    return made


def test_a_csv_is_read_once_in_a_block_and_its_cases_are_those_that_are_read_anew(
    config: Config, reads: list[str]
) -> None:
    anew = read_split(config, "train")
    with reading_once():
        first = read_split(config, "train")
        with reading_once():
            second = read_split(config, "train")
        third = read_split(config, "train")
    assert first == second == third == anew
    assert len(reads) == 2


def test_a_csv_that_changes_in_a_block_is_read_again(config: Config, tmp_path: Path) -> None:
    with reading_once():
        read_split(config, "train")
        (tmp_path / "train.csv").write_text("image,label\na.nii.gz,c.nii.gz\n")
        os.utime(tmp_path / "train.csv", ns=(1, 1))
        assert read_split(config, "train")[0].label == tmp_path / "c.nii.gz"


def test_another_column_or_class_is_read_anew(config: Config) -> None:
    with reading_once():
        read_split(config, "train")
        other = config.model_copy(update={"data": config.data.model_copy(update={"label_cols": ["image"]})})
        assert read_split(other, "train")[0].label == read_split(other, "train")[0].images[0]


def test_who_changes_the_list_of_cases_changes_it_for_nobody_else(config: Config) -> None:
    with reading_once():
        read_split(config, "train").clear()
        assert len(read_split(config, "train")) == 1


def test_outside_of_a_block_a_file_that_is_gone_is_missed(config: Config, tmp_path: Path) -> None:
    with reading_once():
        read_split(config, "train")
    (tmp_path / "a.nii.gz").unlink()
    with pytest.raises(DataError, match="there is no file"):
        read_split(config, "train")


def test_an_error_is_not_kept() -> None:
    def fail() -> int:
        raise DataError("wrong")

    with reading_once():
        with pytest.raises(DataError):
            once("key", fail)
        assert once("key", lambda: 1) == 1
        assert once("key", lambda: 2) == 1
