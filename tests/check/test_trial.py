"""A trial: what no header tells, a prepared case does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.check.helpers import ORIENTED, label_map, make_config, make_dataset, save, survey_of, volume
from trainlib.check.trial import Trial

PATCH = """\
class Fails:
    def __call__(self, data):
        raise ValueError("not like this")
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "patch.py").write_text(PATCH)
    return make_dataset(tmp_path)


def trial(root: Path, base: list[Any]) -> Trial:
    config = make_config(root, transforms={"base": base}, patch={"transforms": str(root / "patch.py")})
    return Trial(survey_of(config, voxels=False))


def test_a_pipeline_that_fails_is_told_once_for_all_cases_of_a_kind(root: Path) -> None:
    [found] = trial(root, [*ORIENTED, "Fails"]).failures(set())
    assert (found.severity, found.where) == ("error", "train.csv:2")
    assert "Fails failed" in found.what
    assert "ValueError: not like this. So may 7 more cases of its kind." in found.what


def test_cases_that_are_known_to_be_wrong_are_not_tried(root: Path) -> None:
    known = {("train.csv", row) for row in range(2, 8)}
    [found] = trial(root, [*ORIENTED, "Fails"]).failures(known)
    assert found.where == "valid.csv:2"
    assert list(trial(root, ORIENTED).failures(set())) == []


def test_a_case_with_a_label_is_tried_beside_a_smaller_one_of_the_test_split(root: Path) -> None:
    save(root / "i7.nii.gz", volume(7, (8, 8, 8)))
    save(root / "l7.nii.gz", label_map(7, (8, 8, 8)))
    (root / "valid.csv").write_text("image,label\ni6.nii.gz,l6.nii.gz\n")
    (root / "test.csv").write_text("image,label\ni7.nii.gz,l7.nii.gz\n")
    [found] = trial(root, [*ORIENTED, {"AsDiscreted": {"keys": "label", "to_onehot": 3}}]).failures(set())
    assert found.where == "train.csv:2"
    assert "the label has 3 channels after transforms.base" in found.what


def test_cases_in_doubt_are_tried_each(root: Path) -> None:
    save(root / "l3.nii.gz", label_map(3), np.diag([2.0, 2.0, 2.0, 1.0]))
    made = trial(root, ORIENTED)
    assert list(made.failures(set())) == []
    [found] = made.failures(set(), {case for case in made.survey.cases if case.row == 5})
    assert found.where == "train.csv:5"
    assert "mm apart after transforms.base" in found.what


def test_growth_is_that_of_the_voxels(root: Path) -> None:
    made = trial(root, [*ORIENTED, {"Resized": {"spatial_size": [24, 20, 18]}}])
    list(made.failures(set()))
    assert made.growth == 8.0
