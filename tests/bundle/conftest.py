"""Short runs to be handed on."""

from __future__ import annotations

import sys
import sysconfig
import venv
from collections.abc import Callable, Iterable
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

from tests.conftest import TINY
from trainlib import fit, load_config
from trainlib.data.phantom import CLASSES, FINDINGS, make_classification_dataset, make_dataset

_POST = [{"KeepLargestConnectedComponentd": {"is_onehot": False}}, {"FillHolesd": {"applied_labels": [1]}}]


def train(folder: Path, root: Path, **sections: Any) -> Path:
    """Train for two epochs, and return the run folder."""
    content = {
        "run": {"name": "tiny", "root": str(folder)},
        "data": {"root": str(root), "train_csv": "train.csv", "valid_csv": "valid.csv", "test_csv": "test.csv",
                 "num_workers": 0, "cache": "memory"},
        **TINY,
    }  # fmt: skip
    for name, value in sections.items():
        both = name in ("data", "transforms")
        content[name] = content.get(name, {}) | value if both else value
    (folder / "config.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    return fit(load_config(folder / "config.yaml"), check=False).folder.path


@pytest.fixture
def monai_python(tmp_path: Path) -> Callable[..., Path]:
    """Make an environment that has some packages of this one, with what they need, and nothing else."""

    def make(packages: Iterable[str]) -> Path:
        folder = tmp_path / "environment"
        venv.create(folder, symlinks=True, with_pip=False)
        site = Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))
        for file in _files(_closure(packages)):
            link = site / file.name
            if file.exists() and not link.exists():
                link.symlink_to(file)
        return folder / "bin" / Path(sys.executable).name

    return make


def _closure(packages: Iterable[str]) -> set[str]:
    """List packages with all that they need, as far as it is installed."""
    found: set[str] = set()
    waiting = list(packages)
    while waiting:
        name = waiting.pop().lower()
        if name in found:
            continue
        try:
            needs = [Requirement(text) for text in distribution(name).requires or []]
        except PackageNotFoundError:
            pytest.skip(f"{name}, which the bundle asks for, is not installed")
        found.add(name)
        waiting += [need.name for need in needs if need.marker is None or need.marker.evaluate({"extra": ""})]
    return found


def _files(packages: set[str]) -> set[Path]:
    """List the files and folders at the top of `site-packages` that belong to packages."""
    return {
        Path(str(distribution(name).locate_file(file.parts[0])))
        for name in packages
        for file in distribution(name).files or []
        if file.parts[0] not in ("..", "__pycache__")
    }


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory, phantom: Path) -> Path:
    """A run whose images are resampled on the way to the network, and whose predictions are post-processed."""
    return train(
        tmp_path_factory.mktemp("bundled"),
        phantom,
        data={"classes": CLASSES},
        transforms=TINY["transforms"] | {"post": _POST},
    )


@pytest.fixture(scope="session")
def patched_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a network, and a transform, of the user's own, on two image columns."""
    folder = tmp_path_factory.mktemp("patched")
    data = make_dataset(folder / "data", cases=(4, 2, 2), shape=(24, 24, 14), channels=2)
    columns = (data / "train.csv").read_text().splitlines()[0].split(",")
    (folder / "nets.py").write_text(
        "from torch import nn\n\nfrom trainlib import Config\nfrom trainlib.config.schema import (\n"
        "    DataSection,\n)\n\n\n"
        "class Net(nn.Sequential):\n    pass\n\n\n"
        "def get_model(config: Config, data: DataSection | None = None) -> nn.Module:\n"
        "    kind = {2: nn.Conv2d, 3: nn.Conv3d}[config.data.spatial_dims]\n"
        "    width = config.model.kwargs['channels'][0]\n"
        "    first = kind(config.in_channels, width, 3, padding=1)\n"
        "    return Net(first, nn.ReLU(), kind(width, config.out_channels, 1))\n"
    )
    (folder / "steps.py").write_text(
        "from monai.transforms import MapTransform\n\n\n"
        "class Halved(MapTransform):\n    def __init__(self, keys=('image',), by=2.0):\n"
        "        super().__init__(keys)\n        self.by = by\n\n"
        "    def __call__(self, data):\n        data = dict(data)\n        for key in self.key_iterator(data):\n"
        "            data[key] = data[key] / self.by\n        return data\n"
    )
    base = [*TINY["transforms"]["base"], {"Halved": {"by": 3.0}}]
    return train(
        folder,
        data,
        data={"classes": CLASSES, "image_cols": [name for name in columns if name != "label"]},
        transforms=TINY["transforms"] | {"base": base},
        patch={"model": str(folder / "nets.py"), "transforms": str(folder / "steps.py")},
        optimizer={"AdamW": {"lr": 0.05}},
        trainer={"max_epochs": 10},
    )


@pytest.fixture(scope="session", params=["png", "nifti"])
def flat_run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A segmentation of pictures, or of slices."""
    folder = tmp_path_factory.mktemp("flat")
    data = make_dataset(folder / "data", spatial_dims=2, cases=(4, 2, 2), file_format=request.param)
    return train(
        folder,
        data,
        data={"classes": CLASSES, "spatial_dims": 2},
        transforms={"base": ["LoadImaged", "EnsureChannelFirstd", {"Resized": {"spatial_size": [36, 44]}},
                             "NormalizeIntensityd"],
                    "train": [{"RandSpatialCropd": {"roi_size": [32, 32]}}]},
    )  # fmt: skip


@pytest.fixture(scope="session")
def classifier_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classification of pictures."""
    folder = tmp_path_factory.mktemp("classifier")
    data = make_classification_dataset(folder / "data", spatial_dims=2, cases=(6, 3, 3))
    return train(
        folder,
        data,
        task="classification",
        data={"classes": FINDINGS, "spatial_dims": 2},
        transforms={"base": ["LoadImaged", "EnsureChannelFirstd", {"Resized": {"spatial_size": [32, 32]}},
                             "NormalizeIntensityd"], "train": ["RandFlipd"]},
        model={"DenseNet": {"init_features": 4, "growth_rate": 4, "block_config": [2, 2]}},
    )  # fmt: skip
