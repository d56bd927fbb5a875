"""A trial: what no header tells, a prepared case does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.check.helpers import ORIENTED, make_config, make_dataset, survey_of
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


def test_growth_is_that_of_the_voxels(root: Path) -> None:
    made = trial(root, [*ORIENTED, {"Resized": {"spatial_size": [24, 20, 18]}}])
    list(made.failures(set()))
    assert made.growth == 8.0
