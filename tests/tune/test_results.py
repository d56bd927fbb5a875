"""The table of the trials and the config of the best one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from tests.tune.helpers import RATE, make_search
from trainlib.config.load import load_config
from trainlib.errors import ConfigError
from trainlib.folders.search import Trial
from trainlib.folders.searches import latest_search, outcomes, ranked, read_search
from trainlib.tune.results import write_results
from trainlib.tune.trial import trial_config

SPACE = {RATE: {"loguniform": [1e-5, 10]}, "data.batch_size": {"choice": [1, 2]}}
RESULTS = [
    ({RATE: 0.001, "data.batch_size": 1}, "stopped", [0.2, 0.1]),
    ({RATE: 0.1, "data.batch_size": 2}, "finished", [0.1, 0.8, 0.7]),
    ({RATE: 9.0, "data.batch_size": 1}, "failed", [0.95]),
    ({RATE: 0.2, "data.batch_size": 1}, "finished", [0.3, 0.8, 0.2]),
]


def test_the_table_has_a_row_for_each_trial(write_config: Callable[..., Path], tmp_path: Path) -> None:
    search = make_search(write_config, tmp_path / "s", RESULTS, space=SPACE)
    write_results(search)
    table = pd.read_csv(search.folder.trials)
    assert list(table.columns) == [
        "trial", "state", "epochs", "best_epoch", "valid/dice", RATE, "data.batch_size", "seconds", "folder", "error",
    ]  # fmt: skip
    assert list(table["trial"]) == [0, 1, 2, 3]
    assert list(table["state"]) == ["stopped", "finished", "failed", "finished"]
    assert list(table["valid/dice"]) == [0.2, 0.8, 0.95, 0.8]
    assert list(table["best_epoch"]) == [1, 2, 1, 2]
    assert list(table["seconds"]) == [4.0, 6.0, 2.0, 6.0]
    assert list(table[RATE]) == [0.001, 0.1, 9.0, 0.2]
    assert table["error"][2] == "train/loss is nan after epoch 1: it diverged."


def test_the_best_config_is_complete_and_has_the_test_cases(write_config: Callable[..., Path], tmp_path: Path) -> None:
    search = make_search(write_config, tmp_path / "s", RESULTS, space=SPACE)
    write_results(search)
    best = load_config(search.folder.best)
    assert best.optimizer.kwargs == {"lr": 0.1, "momentum": 0.9}  # the first of two equal ones; one that failed is none
    assert best.data.batch_size == 2
    assert best.data.test_csv == search.config.data.test_csv
    assert best.run.name == "tiny_best"
    assert best.tune is None
    assert search.folder.best.read_text().startswith("# trial_00001 of s: valid/dice 0.8 in epoch 2\n")


def test_where_smaller_is_better_the_smallest_wins(write_config: Callable[..., Path], tmp_path: Path) -> None:
    search = make_search(write_config, tmp_path / "s", RESULTS, space=SPACE, metric="valid/dice", mode="min")
    assert [outcome.trial.number for outcome in ranked(search, outcomes(search))] == [0, 1, 3]


def test_a_trial_never_sees_the_test_cases_and_shares_the_cache(
    write_config: Callable[..., Path], tmp_path: Path
) -> None:
    search = make_search(write_config, tmp_path / "s", [], space=SPACE)
    config = trial_config(search, Trial(7, {RATE: 0.5, "data.batch_size": 2}))
    assert config.data.test_csv is None
    assert config.cache_dir == search.config.cache_dir
    assert (config.run.root, config.run.name) == (str(tmp_path / "s"), "trial_00007")
    assert config.optimizer.kwargs["lr"] == 0.5
    assert config.tune is None


def test_the_newest_search_of_a_name_is_found(write_config: Callable[..., Path], tmp_path: Path) -> None:
    root = tmp_path / "runs"
    first = make_search(write_config, root / "tiny_tune", [], space=SPACE)
    assert latest_search(first.config) == first.folder
    second = make_search(write_config, root / "tiny_tune_2", [], space=SPACE)
    make_search(write_config, root / "tiny_tune_other", [], space=SPACE)
    assert latest_search(first.config) == second.folder
    assert read_search(second.folder.path).config == second.config


def test_a_folder_of_another_kind_is_no_search(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"is not the folder of a search: it has no search.yaml"):
        read_search(tmp_path)
