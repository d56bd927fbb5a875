"""Base transforms from outside: the grid they are said to give is the one they give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.check.helpers import ORIENTED, SPACED, make_config, make_dataset, save, survey_of, volume
from trainlib.check.base import Base
from trainlib.data.prepare import Preparation

PIR = np.array([[0.0, 0.0, 2.0, 5.0], [-1.5, 0.0, 0.0, 3.0], [0.0, -0.7, 0.0, 1.0], [0.0, 0.0, 0.0, 1.0]])
GRIDS: dict[str, list[Any]] = {
    "load": ["LoadImaged", "EnsureChannelFirstd", "NormalizeIntensityd"],
    "orient": ORIENTED,
    "space": [*SPACED, "NormalizeIntensityd"],
    "resize": [*ORIENTED, {"Resized": {"spatial_size": [10, 12, -1]}}],
    "fit": [*SPACED, {"ResizeWithPadOrCropd": {"spatial_size": [16, 8, 20]}}, {"DivisiblePadd": {"k": 8}}],
}


@pytest.mark.parametrize("name", GRIDS)
def test_the_grid_is_that_of_the_prepared_case(tmp_path: Path, name: str) -> None:
    root = make_dataset(tmp_path)
    save(root / "i0.nii.gz", volume(0), PIR)
    config = make_config(root, transforms={"base": GRIDS[name]})
    survey, base = survey_of(config, voxels=False), Base(config)
    prepare = Preparation(config, with_label=False)
    for case in survey.splits["train"][:2]:
        header, prepared = survey.image(case).header, prepare(case)
        grid = base.grid_after(header)
        assert base.known
        assert grid is not None
        assert grid.shape == tuple(prepared["image"].shape[1:])
        assert grid.spacing == pytest.approx(prepared["spacing"].tolist())
        np.testing.assert_allclose(grid.affine, prepared["affine"], atol=1e-6)


def test_what_a_pipeline_does_is_told(tmp_path: Path) -> None:
    root = make_dataset(tmp_path)

    def base(steps: list[Any]) -> Base:
        return Base(make_config(root, transforms={"base": steps}))

    assert not base(GRIDS["load"]).reorients
    assert base(ORIENTED).reorients
    assert base(GRIDS["load"]).normalises
    assert base([*ORIENTED, {"ScaleIntensityRanged": {"a_min": 0, "a_max": 9, "b_min": 0, "b_max": 1}}]).loads
    assert not base([*ORIENTED, {"NormalizeIntensityd": {"subtrahend": 1.0, "divisor": 2.0}}]).normalises


def test_a_crop_by_content_and_own_transforms_cannot_be_told(tmp_path: Path) -> None:
    root = make_dataset(tmp_path)
    (tmp_path / "patch.py").write_text("class Mine:\n    def __call__(self, data):\n        return data\n")
    config = make_config(root, transforms={"base": [*ORIENTED, {"CropForegroundd": {"source_key": "image"}}]})
    header = survey_of(config, voxels=False).image(survey_of(config).cases[0]).header
    assert Base(config).known
    assert Base(config).grid_after(header) is None
    patch = {"transforms": str(tmp_path / "patch.py")}
    own = Base(make_config(root, transforms={"base": [*ORIENTED, "Mine"]}, patch=patch))
    assert not own.known
    assert own.loads
    assert not Base(make_config(root, transforms={"base": ["Mine"]}, patch=patch)).loads
    channels = [*ORIENTED, {"RepeatChanneld": {"repeats": 3}}]
    assert not Base(make_config(root, transforms={"base": channels})).known


def test_a_pipeline_that_cannot_be_built_is_taken_for_a_usual_one(tmp_path: Path) -> None:
    base = Base(make_config(make_dataset(tmp_path), transforms={"base": ["LoadImagd"]}))
    assert base.loads
    assert base.known
    assert base.reorients
