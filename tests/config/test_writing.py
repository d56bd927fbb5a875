"""A config that was written is changed without touching anything else."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.config.helpers import DATA
from trainlib.config.load import dump_config, load_config
from trainlib.config.writing import rewrite
from trainlib.errors import ConfigError


def test_settings_are_changed_and_all_others_stay(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(DATA + "run: {root: '/a/\\${b}', name: '1e3'}\n")
    complete = load_config(path)
    assert complete.run.root == "/a/${b}"
    path.write_text(dump_config(complete) + "of_later_versions: {a: [1, '2']}\n")
    before = yaml.safe_load(path.read_text())
    rewrite(path, {"data": {"cache_dir": None, "train_csv": "/x/${y}.csv"}})
    after = yaml.safe_load(path.read_text())
    assert after.pop("data") == before.pop("data") | {"cache_dir": None, "train_csv": "/x/\\${y}.csv"}
    assert after == before
    after.pop("of_later_versions")
    path.write_text("\n".join(line for line in path.read_text().split("of_later_versions")[:1]))
    again = load_config(path)
    assert (again.data.train_csv, again.run) == ("/x/${y}.csv", complete.run)


def test_what_is_no_config_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("- 1\n")
    with pytest.raises(ConfigError, match="found a list"):
        rewrite(tmp_path / "config.yaml", {"data": {"cache_dir": None}})
    assert (tmp_path / "config.yaml").read_text() == "- 1\n"
