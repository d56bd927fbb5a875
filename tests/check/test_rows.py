"""Rows: those beside a wrong one are read too."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.check.helpers import make_config, make_dataset
from trainlib.check import rows
from trainlib.check.rows import read_rows, refused_rows
from trainlib.data.splits import read_split
from trainlib.errors import Problem


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_dataset(tmp_path)


def test_a_right_csv_gives_the_cases_of_a_training(root: Path) -> None:
    config = make_config(root)
    splits, findings = read_rows(config)
    assert findings == []
    for split in ("train", "valid"):
        assert [case.images for case in splits[split]] == [case.images for case in read_split(config, split)]
        assert [case.label for case in splits[split]] == [case.label for case in read_split(config, split)]


def test_an_empty_cell_is_told_with_its_row_and_the_other_rows_are_read(root: Path) -> None:
    (root / "train.csv").write_text("image,label\n,l0.nii.gz\ni1.nii.gz,\nnone.nii.gz,l2.nii.gz\n")
    splits, findings = read_rows(make_config(root))
    assert [(found.where, found.what) for found in findings] == [
        ("train.csv:2", "The column 'image' is empty."),
        ("train.csv:3", "The column 'label' is empty."),
    ]
    assert [(case.row, case.images[0].name, case.label) for case in splits["train"]] == [
        (3, "i1.nii.gz", None),
        (4, "none.nii.gz", root / "l2.nii.gz"),
    ]


@pytest.mark.parametrize(
    ("content", "where", "what", "remedy"),
    [
        ("", "train.csv", "The file is empty.", "Its first line must name the columns."),
        ("image,label\n", "train.csv", "Lists no case.", "Add a row for each case below the header."),
        ("image,mask\na,b\n", "train.csv:1", "There is no column 'label'.", "It has: image, mask."),
        ("image;label\na;b\n", "train.csv:1", "The columns are not separated by commas.", "Save the file with commas."),
    ],
)
def test_a_csv_that_cannot_be_used_is_told_and_the_other_split_is_read(
    root: Path, content: str, where: str, what: str, remedy: str
) -> None:
    (root / "train.csv").write_text(content)
    splits, [found] = read_rows(make_config(root))
    assert (found.where, found.what, found.remedy) == (where, what, remedy)
    assert list(splits) == ["valid"]


def test_what_a_training_refuses_is_never_passed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = [
        Problem("is odd for some reason. Take it out.", "train.csv:3"),
        Problem("is known. Take it out.", "train.csv:4"),
        Problem("... and the same in 7 more rows.", "train.csv"),
    ]
    monkeypatch.setattr(rows, "check_splits", lambda _, splits: refused if splits == ["train"] else [])
    [found] = refused_rows(make_config(root), {"train.csv:4"})
    assert (found.severity, found.where) == ("error", "train.csv:3")
    assert (found.what, found.remedy) == ("Is odd for some reason.", "Take it out.")


def test_an_unknown_class_is_told_with_the_nearest_one(root: Path) -> None:
    (root / "train.csv").write_text("image,label\ni0.nii.gz,benign\ni1.nii.gz,bening\n")
    (root / "valid.csv").write_text("image,label\ni6.nii.gz,malignant\n")
    splits, [found] = read_rows(make_config(root, {"classes": ["benign", "malignant"]}, task="classification"))
    assert (found.where, found.kind) == ("train.csv:3", "unknown class")
    assert "'bening' in the column 'label' is not one of benign, malignant. Did you mean benign?" in found.what
    assert [case.target for case in splits["train"]] == [(0,), None]


def test_cases_to_predict_are_read_where_they_have_a_csv_of_their_own(root: Path) -> None:
    (root / "new.csv").write_text("image\ni0.nii.gz\n")
    splits, findings = read_rows(make_config(root, {"predict_csv": "new.csv", "group_col": None}))
    assert findings == []
    assert [case.label for case in splits["predict"]] == [None]
