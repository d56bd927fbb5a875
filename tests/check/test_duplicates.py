"""What is there twice: across splits an error, within one a warning."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.check.helpers import make_dataset, save, surveyed, told, volume
from trainlib.check.duplicates import equal_images, repeated_cases, repeated_files, shared_patients


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_dataset(tmp_path)


def test_a_patient_in_two_splits_is_an_error(root: Path) -> None:
    (root / "train.csv").write_text("image,label,who\ni0.nii.gz,l0.nii.gz,p1\ni1.nii.gz,l1.nii.gz,p1\n")
    (root / "valid.csv").write_text("image,label,who\ni6.nii.gz,l6.nii.gz,p2\ni7.nii.gz,l7.nii.gz,p1\n")
    survey, _ = surveyed(root, group_col="who")
    [found] = shared_patients(survey)
    assert told([found]) == [("error", "valid.csv:3", "i7.nii.gz")]
    assert found.what == "The patient p1 is in train.csv:2 too, of another split."


def test_an_image_in_two_splits_is_an_error_and_in_two_rows_a_warning(root: Path) -> None:
    rows = "image,label\ni0.nii.gz,l0.nii.gz\ni1.nii.gz,l1.nii.gz\n"
    (root / "train.csv").write_text(f"{rows}i0.nii.gz,l2.nii.gz\n")
    (root / "valid.csv").write_text("image,label\ni1.nii.gz,l1.nii.gz\n")
    survey, _ = surveyed(root)
    found = list(repeated_files(survey))
    assert told(found) == [("warning", "train.csv:4", "i0.nii.gz"), ("error", "valid.csv:2", "i1.nii.gz")]
    assert found[0].what == "Is listed in train.csv:2 too."


def test_a_case_that_is_listed_again_is_an_error_and_told_once(root: Path) -> None:
    with (root / "train.csv").open("a") as file:
        file.write("i0.nii.gz,l0.nii.gz\n")
    survey, _ = surveyed(root)
    [found] = repeated_cases(survey)
    assert told([found]) == [("error", "train.csv:8", "i0.nii.gz")]
    assert found.what == "Lists the image and label of train.csv:2 again."
    assert list(repeated_files(survey)) == []


def test_an_image_that_is_its_own_label_is_an_error(root: Path) -> None:
    (root / "train.csv").write_text("image,label\ni0.nii.gz,i0.nii.gz\n")
    survey, _ = surveyed(root)
    assert told(repeated_cases(survey)) == [("error", "train.csv:2", "i0.nii.gz")]


def test_one_label_of_two_images_is_a_warning(root: Path) -> None:
    (root / "train.csv").write_text("image,label\ni0.nii.gz,l0.nii.gz\ni1.nii.gz,l0.nii.gz\n")
    survey, _ = surveyed(root)
    [found] = repeated_files(survey)
    assert told([found]) == [("warning", "train.csv:3", "l0.nii.gz")]
    assert "as the label of another image" in found.what


def test_one_file_in_two_columns_is_told(root: Path) -> None:
    (root / "train.csv").write_text("image,t2,label\ni0.nii.gz,i0.nii.gz,l0.nii.gz\n")
    (root / "valid.csv").write_text("image,t2,label\ni6.nii.gz,i7.nii.gz,l6.nii.gz\n")
    survey, _ = surveyed(root, image_cols=["image", "t2"])
    assert [found.what for found in repeated_files(survey)] == ["Is listed twice in this row."]


def test_equal_images_under_two_names_are_found_by_their_voxels(root: Path) -> None:
    save(root / "i1.nii.gz", volume(0).astype(np.float64))
    save(root / "i7.nii.gz", volume(3))
    survey, _ = surveyed(root)
    found = list(equal_images(survey))
    assert told(found) == [("warning", "train.csv:3", "i1.nii.gz"), ("error", "valid.csv:3", "i7.nii.gz")]
    assert found[1].what == "Is equal, voxel by voxel, to i3.nii.gz in train.csv:5, of another split."


def test_what_is_to_be_predicted_may_be_what_was_trained_on(root: Path) -> None:
    (root / "new.csv").write_text("image\ni0.nii.gz\n")
    survey, _ = surveyed(root, predict_csv="new.csv")
    assert [*repeated_files(survey), *equal_images(survey)] == []


def test_constant_images_are_not_called_equal(root: Path) -> None:
    for i in (0, 6):
        save(root / f"i{i}.nii.gz", np.zeros((12, 10, 9), np.float32))
    survey, _ = surveyed(root)
    assert list(equal_images(survey)) == []
