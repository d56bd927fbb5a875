"""All checks together: a right data set has no finding, and one broken file stops no other check."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.check.helpers import label_map, make_config, make_dataset, save
from trainlib.check import checks
from trainlib.check.checks import check_data
from trainlib.data.complete import complete
from trainlib.data.phantom import CLASSES, make_classification_dataset
from trainlib.data.phantom import make_dataset as make_phantom
from trainlib.data.splits import Case


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_dataset(tmp_path)


def test_a_right_data_set_has_no_finding(root: Path) -> None:
    seen: list[int] = []
    model = {"UNet": {"channels": [4, 8], "strides": [2]}}
    outcome = check_data(make_config(root, model=model), progress=lambda files: lambda: seen.append(files))
    assert outcome.findings == []
    assert outcome.cases == 8
    assert seen == [16] * 16
    assert outcome.cache is not None
    assert outcome.step is not None
    assert outcome.step.windows == 2


def test_one_broken_file_stops_no_other_check(root: Path) -> None:
    (root / "i0.nii.gz").write_bytes(b"")
    label = label_map(1)
    label[0, 0, 0] = 9
    save(root / "l1.nii.gz", label)
    save(root / "l6.nii.gz", np.zeros((12, 10, 9), np.uint8))
    outcome = check_data(make_config(root))
    assert [(found.severity, found.kind, found.where) for found in outcome.findings] == [
        ("error", "unreadable file", "train.csv:2"),
        ("error", "undeclared label", "train.csv:3"),
        ("warning", "empty label", "valid.csv:2"),
    ]


@pytest.mark.parametrize(("dims", "file_format", "rgb"), [(2, "png", True), (2, "nifti", False), (3, "nifti", False)])
def test_generated_data_sets_have_no_error(tmp_path: Path, dims: int, file_format: str, rgb: bool) -> None:
    root = make_phantom(tmp_path / "s", cases=(4, 2, 2), spatial_dims=dims, file_format=file_format, rgb=rgb)
    crop = {"train": [{"ResizeWithPadOrCropd": {"spatial_size": [32] * dims}}]}
    config = complete(make_config(root, {"classes": CLASSES, "spatial_dims": dims}, transforms=crop))
    outcome = check_data(config)
    assert outcome.findings == []
    assert outcome.cases == 8
    assert outcome.step is not None


def test_pictures_of_several_formats_are_checked(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = ["image,label"]
    for i, suffix in enumerate(("png", "tif", "jpg", "bmp", "png")):
        Image.fromarray(rng.integers(0, 255, (12, 16)).astype(np.uint8)).save(tmp_path / f"i{i}.{suffix}")
        Image.fromarray(rng.integers(0, 3, (12, 16)).astype(np.uint8)).save(tmp_path / f"l{i}.png")
        rows.append(f"i{i}.{suffix},l{i}.png")
    (tmp_path / "train.csv").write_text("\n".join(rows[:5]))
    (tmp_path / "valid.csv").write_text("\n".join([rows[0], rows[5]]))
    crop = {"train": [{"RandSpatialCropd": {"roi_size": [8, 8]}}]}
    outcome = check_data(make_config(tmp_path, {"spatial_dims": 2}, transforms=crop))
    assert outcome.findings == []
    assert outcome.learned["shape"]["median"] == [16, 12]


def test_a_classification_is_checked(tmp_path: Path) -> None:
    make_classification_dataset(tmp_path / "c", cases=(6, 3, 3), spatial_dims=2)
    base = ["LoadImaged", "EnsureChannelFirstd", {"Resized": {"spatial_size": [32, 32]}}]
    transforms = {"base": base, "train": [{"RandFlipd": {"spatial_axis": 0}}]}
    data = {"classes": [], "spatial_dims": 2}
    config = complete(make_config(tmp_path / "c", data, task="classification", transforms=transforms))
    outcome = check_data(config)
    assert {found.kind for found in outcome.findings} <= {"class never scored"}
    assert sum(found["cases"] for found in outcome.learned["classes"]["train"].values()) == 6


def test_what_is_to_be_predicted_breaks_no_training(root: Path) -> None:
    save(root / "flat.nii.gz", np.zeros((12, 10, 9), np.float32))
    (root / "i8.nii.gz").write_bytes(b"")
    (root / "new.csv").write_text("image\nflat.nii.gz\ni8.nii.gz\nnone.nii.gz\n,\n")
    findings = check_data(make_config(root, {"predict_csv": "new.csv"})).findings
    assert {(found.severity, found.csv) for found in findings} == {("warning", "new.csv")}
    assert {found.kind for found in findings} == {"constant image", "unreadable file", "missing file"}
    (root / "train.csv").write_text((root / "train.csv").read_text() + "flat.nii.gz,l0.nii.gz\n")
    findings = check_data(make_config(root, {"predict_csv": "train.csv"})).findings
    assert {found.severity for found in findings if found.kind == "constant image"} == {"error"}


@pytest.mark.parametrize(("name", "memory", "expected"), [
    ("a.nii", 1 << 31, 6), ("a.nii.gz", 1 << 31, 2), ("a.nii.gz", 1 << 28, 1), ("x" * 300, 1 << 31, 8),
])  # fmt: skip
def test_as_many_processes_read_as_memory_allows(
    root: Path, monkeypatch: pytest.MonkeyPatch, name: str, memory: int, expected: int
) -> None:
    if len(name) < 300:
        with (root / name).open("wb") as file:
            file.truncate(24 * 2**20)
    monkeypatch.setattr(checks, "available_memory", lambda: memory)
    monkeypatch.setattr(checks, "usable_cores", lambda: 8)
    case = Case("a", 2, (root / name,), None, None, "train.csv")
    config = make_config(root, {"num_workers": "auto"})
    assert checks._workers(config, {"train": [case]}) == expected
    assert checks._workers(make_config(root), {"train": [case]}) == 0
