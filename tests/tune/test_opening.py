"""A search goes on only with what it was begun with, and one process at a time works on it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.tune.helpers import RATE
from trainlib.config.load import load_config
from trainlib.config.schema import Config
from trainlib.errors import ConfigError, ResourceError
from trainlib.folders.search import Trial
from trainlib.folders.searches import read_search
from trainlib.system import lock
from trainlib.tune.opening import opened

SCRIPT = "def get_model(config):\n    return None\n"


@pytest.fixture
def make(write_config: Callable[..., Path], phantom: Path, tmp_path: Path) -> Callable[..., Config]:
    """Make the config of a search over learning rates and two scripts, with CSVs that can be changed."""
    data = tmp_path / "data"
    data.mkdir()
    for split in ("train", "valid", "test"):
        shutil.copy(phantom / f"{split}.csv", data)
    for name in ("model.py", "other.py", "loss.py"):
        (tmp_path / name).write_text(SCRIPT)
    space = {RATE: {"uniform": [0.01, 0.1]}, "patch.model": {"choice": [str(tmp_path / "other.py"), None]}}

    def make(*overrides: str, **sections: Any) -> Config:
        settings = {"optimizer": {"SGD": {"lr": 0.1}}, "data": {"root": str(data)}} | sections
        settings["patch"] = {"model": str(tmp_path / "model.py"), "loss": str(tmp_path / "loss.py")}
        return load_config(write_config(tune={"trials": 3, "space": space}, **settings), overrides)

    return make


def begin(config: Config) -> Path:
    """Begin a search of which one trial was noted."""
    with opened(config, resume=False) as search:
        search.folder.note(Trial(0, {RATE: 0.05, "patch.model": None}))
    return search.folder.path


def cut(path: Path) -> None:
    path.write_text("\n".join(path.read_text().splitlines()[:2]) + "\n")


def test_files_that_have_changed_are_all_named(make: Callable[..., Config], tmp_path: Path) -> None:
    folder = begin(make())
    cut(tmp_path / "data" / "valid.csv")
    for name in ("model.py", "other.py"):
        (tmp_path / name).write_text(SCRIPT.replace("None", "1"))
    with pytest.raises(ConfigError) as error, opened(make(), resume=True):
        raise AssertionError("it must not be opened")
    rest = f"the file has changed since the search in {folder} was begun. Leave --resume out to begin another one."
    keys = ["data.valid_csv", "patch.model", f"tune.space.patch.model: {tmp_path / 'other.py'}"]
    assert [problem.text for problem in error.value.problems] == [f"{key}: {rest}" for key in keys]


def test_the_test_cases_which_no_trial_sees_may_change(make: Callable[..., Config], tmp_path: Path) -> None:
    folder = begin(make())
    cut(tmp_path / "data" / "test.csv")
    with opened(make(), resume=True) as search:
        assert search.folder.path == folder


def test_what_changes_no_figure_may_differ(make: Callable[..., Config]) -> None:
    folder = begin(make())
    free = ["progress=null", "lr_monitor=null", "report=null", "data.cache=memory", "tune.trials=9"]
    with opened(make(*free, "tune.per_trial.cpu=2"), resume=True) as search:
        assert search.folder.path == folder
    assert read_search(folder).config.tune.trials == 9  # type: ignore[union-attr]


def test_settings_that_differ_are_all_named(make: Callable[..., Config]) -> None:
    folder = begin(make())
    with (
        pytest.raises(ConfigError) as error,
        opened(make("seed=4", f"tune.space.{RATE}.uniform=[0.02, 0.1]"), resume=True),
    ):
        raise AssertionError("it must not be opened")
    told = [problem.text.partition(f", but the search in {folder} was begun with ") for problem in error.value.problems]
    assert [first for first, _, _ in told] == ["seed is 4", f"tune.space.{RATE}.uniform is [0.02, 0.1]"]
    assert [last for _, _, last in told] == [
        "42. Leave --resume out to begin another one.",
        "[0.01, 0.1]. Leave --resume out to begin another one.",
    ]


def test_nothing_is_written_while_another_process_searches(
    make: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = begin(make())
    monkeypatch.setattr(lock, "PATIENCE", 0.3)
    before = (folder / "search.yaml").read_bytes()
    with (
        opened(make(), resume=True),
        pytest.raises(ResourceError, match="tiny_tune: another process works on it"),
        opened(make("tune.trials=7"), resume=True),
    ):
        raise AssertionError("it must not be opened")
    assert (folder / "search.yaml").read_bytes() == before


def test_a_search_that_is_refused_before_its_first_trial_leaves_no_folder(make: Callable[..., Config]) -> None:
    with pytest.raises(ConfigError, match="no room"), opened(make(), resume=False) as search:
        raise ConfigError("no room")
    assert not search.folder.path.exists()


def test_a_search_that_has_begun_stays_when_it_is_refused(make: Callable[..., Config]) -> None:
    folder = begin(make())
    with pytest.raises(ConfigError, match="no room"), opened(make(), resume=True):
        raise ConfigError("no room")
    assert yaml.safe_load((folder / "search.yaml").read_text())["tune"]["trials"] == 3
