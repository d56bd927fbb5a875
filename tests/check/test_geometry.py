"""Image and label: which differences break a training, as the training itself sees it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from tests.check.helpers import (
    ORIENTED,
    SPACED,
    change_header,
    label_map,
    make_config,
    make_dataset,
    save,
    survey_of,
    surveyed,
    told,
    volume,
)
from trainlib.check.base import Base
from trainlib.check.geometry import apart_columns, apart_labels, doubtful_labels, impossible_grids
from trainlib.data.prepare import Preparation
from trainlib.data.splits import read_split
from trainlib.errors import DataError

DOUBLE = np.diag([2.0, 2.0, 2.0, 1.0])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_dataset(tmp_path)


def shifted(by: float) -> np.ndarray:
    matrix = np.eye(4)
    matrix[0, 3] = by
    return matrix


def refused(root: Path, base: list[Any], **data: Any) -> bool:
    """Tell whether a training refuses the first case."""
    config = make_config(root, data, transforms={"base": base})
    try:
        Preparation(config, with_label=True)(read_split(config, "train")[0])
    except DataError:
        return True
    return False


@pytest.mark.parametrize("base", [ORIENTED, SPACED], ids=["oriented", "resampled"])
@pytest.mark.parametrize(
    ("affine", "kind", "text"),
    [
        (DOUBLE, "label geometry", "spacing 2 x 2 x 2 and 1 x 1 x 1 mm"),
        (np.diag([1.0, 1.0, 1.002, 1.0]), "label geometry", "spacing 1 x 1 x 1.002 and 1 x 1 x 1 mm"),
        (shifted(5), "label shifted", "origin (5, 0, 0) and (0, 0, 0) mm"),
        (shifted(0.4), "label shifted", "origin (0.4, 0, 0) and (0, 0, 0) mm"),
    ],
    ids=["double", "rounded", "far", "near"],
)
def test_a_difference_is_an_error_where_a_training_refuses_it(
    root: Path, base: list[Any], affine: np.ndarray, kind: str, text: str
) -> None:
    change_header(root / "l0.nii.gz", affine)
    [found] = apart_labels(*surveyed(root, base))
    assert (found.where, found.file, found.kind) == ("train.csv:2", "l0.nii.gz", kind)
    assert found.what == f"Label and image differ in {text}."
    assert found.severity == ("error" if refused(root, base) else "warning")


def test_a_label_of_another_shape_is_told_with_both_shapes(root: Path) -> None:
    save(root / "l0.nii.gz", label_map(0, (12, 10, 8)))
    [found] = apart_labels(*surveyed(root, ORIENTED))
    assert found.what == "Label and image differ in shape 12 x 10 x 8 and 12 x 10 x 9."
    assert found.severity == "error"
    assert refused(root, ORIENTED)


UNTURNED: list[Any] = ["LoadImaged", "EnsureChannelFirstd", {"Spacingd": {"pixdim": [1.0, 1.0, 1.0]}}]
MATCHED: list[Any] = [*ORIENTED, {"ResampleToMatchd": {"key_dst": "image", "mode": ["bilinear", "nearest"]}}]
CROPPED: list[Any] = [*UNTURNED, {"CropForegroundd": {"source_key": "image"}}]
PIPELINES = {
    "plain": ORIENTED[:2],
    "oriented": ORIENTED,
    "resampled": SPACED,
    "resampled, not turned": UNTURNED,
    "resized": [*ORIENTED[:2], {"Resized": {"spatial_size": [8, 8, 8], "mode": ["trilinear", "nearest"]}}],
    "matched": MATCHED,
    "cropped": CROPPED,
    "cropped, then resized": [*CROPPED, {"Resized": {"spatial_size": [8, 8, 8], "mode": ["trilinear", "nearest"]}}],
}
# Shape and affine of the label of a case whose image has the shape 12 x 10 x 9 and the affine 1.
GRIDS: dict[str, tuple[tuple[int, ...], np.ndarray]] = {
    "shifted": ((12, 10, 9), shifted(0.9)),
    "flipped": ((12, 10, 9), np.diag([-1.0, 1.0, 1.0, 1.0]) + 11 * np.outer([1, 0, 0, 0], [0, 0, 0, 1])),
    "coarser": ((6, 5, 3), np.diag([2.0, 2.0, 3.0, 1.0])),
    "half as fine": ((6, 5, 5), np.diag([2.0, 2.0, 2.0, 1.0]) + 0.5 * np.outer([1, 1, 1, 0], [0, 0, 0, 1])),
    "larger": ((12, 10, 14), np.eye(4)),
}


@pytest.mark.parametrize("pipeline", PIPELINES)
@pytest.mark.parametrize("grid", GRIDS)
def test_a_label_on_another_grid_is_an_error_where_a_training_refuses_it(root: Path, pipeline: str, grid: str) -> None:
    shape, affine = GRIDS[grid]
    save(root / "l0.nii.gz", label_map(0, shape), affine)
    found = list(apart_labels(*surveyed(root, PIPELINES[pipeline])))
    assert [f.severity == "error" for f in found if f.where == "train.csv:2"] == (
        [refused(root, PIPELINES[pipeline])] if found else []
    )
    assert bool(found) >= refused(root, PIPELINES[pipeline])


def test_a_label_that_is_brought_to_the_grid_of_its_image_is_a_warning(root: Path) -> None:
    shape, affine = GRIDS["coarser"]
    save(root / "l0.nii.gz", label_map(0, shape), affine)
    [found] = apart_labels(*surveyed(root, MATCHED))
    assert found.severity == "warning"
    assert found.remedy == "transforms.base brings both to one grid; look whether that is meant."
    assert not refused(root, MATCHED)


def test_a_shift_within_a_thick_slice_is_an_error(root: Path) -> None:
    thick = np.diag([0.7, 0.7, 5.0, 1.0])
    for i in range(8):
        for name in ("i", "l"):
            change_header(root / f"{name}{i}.nii.gz", thick)
    base = [*ORIENTED[:2], {"Spacingd": {"pixdim": [1.0, 1.0, 5.0]}}]
    assert list(apart_labels(*surveyed(root, base))) == []
    change_header(root / "l0.nii.gz", shifted(4) @ thick)
    assert [found.severity for found in apart_labels(*surveyed(root, base))] == ["error"]
    assert refused(root, base)


def test_a_shift_that_is_small_beside_the_voxels_of_the_prepared_case_is_a_warning(root: Path) -> None:
    coarse = [*ORIENTED, {"Spacingd": {"pixdim": [2.0, 2.0, 2.0]}}]
    change_header(root / "l0.nii.gz", shifted(0.8))
    assert not refused(root, coarse)
    assert [found.severity for found in apart_labels(*surveyed(root, coarse))] == ["warning"]
    assert refused(root, ORIENTED)
    assert [found.severity for found in apart_labels(*surveyed(root, ORIENTED))] == ["error"]


def test_a_label_stored_in_another_orientation_is_no_mistake_where_both_are_turned(root: Path) -> None:
    flipped = np.diag([-1.0, 1.0, 1.0, 1.0])
    flipped[0, 3] = 11
    change_header(root / "l0.nii.gz", flipped)
    assert list(apart_labels(*surveyed(root, ORIENTED))) == []
    [found] = apart_labels(*surveyed(root))
    assert found.severity == "error"
    assert "orientation LAS and RAS" in found.what


def test_a_test_label_may_lie_on_a_grid_of_its_own_inside_the_image(root: Path) -> None:
    (root / "test.csv").write_text("image,label\ni6.nii.gz,l6.nii.gz\ni7.nii.gz,l7.nii.gz\n")
    (root / "valid.csv").write_text("image,label\ni5.nii.gz,l5.nii.gz\n")
    save(root / "l6.nii.gz", label_map(0, (6, 5, 4)), shifted(2))
    change_header(root / "l7.nii.gz", DOUBLE)
    assert told(apart_labels(*surveyed(root, ORIENTED))) == [
        ("warning", "test.csv:2", "l6.nii.gz"),
        ("error", "test.csv:3", "l7.nii.gz"),
    ]


def test_an_own_transform_may_put_a_label_right(root: Path, tmp_path: Path) -> None:
    (tmp_path / "patch.py").write_text("class Mine:\n    def __call__(self, data):\n        return data\n")
    change_header(root / "l0.nii.gz", DOUBLE)
    patch = {"transforms": str(tmp_path / "patch.py")}
    config = make_config(root, transforms={"base": [*ORIENTED, "Mine"]}, patch=patch)
    survey, base = survey_of(config), Base(config)
    [found] = apart_labels(survey, base)
    assert found.severity == "warning"
    assert [case.row for case in doubtful_labels(survey, base)] == [2]
    assert list(doubtful_labels(*surveyed(root, ORIENTED))) == []


@pytest.mark.parametrize("value", [np.nan, 0.0])
def test_an_affine_without_a_place_is_told_and_not_compared(root: Path, value: float) -> None:
    image = nib.Nifti1Image(volume(0), np.eye(4))
    image.header["srow_x"] = [value, 0, 0, 0]
    image.header["sform_code"] = 1
    image._affine = None
    nib.Nifti1Image(volume(0), None, image.header).to_filename(root / "i0.nii.gz")
    survey, base = surveyed(root)
    [found] = impossible_grids(survey, base)
    assert (found.severity, found.where, found.kind) == ("error", "train.csv:2", "affine")
    assert ("holds nan or infinite numbers" if np.isnan(value) else "is not invertible") in found.what
    assert list(apart_labels(survey, base)) == []


def test_images_without_voxels_or_of_other_dimensions_are_told(root: Path) -> None:
    save(root / "i0.nii.gz", np.zeros((4, 0, 4), np.float32))
    save(root / "i1.nii.gz", volume(1, (12, 10)))
    found = list(impossible_grids(*surveyed(root)))
    assert [finding.what for finding in found] == [
        "Has the shape 4 x 0 x 4, and thus no voxels.",
        "Has 2 dimensions (12 x 10), expected 3.",
    ]


def test_columns_that_do_not_lie_on_one_grid_are_told(root: Path) -> None:
    (root / "train.csv").write_text("image,t2,label\ni0.nii.gz,i1.nii.gz,l0.nii.gz\ni2.nii.gz,i3.nii.gz,l2.nii.gz\n")
    (root / "valid.csv").write_text("image,t2,label\ni6.nii.gz,i7.nii.gz,l6.nii.gz\n")
    save(root / "i1.nii.gz", volume(1, (12, 10, 8)))
    change_header(root / "i3.nii.gz", DOUBLE)
    survey, _ = surveyed(root, image_cols=["image", "t2"])
    assert [(finding.where, finding.what) for finding in apart_columns(survey)] == [
        ("train.csv:2", "The images of the columns 't2' and 'image' differ in shape 12 x 10 x 8 and 12 x 10 x 9."),
        ("train.csv:3", "The images of the columns 't2' and 'image' differ in affine."),
    ]


def test_a_mask_of_another_size_is_told(tmp_path: Path) -> None:
    Image.new("L", (8, 6)).save(tmp_path / "i.png")
    Image.new("L", (4, 3)).save(tmp_path / "l.png")
    for csv in ("train.csv", "valid.csv"):
        (tmp_path / csv).write_text("image,label\ni.png,l.png\n")
    found = list(apart_labels(*surveyed(tmp_path, spatial_dims=2)))
    assert told(found) == [("error", "train.csv:2", "l.png"), ("error", "valid.csv:2", "l.png")]
    assert found[0].what == "Label and image differ in shape 4 x 3 and 8 x 6."


def test_masks_of_another_size_that_are_resized_lie_apart_for_a_training_too(tmp_path: Path) -> None:
    Image.fromarray(np.arange(48, dtype=np.uint8).reshape(6, 8)).save(tmp_path / "i.png")
    Image.new("L", (4, 3)).save(tmp_path / "l.png")
    for csv in ("train.csv", "valid.csv"):
        (tmp_path / csv).write_text("image,label\ni.png,l.png\n")
    base = [*ORIENTED[:2], {"Resized": {"spatial_size": [8, 8], "mode": ["bilinear", "nearest"]}}]
    found = [finding.severity for finding in apart_labels(*surveyed(tmp_path, base, spatial_dims=2))]
    assert found == ["error" if refused(tmp_path, base, spatial_dims=2) else "warning"] * 2
