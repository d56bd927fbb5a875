"""A small data set with its config, and ways to break them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np

SHAPE = (8, 8, 8)
SPLITS = {"train": (0, 1), "valid": (2,), "test": (3,)}
CONFIG = """\
run: {name: broken, root: runs}
data:
  root: data
  train_csv: train.csv
  valid_csv: valid.csv
  test_csv: test.csv
  classes: [background, organ]
  num_workers: 0
  batch_size: 2
transforms:
  base: [LoadImaged, EnsureChannelFirstd, NormalizeIntensityd]
  train:
    - SpatialPadd: {spatial_size: [8, 8, 8]}
    - RandFlipd: {spatial_axis: 0}
model:
  UNet: {channels: [2, 4], strides: [2]}
optimizer:
  AdamW: {lr: 0.01}
trainer:
  max_epochs: 1
progress: null
report: null
emissions: null
"""
"""What every row starts from; the numbers of its lines stand in the sentences."""


@dataclass(frozen=True)
class Place:
    """The folder that a row may break things in, and that the command runs in.

    Attributes:
        path: The folder.
    """

    path: Path

    @property
    def config(self) -> Path:
        return self.path / "config.yaml"

    @property
    def data(self) -> Path:
        return self.path / "data"

    def fill(self) -> None:
        """Write four cases, three CSVs and the config."""
        self.data.mkdir(parents=True)
        for i in range(4):
            save(self.data / f"i{i}.nii.gz", image(i))
            save(self.data / f"l{i}.nii.gz", label(i))
        for split, cases in SPLITS.items():
            (self.data / f"{split}.csv").write_text(rows(*cases))
        self.config.write_text(CONFIG)


Damage = Callable[[Place], object]


def image(seed: int, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def label(seed: int, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2, shape).astype(np.uint8)


def rows(*cases: int) -> str:
    """Write the CSV of some cases."""
    return "image,label\n" + "".join(f"i{i}.nii.gz,l{i}.nii.gz\n" for i in cases)


def save(path: Path, array: np.ndarray, affine: np.ndarray | None = None) -> None:
    """Write a NIfTI file whose header holds the affine as it is, however odd."""
    file = nib.Nifti1Image(array, np.eye(4))
    if affine is not None:
        file.header["qform_code"] = 0
        file.header["sform_code"] = 1
        for row, values in zip(("srow_x", "srow_y", "srow_z"), affine, strict=False):
            file.header[row] = values
        file = nib.Nifti1Image(array, None, file.header)
    nib.save(file, path)


def nothing(place: Place) -> None:
    """Break nothing: the mistake is on the command line."""


def both(*damages: Damage) -> Damage:
    """Break several things."""

    def damage(place: Place) -> None:
        for one in damages:
            one(place)

    return damage


def replaced(old: str, new: str) -> Damage:
    """Replace a part of the config."""

    def damage(place: Place) -> None:
        text = place.config.read_text()
        assert old in text, f"{old!r} is not in the config"
        place.config.write_text(text.replace(old, new))

    return damage


def added(text: str) -> Damage:
    """Add lines at the end of the config, after its 23."""
    return lambda place: place.config.write_text(place.config.read_text() + text)


def written(name: str, content: str | bytes) -> Damage:
    """Write a file, in place of the one that is there."""

    def damage(place: Place) -> None:
        path = place.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    return damage


def train_csv(content: str | bytes) -> Damage:
    """Write another CSV of the training cases."""
    return written("data/train.csv", content)


def removed(name: str) -> Damage:
    return lambda place: (place.path / name).unlink()


def folder(name: str) -> Damage:
    """Make a folder where a file is expected."""

    def damage(place: Place) -> None:
        (place.path / name).unlink(missing_ok=True)
        (place.path / name).mkdir(parents=True)

    return damage
