"""Small NIfTI data sets and configs, made without trainlib's own generator."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from trainlib.config.schema import Config
from trainlib.data.dataset import CaseFailure
from trainlib.data.module import CSVDataModule

LOAD: list[Any] = ["LoadImaged", "EnsureChannelFirstd"]
CROP: list[Any] = [{"SpatialPadd": {"spatial_size": [8, 8, 8]}}, {"RandSpatialCropd": {"roi_size": [8, 8, 8]}}]
SHAPE = (12, 10, 9)


def save(path: Path, array: np.ndarray, affine: np.ndarray | None = None) -> Path:
    """Write an array as NIfTI."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(array, np.eye(4) if affine is None else affine), path)
    return path


def volume(seed: int, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    """Draw an image."""
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def label_map(seed: int, shape: tuple[int, ...] = SHAPE, classes: int = 3) -> np.ndarray:
    """Draw a label map."""
    return np.random.default_rng(seed).integers(0, classes, shape).astype(np.uint8)


def make_cases(folder: Path, count: int, csv: str = "train.csv", first: int = 0) -> Path:
    """Write cases ``i<n>.nii.gz`` with ``l<n>.nii.gz``, and the CSV that lists them."""
    rows = ["image,label"]
    for i in range(first, first + count):
        save(folder / f"i{i}.nii.gz", volume(i))
        save(folder / f"l{i}.nii.gz", label_map(i))
        rows.append(f"i{i}.nii.gz,l{i}.nii.gz")
    (folder / csv).write_text("\n".join(rows) + "\n")
    return folder


def make_config(root: Path, data: dict[str, Any] | None = None, **sections: Any) -> Config:
    """Make a config for a data set; without a cache and workers, with crops of one size."""
    base = {
        "root": str(root),
        "train_csv": "train.csv",
        "valid_csv": "valid.csv",
        "test_csv": "test.csv" if (root / "test.csv").exists() else None,
        "classes": ["background", "organ", "lesion"],
        "num_workers": 0,
        "cache": "none",
    }
    transforms = {"base": LOAD, "train": CROP} | sections.pop("transforms", {})
    return Config.model_validate(
        {"run": {"root": str(root / "runs")}, "data": base | (data or {}), "transforms": transforms, **sections}
    )


def batches(module: CSVDataModule, epoch: int = 0, split: str = "train") -> Iterator[dict[str, Any]]:
    """Iterate over an epoch as Lightning does."""
    loader = {"train": module.train_dataloader, "valid": module.val_dataloader, "test": module.test_dataloader}[split]()
    loader.sampler.set_epoch(epoch)
    for batch in loader:
        assert not isinstance(batch, CaseFailure), batch.sentence
        yield batch


def items(module: CSVDataModule, epoch: int = 0) -> dict[str, np.ndarray]:
    """Return the training image of each case in an epoch."""
    return {
        case: image.numpy()
        for batch in batches(module, epoch)
        for case, image in zip(batch["case"], batch["image"], strict=True)
    }


def ready(config: Config, stage: str = "fit") -> CSVDataModule:
    """Set up a data module."""
    module = CSVDataModule(config)
    module.setup(stage)
    return module
