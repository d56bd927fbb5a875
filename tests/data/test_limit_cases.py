"""`data.limit_cases`."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from trainlib import load_config
from trainlib.data.module import CSVDataModule
from trainlib.errors import ConfigError

WriteConfig = Callable[..., Path]


def names(path: Path, stage: str, *overrides: str) -> dict[str, list[str]]:
    module = CSVDataModule(load_config(path, overrides))
    module.setup(stage)
    return {split: [case.name for case in cases] for split, cases in module.cases.items()}


def test_the_first_cases_of_each_split_are_used(write_config: WriteConfig, caplog: pytest.LogCaptureFixture) -> None:
    every = names(write_config(), "fit")
    with caplog.at_level(logging.INFO):
        first = names(write_config(), "fit", "data.limit_cases=2")
    assert first == {split: cases[:2] for split, cases in every.items()}
    assert "data.limit_cases: the first 2 of 6 cases of train.csv are used." in caplog.messages


def test_a_limit_beyond_the_number_of_cases_changes_nothing(write_config: WriteConfig) -> None:
    assert names(write_config(), "test", "data.limit_cases=99") == names(write_config(), "test")


def test_cases_to_predict_are_not_limited(write_config: WriteConfig) -> None:
    assert len(names(write_config(), "predict", "data.limit_cases=1")["predict"]) == 3


def test_a_limit_of_no_case_is_refused(write_config: WriteConfig) -> None:
    with pytest.raises(ConfigError, match=r"data\.limit_cases"):
        load_config(write_config(), ["data.limit_cases=0"])
