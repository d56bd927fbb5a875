"""What a training refuses is an error for the check: mistakes of all kinds, with several pipelines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from tests.check.helpers import ORIENTED, SPACED, change_header, label_map, make_config, make_dataset, save, volume
from tests.data.helpers import batches, ready
from tests.hostile.place import save as save_as_it_is
from trainlib.check.checks import check_data
from trainlib.config.schema import Config
from trainlib.data.splits import check_splits
from trainlib.errors import InputError

OWN = """\
class Mine:
    def __call__(self, data):
        return data
"""
PIPELINES: dict[str, list[Any]] = {
    "plain": ORIENTED[:2],
    "oriented": ORIENTED,
    "resampled": [*ORIENTED[:2], {"Spacingd": {"pixdim": [1.0, 1.0, 1.5]}}],
    "oriented and resampled": SPACED,
    "resized": [*ORIENTED[:2], {"Resized": {"spatial_size": [8, 8, 8], "mode": ["trilinear", "nearest"]}}],
    "cropped": [*ORIENTED, {"CropForegroundd": {"source_key": "image"}}],
    "own": [*ORIENTED[:2], "Mine"],
}


def matrix(diagonal: float, x: float = 0.0) -> np.ndarray:
    affine = np.diag([diagonal, abs(diagonal), abs(diagonal), 1.0])
    affine[0, 3] = x
    return affine


def values(root: Path, array: np.ndarray) -> None:
    save(root / "l3.nii.gz", array)


def nowhere(root: Path) -> None:
    affine = np.eye(4)
    affine[1, 1] = np.nan
    save_as_it_is(root / "i3.nii.gz", volume(3), affine)


def row(root: Path, text: str) -> None:
    with (root / "train.csv").open("a") as file:
        file.write(f"{text}\n")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


def turned(root: Path) -> None:
    image = nib.load(root / "l3.nii.gz")
    nib.save(image.as_reoriented([[0, -1], [1, 1], [2, 1]]), root / "l3.nii.gz")


MISTAKES: dict[str, Callable[[Path], object]] = {
    "a label shifted by most of a voxel": lambda root: change_header(root / "l3.nii.gz", matrix(1.0, 0.9)),
    "a label shifted by little": lambda root: change_header(root / "l3.nii.gz", matrix(1.0, 0.3)),
    "a label mirrored by its header": lambda root: change_header(root / "l3.nii.gz", matrix(-1.0, 11.0)),
    "a label stored in another order": turned,
    "a label of twice the spacing": lambda root: change_header(root / "l3.nii.gz", matrix(2.0)),
    "a label of half the resolution": lambda root: save(root / "l3.nii.gz", label_map(3, (6, 5, 5)), matrix(2.0, 0.5)),
    "a label of another shape": lambda root: values(root, label_map(3, (12, 10, 8))),
    "a label of several channels": lambda root: values(root, label_map(3, (12, 10, 9, 2))),
    "a value that nobody declared": lambda root: values(root, np.full((12, 10, 9), 7, np.uint8)),
    "a label of fractions": lambda root: values(root, np.full((12, 10, 9), 0.5, np.float32)),
    "a label with NaN": lambda root: values(root, np.full((12, 10, 9), np.nan, np.float32)),
    "an image without a place": nowhere,
    "an image without voxels": lambda root: save(root / "i3.nii.gz", volume(3, (12, 0, 9))),
    "an image of two dimensions": lambda root: save(root / "i3.nii.gz", volume(3, (12, 10))),
    "an image of several channels": lambda root: save(root / "i3.nii.gz", volume(3, (12, 10, 9, 3))),
    "an empty file": lambda root: (root / "i3.nii.gz").write_bytes(b""),
    "a file that is cut off": lambda root: cut(root / "i3.nii.gz"),
    "a text by the name of an image": lambda root: (root / "i3.nii.gz").write_text("see attachment"),
    "no file": lambda root: (root / "l3.nii.gz").unlink(),
    "a case that is listed twice": lambda root: row(root, "i0.nii.gz,l0.nii.gz"),
    "a case of two splits": lambda root: row(root, "i6.nii.gz,l6.nii.gz"),
    "an image as its label": lambda root: row(root, "i7.nii.gz,i7.nii.gz"),
    "an empty cell": lambda root: row(root, "i7.nii.gz,"),
    "a name that is too long": lambda root: row(root, f"{'x' * 300}.nii.gz,l7.nii.gz"),
}
HARMLESS = ("a label shifted by little", "a label stored in another order")


@pytest.fixture
def make(tmp_path: Path) -> Callable[[str], Config]:
    root = make_dataset(tmp_path)
    (tmp_path / "patch.py").write_text(OWN)
    patch = {"transforms": str(tmp_path / "patch.py")}
    model = {"UNet": {"channels": [2, 4], "strides": [2]}}
    return lambda name: make_config(root, patch=patch, model=model, transforms={"base": PIPELINES[name]})


def refused(config: Config) -> bool:
    """Tell whether the data of a training refuse to be read."""
    try:
        if check_splits(config, ("train", "valid")):
            return True
        module = ready(config)
        assert all(len(list(batches(module, split=split))) for split in ("train", "valid"))
    except (InputError, AssertionError):
        return True
    return False


@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_a_training_refuses_is_an_error(make: Callable[[str], Config], tmp_path: Path, mistake: str) -> None:
    MISTAKES[mistake](tmp_path)
    told = {name: {found.severity for found in check_data(make(name)).findings} for name in PIPELINES}
    wrong = {name for name in PIPELINES if refused(make(name))}
    assert {name for name in wrong if "error" not in told[name]} == set()
    assert wrong or mistake in HARMLESS


def test_nothing_is_refused_that_is_right(make: Callable[[str], Config]) -> None:
    for name in PIPELINES:
        assert not refused(make(name))
        assert check_data(make(name)).findings == []
