"""Fixtures: a training to strike, its uninterrupted twin, and a disk of a few megabytes."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.conftest import TINY
from tests.zygote import Zygote
from trainlib.data.phantom import CLASSES

EPOCHS = 3


@pytest.fixture(scope="session")
def training(tmp_path_factory: pytest.TempPathFactory, phantom: Path) -> Path:
    """The config of a training of three epochs of three batches, with dropout, random transforms and a report."""
    data = {f"{split}_csv": f"{split}.csv" for split in ("train", "valid", "test")}
    content = {
        **TINY,
        "run": {"name": "tiny"},
        "data": {"root": str(phantom), **data, "classes": CLASSES, "num_workers": 0},
        "trainer": {"max_epochs": EPOCHS},
        "report": {},
    }
    path = tmp_path_factory.mktemp("training") / "config.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


@pytest.fixture(scope="session")
def straight(tmp_path_factory: pytest.TempPathFactory, training: Path, zygote: Zygote) -> Path:
    """The run folder of the training that nothing has interrupted."""
    root = tmp_path_factory.mktemp("straight")
    ended = zygote.run("fit", "-c", training, f"run.root={root}")
    assert ended.status == 0, ended.errors
    return root / "tiny"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 25 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m", "none", str(disk)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("a small disk can only be mounted by root")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)
