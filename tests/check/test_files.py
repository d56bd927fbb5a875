"""Files that cannot be read: each is named with its row, and stops no other."""

from __future__ import annotations

from pathlib import Path

from tests.check.helpers import make_config, make_dataset, survey_of, surveyed, told
from trainlib.check.base import Base
from trainlib.check.files import unreadable_files


def test_missing_and_damaged_files_are_named(tmp_path: Path) -> None:
    root = make_dataset(tmp_path)
    (root / "i0.nii.gz").unlink()
    (root / "l1.nii.gz").write_bytes(b"")
    (root / "i7.nii.gz").write_bytes((root / "i6.nii.gz").read_bytes()[:-700])
    survey, base = surveyed(root)
    found = list(unreadable_files(survey, base))
    assert told(found) == [
        ("error", "train.csv:2", "i0.nii.gz"),
        ("error", "train.csv:3", "l1.nii.gz"),
        ("error", "valid.csv:3", "i7.nii.gz"),
    ]
    assert found[0].what == f"There is no file {root / 'i0.nii.gz'}."
    assert found[1].what == "Cannot be read: it is empty."
    assert "it is cut off or damaged" in found[2].what
    assert survey.label(survey.cases[0]).voxels is not None


def test_a_file_of_another_kind_than_its_name_says_is_told_what_it_is(tmp_path: Path) -> None:
    root = make_dataset(tmp_path)
    (root / "i0.nii.gz").write_bytes(b"%PDF-1.7 and so on")
    [found] = unreadable_files(*surveyed(root))
    assert found.what == "Cannot be read: its content is a PDF document, other than its name says."


def test_a_loader_of_the_user_may_read_more(tmp_path: Path) -> None:
    root = make_dataset(tmp_path)
    (root / "i0.nii.gz").write_bytes(b"a format of one's own")
    (tmp_path / "patch.py").write_text("class Mine:\n    def __call__(self, data):\n        return data\n")
    config = make_config(root, transforms={"base": ["Mine"]}, patch={"transforms": str(tmp_path / "patch.py")})
    assert told(unreadable_files(survey_of(config), Base(config))) == [("warning", "train.csv:2", "i0.nii.gz")]
