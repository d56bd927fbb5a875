"""Intensities: voxels that are no numbers, images that show nothing, ranges far from the others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.check.helpers import ORIENTED, make_config, make_dataset, save, survey_of, surveyed, told, volume
from trainlib.check.intensities import constant_images, far_intensities, not_finite
from trainlib.check.trial import Trial


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_dataset(tmp_path)


def test_nan_is_told_with_its_voxels(root: Path) -> None:
    array = volume(1)
    array[0, 0, 0], array[1, 1, 1] = np.nan, np.inf
    save(root / "i1.nii.gz", array)
    survey, _ = surveyed(root)
    [found] = not_finite(survey, Trial(survey))
    assert told([found]) == [("error", "train.csv:3", "i1.nii.gz")]
    assert found.what == "1 voxel is NaN and 1 voxel is infinite."


def test_nan_that_the_base_transforms_replace_is_a_warning(root: Path) -> None:
    array = volume(1)
    array[0, 0, 0] = np.nan
    save(root / "i1.nii.gz", array)
    survey, _ = surveyed(root, [*ORIENTED, {"SignalFillEmptyd": {"keys": ["image"], "replacement": 0.0}}])
    assert [found.severity for found in not_finite(survey, Trial(survey))] == ["warning"]


CLIPPED: list[Any] = [
    *ORIENTED, {"ScaleIntensityRanged": {"a_min": -3, "a_max": 3, "b_min": 0, "b_max": 1, "clip": True}}
]  # fmt: skip


def test_what_replaces_infinity_is_not_trusted_with_nan(root: Path) -> None:
    for i, value in enumerate((np.inf, np.nan, -np.inf)):
        array = volume(i)
        array[3, 3, 3] = value
        save(root / f"i{i}.nii.gz", array)
    survey, _ = surveyed(root, CLIPPED)
    found = list(not_finite(survey, Trial(survey)))
    assert told(found) == [
        ("warning", "train.csv:2", "i0.nii.gz"),
        ("error", "train.csv:3", "i1.nii.gz"),
        ("warning", "train.csv:4", "i2.nii.gz"),
    ]
    assert [finding.what for finding in found] == [
        "1 voxel is infinite.", "1 voxel is NaN.", "1 voxel is infinite.",
    ]  # fmt: skip


def test_one_case_of_a_kind_is_prepared_that_with_the_most(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for i in range(4):
        array = volume(i)
        array[0, 0, : i + 1] = np.nan
        save(root / f"i{i}.nii.gz", array)
    survey, _ = surveyed(root)
    tried: list[int] = []
    monkeypatch.setattr(Trial, "cleans", lambda _, case: bool(tried.append(case.row)))
    assert len(list(not_finite(survey, Trial(survey)))) == 4
    assert tried == [5]


def test_a_missing_modality_is_a_warning_and_a_case_that_shows_nothing_an_error(root: Path) -> None:
    save(root / "zero.nii.gz", np.zeros((12, 10, 9), np.float32))
    (root / "train.csv").write_text(
        "image,t2,label\ni0.nii.gz,zero.nii.gz,l0.nii.gz\nzero.nii.gz,zero.nii.gz,l1.nii.gz\n"
    )
    (root / "valid.csv").write_text("image,t2,label\ni6.nii.gz,i7.nii.gz,l6.nii.gz\n")
    survey, _ = surveyed(root, image_cols=["image", "t2"])
    found = list(constant_images(survey))
    assert told(found) == [("warning", "train.csv:2", "zero.nii.gz")] + [("error", "train.csv:3", "zero.nii.gz")] * 2
    assert found[0].remedy.startswith("Nothing, where it stands for an image that was not taken")


def test_a_constant_image_is_told_with_its_value(root: Path) -> None:
    save(root / "i2.nii.gz", np.full((12, 10, 9), 3, np.int16))
    survey, _ = surveyed(root)
    [found] = constant_images(survey)
    assert told([found]) == [("error", "train.csv:4", "i2.nii.gz")]
    assert found.what == "All voxels hold the value 3."


@pytest.mark.parametrize(("factor", "offset"), [(100.0, 0.0), (0.01, 0.0), (1.0, 1000.0)])
def test_a_range_far_from_the_others_is_told(root: Path, factor: float, offset: float) -> None:
    save(root / "i4.nii.gz", volume(4) * np.float32(factor) + np.float32(offset))
    [found] = far_intensities(*surveyed(root))
    assert told([found]) == [("warning", "train.csv:6", "i4.nii.gz")]
    assert "NormalizeIntensityd" in found.remedy
    [found] = far_intensities(*surveyed(root, [*ORIENTED, "NormalizeIntensityd"]))
    assert "brings it to the scale of the others" in found.remedy


def test_channels_are_compared_each_with_its_own(root: Path) -> None:
    rows = [f"i{i}.nii.gz,b{i}.nii.gz,l{i}.nii.gz" for i in range(8)]
    for i in range(8):
        save(root / f"b{i}.nii.gz", volume(50 + i) * (1e6 if i == 3 else 1e3))
    (root / "train.csv").write_text("\n".join(["image,b,label", *rows[:6]]))
    (root / "valid.csv").write_text("\n".join(["image,b,label", *rows[6:]]))
    config = make_config(root, {"image_cols": ["image", "b"]})
    from trainlib.check.base import Base

    assert told(far_intensities(survey_of(config), Base(config))) == [("warning", "train.csv:5", "b3.nii.gz")]
