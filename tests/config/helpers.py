"""A config as a user writes it, read and told about."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from trainlib.config.load import Loaded, read_config
from trainlib.config.schema import Config

DATA = """\
data:
  train_csv: train.csv
  valid_csv: valid.csv
  classes: [background, heart]
"""
"""The least that a config holds; what follows it begins in line 5."""


def read(folder: Path, text: str, overrides: Sequence[str] = ()) -> Loaded:
    """Write `text` to a file called ``c.yaml`` and read it."""
    path = folder / "c.yaml"
    path.write_text(text, encoding="utf-8")
    return read_config(path, overrides)


def mistakes(folder: Path, text: str, overrides: Sequence[str] = ()) -> list[str]:
    """Read `text` and return its mistakes, the folder left out."""
    return [str(problem).replace(f"{folder}/", "") for problem in read(folder, text, overrides).problems]


def config_of(folder: Path, text: str, overrides: Sequence[str] = ()) -> Config:
    """Read a `text` that must be without a mistake."""
    loaded = read(folder, text, overrides)
    assert loaded.problems == []
    assert loaded.config is not None
    return loaded.config
