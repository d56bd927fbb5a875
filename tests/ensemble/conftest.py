"""An ensemble of three folds that is trained once for all tests of this folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import TINY
from trainlib import load_config
from trainlib.config.schema import Config
from trainlib.data.phantom import CLASSES
from trainlib.ensemble.ensemble import fit_ensemble
from trainlib.folders.ensemble import Ensemble


def make_config(folder: Path, root: Path, **sections: Any) -> Config:
    """Write a config for a phantom data set into a folder, with sections replaced or merged, and read it."""
    content: dict[str, Any] = {
        "run": {"name": "tiny", "root": str(folder / "runs")},
        "data": {"root": str(root), "classes": CLASSES, "num_workers": 0}
        | {f"{split}_csv": f"{split}.csv" for split in ("train", "valid", "test")},
        **TINY,
        "progress": None,
    }
    for section, value in sections.items():
        merged = isinstance(value, dict) and isinstance(content.get(section), dict) and section != "model"
        content[section] = content[section] | value if merged else value
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return load_config(path)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, phantom: Path) -> Ensemble:
    """Three folds of two epochs, with a post-processing."""
    post = [{"KeepLargestConnectedComponentd": {"applied_labels": [1]}}]
    config = make_config(
        tmp_path_factory.mktemp("ensemble"),
        phantom,
        transforms=TINY["transforms"] | {"post": post},
    )
    ensemble, _ = fit_ensemble(config, folds=3)
    return ensemble
