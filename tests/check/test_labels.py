"""Labels: values that nobody declared, labels without structures, classes that a split never has."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.check.helpers import label_map, make_config, make_dataset, save, survey_of, surveyed, told
from trainlib.check.labels import absent_classes, class_shares, empty_labels, undeclared_values


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_dataset(tmp_path)


def test_an_undeclared_value_is_told_with_its_voxels(root: Path) -> None:
    label = label_map(0)
    label[0, 0, :3] = 7
    save(root / "l0.nii.gz", label)
    [found] = undeclared_values(*surveyed(root))
    assert (found.severity, found.where, found.file) == ("error", "train.csv:2", "l0.nii.gz")
    assert found.what == "Holds 7 (3 voxels); declared are 0, 1, 2."


def test_a_mapped_value_and_rounding_are_right(root: Path) -> None:
    label = label_map(0).astype(np.float32)
    label[0, 0, 0] = 255
    save(root / "l0.nii.gz", label + 1e-5)
    assert list(undeclared_values(*surveyed(root, label_map={255: 1}))) == []


def test_fractions_and_nan_are_told(root: Path) -> None:
    label = label_map(0).astype(np.float32)
    label[0, 0, :2] = 0.5
    label[0, 0, 2] = np.nan
    save(root / "l0.nii.gz", label)
    [found] = undeclared_values(*surveyed(root))
    assert found.what == "Holds 0.5 (2 voxels), NaN or infinity (1 voxel); declared are 0, 1, 2."


def test_an_image_in_place_of_a_label_is_told_in_short(root: Path) -> None:
    save(root / "l0.nii.gz", np.arange(12 * 10 * 9, dtype=np.int16).reshape(12, 10, 9))
    [found] = undeclared_values(*surveyed(root))
    assert found.what.count("voxel") == 5
    assert "and more" in found.what


def test_a_label_of_background_alone_is_told(root: Path) -> None:
    save(root / "l2.nii.gz", np.zeros((12, 10, 9), np.uint8))
    survey, _ = surveyed(root)
    assert told(empty_labels(survey)) == [("warning", "train.csv:4", "l2.nii.gz")]


def test_a_class_that_is_never_shown_is_an_error_and_one_that_is_never_scored_a_warning(root: Path) -> None:
    for i in range(8):
        save(root / f"l{i}.nii.gz", label_map(i, classes=2 if i < 6 else 3) * (1 if i < 6 else 2) % 3)
    save(root / "l6.nii.gz", np.zeros((12, 10, 9), np.uint8))
    save(root / "l7.nii.gz", (label_map(7, classes=2) * 2).astype(np.uint8))
    survey, _ = surveyed(root)
    assert [(found.severity, found.where, found.what) for found in absent_classes(survey)] == [
        ("error", "train.csv", "No label of the split train has the class lesion."),
        ("warning", "valid.csv", "No label of the split valid has the class organ."),
    ]


def test_labels_without_background_miss_nothing(root: Path) -> None:
    for i in range(8):
        save(root / f"l{i}.nii.gz", (label_map(i, classes=2) + 1).astype(np.uint8))
    survey, _ = surveyed(root)
    assert list(absent_classes(survey)) == []


def test_shares_are_those_of_numpy(root: Path) -> None:
    survey, _ = surveyed(root)
    shares = class_shares(survey)["train"]
    labels = np.stack([label_map(i) for i in range(6)])
    expected = {name: int((labels == value).sum()) for value, name in enumerate(["background", "organ", "lesion"])}
    assert shares.voxels == expected
    assert shares.cases == dict.fromkeys(expected, 6)


def test_classes_of_a_classification_are_counted_by_case(root: Path) -> None:
    (root / "train.csv").write_text("image,label\ni0.nii.gz,a\ni1.nii.gz,a\ni2.nii.gz,b\n")
    (root / "valid.csv").write_text("image,label\ni6.nii.gz,a\n")
    survey = survey_of(make_config(root, {"classes": ["a", "b"]}, task="classification"))
    assert class_shares(survey)["train"].cases == {"a": 2, "b": 1}
    [found] = absent_classes(survey)
    assert found.what == "No case of the split valid has the class b."


def test_a_multilabel_task_with_too_few_names_has_no_shares(root: Path) -> None:
    for csv in ("train.csv", "valid.csv"):
        (root / csv).write_text("image,a,b,c\ni0.nii.gz,1,1,0\n")
    data = {"label_cols": ["a", "b", "c"], "classes": ["x", "y"]}
    assert class_shares(survey_of(make_config(root, data, task="classification"))) == {}


def test_findings_of_a_multilabel_task_are_counted_each(root: Path) -> None:
    (root / "train.csv").write_text("image,cyst,tumour\ni0.nii.gz,1,1\ni1.nii.gz,0,1\n")
    (root / "valid.csv").write_text("image,cyst,tumour\ni6.nii.gz,0,0\n")
    data = {"label_cols": ["cyst", "tumour"], "classes": ["cyst", "tumour"]}
    survey = survey_of(make_config(root, data, task="classification"))
    assert class_shares(survey)["train"].cases == {"cyst": 1, "tumour": 2}
    assert [found.severity for found in absent_classes(survey)] == ["warning", "warning"]
