"""Intensities: voxels that are no numbers, images that show nothing, ranges far from the others."""

from __future__ import annotations

from pathlib import Path

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
    assert found.what == "2 voxels are NaN or infinite."


def test_nan_that_the_base_transforms_replace_is_a_warning(root: Path) -> None:
    array = volume(1)
    array[0, 0, 0] = np.nan
    save(root / "i1.nii.gz", array)
    survey, _ = surveyed(root, [*ORIENTED, {"SignalFillEmptyd": {"keys": ["image"], "replacement": 0.0}}])
    assert [found.severity for found in not_finite(survey, Trial(survey))] == ["warning"]


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
