from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from tests.hostile.place import Place
from tests.hostile.runner import FIT
from trainlib.build import catalogue
from trainlib.cli import app

LOGGERS = ("trainlib", "lightning.pytorch", "lightning.fabric", "pytorch_lightning")


@pytest.fixture(autouse=True)
def _the_process_is_left_as_it_was() -> Iterator[None]:
    """Undo what a command does to its process, which it does not share in real life."""
    loggers = [logging.getLogger(name) for name in LOGGERS]
    before = [(logger, logger.level, logger.propagate, list(logger.handlers)) for logger in loggers]
    yield
    for logger, level, propagate, handlers in before:
        logger.setLevel(level)
        logger.propagate = propagate
        logger.handlers[:] = handlers
    torch.use_deterministic_algorithms(False)


@pytest.fixture(scope="session", autouse=True)
def _an_index_of_the_components(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tell names from the index from the first command on, as it is from the second one on in real life."""
    cache = str(tmp_path_factory.mktemp("cache"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalogue.platformdirs, "user_cache_dir", lambda _: cache)
        catalogue.catalogue.cache_clear()
        catalogue.catalogue()
        yield


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The place before anything in it is broken."""
    path = tmp_path_factory.mktemp("sound") / "place"
    Place(path).fill()
    return path


@pytest.fixture
def place(sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A place to break things in, which is the working directory."""
    path = tmp_path / "place"
    shutil.copytree(sound, path)
    monkeypatch.chdir(path)
    return Place(path)


@pytest.fixture(scope="session")
def trained(sound: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The place after a training of one epoch."""
    path = tmp_path_factory.mktemp("trained") / "place"
    shutil.copytree(sound, path)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(path)
        result = CliRunner().invoke(app, list(FIT))
    assert result.exit_code == 0, result.output
    return path


@pytest.fixture
def trained_place(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A place with a trained run to break things in, which is the working directory."""
    path = tmp_path / "place"
    shutil.copytree(trained, path)
    monkeypatch.chdir(path)
    return Place(path)
