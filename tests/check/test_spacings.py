"""Spacings far from the others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.check.helpers import change_header, make_dataset, surveyed, told
from trainlib.check.spacings import far_spacings


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_dataset(tmp_path)


def test_the_image_with_other_voxels_is_named(root: Path) -> None:
    change_header(root / "i3.nii.gz", np.diag([1.0, 1.0, 5.0, 1.0]))
    survey, _ = surveyed(root)
    [found] = far_spacings(survey)
    assert told([found]) == [("warning", "train.csv:5", "i3.nii.gz")]
    assert found.what == "The spacing is 1 x 1 x 5 mm; usual are 1 x 1 x 1 mm."


def test_axes_are_compared_along_the_body_and_not_along_the_file(root: Path) -> None:
    for i in range(8):
        turned = np.array([[0, 0, 1.0, 0], [1.0, 0, 0, 0], [0, 5.0, 0, 0], [0, 0, 0, 1]])  # slices along the 2nd axis
        change_header(root / f"i{i}.nii.gz", turned if i == 2 else np.diag([1.0, 1.0, 5.0, 1.0]))
    survey, _ = surveyed(root)
    assert list(far_spacings(survey)) == []


def test_spacings_that_vary_have_no_odd_one(root: Path) -> None:
    for i in range(8):
        change_header(root / f"i{i}.nii.gz", np.diag([1.0, 1.0, 1.0 + 0.5 * i, 1.0]))
    survey, _ = surveyed(root)
    assert list(far_spacings(survey)) == []
