"""Fixtures: a generated data set, configs for it, and the command line in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# Tests run side by side: the threads of several torch processes would fight for the cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import yaml

from tests.zygote import Zygote
from trainlib.data.phantom import CLASSES, make_dataset

ROOT = Path(__file__).resolve().parent.parent
HIPPOCAMPUS = ROOT.parent / "shared" / "data" / "hippocampus"

TINY: dict[str, Any] = {
    "transforms": {
        "base": [
            "LoadImaged",
            "EnsureChannelFirstd",
            {"Orientationd": {"axcodes": "RAS"}},
            {"Spacingd": {"pixdim": [1.5, 1.5, 2.0]}},
            "NormalizeIntensityd",
        ],
        "train": [
            {"SpatialPadd": {"spatial_size": [16, 16, 8]}},
            {"RandSpatialCropd": {"roi_size": [16, 16, 8]}},
            {"RandFlipd": {"spatial_axis": 0}},
            {"RandGaussianNoised": {"std": 0.1}},
        ],
    },
    "model": {"UNet": {"channels": [4, 8], "strides": [2], "num_res_units": 1, "dropout": 0.1}},
    "optimizer": {"AdamW": {"lr": 0.01}},
    "trainer": {"max_epochs": 2},
    "emissions": None,
    "report": None,
}
"""A 3-D training that takes a second, with dropout so that random states matter."""


@pytest.fixture(scope="session")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A 3-D data set of 6 training, 3 validation and 3 test cases."""
    return make_dataset(tmp_path_factory.mktemp("phantom") / "data", cases=(6, 3, 3), shape=(24, 24, 14))


@pytest.fixture
def write_config(tmp_path: Path, phantom: Path) -> Callable[..., Path]:
    """Write a config for the phantom: `TINY` with sections replaced, or keys in them by dotted names."""

    def write(name: str = "config.yaml", **sections: Any) -> Path:
        data = {
            "root": str(phantom),
            "train_csv": "train.csv",
            "valid_csv": "valid.csv",
            "test_csv": "test.csv",
            "classes": CLASSES,
            "num_workers": 0,
        }
        run = {"name": "tiny", "root": str(tmp_path / "runs")}
        content = {"run": run, "data": data, **TINY}
        for section, value in sections.items():
            both = isinstance(value, dict) and section in ("run", "data", "transforms", "trainer")
            content[section] = content.get(section, {}) | value if both else value
        path = tmp_path / name
        path.write_text(yaml.safe_dump(content, sort_keys=False))
        return path

    return write


@pytest.fixture(scope="session")
def zygote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zygote]:
    """What starts commands without the seconds of their imports."""
    zygote = Zygote(tmp_path_factory.mktemp("zygote"))
    yield zygote
    zygote.close()


@pytest.fixture(scope="session")
def cli(zygote: Zygote) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run `trainlib` with arguments in a process of its own, forked unless it gets environment variables."""

    def run(*arguments: str | Path, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
        words = [str(word) for word in arguments]
        if not environment:
            ended = zygote.run(*words, cwd=cwd)
            return subprocess.CompletedProcess(words, ended.status, ended.out, ended.errors)
        return subprocess.run(
            [sys.executable, "-m", "trainlib", *words],
            cwd=cwd,
            env=os.environ | {"COLUMNS": "200"} | environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run
