"""What a file is by its content, and what its header says of space."""

from __future__ import annotations

import gzip
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from tests.data.helpers import SHAPE, save, volume
from tests.hostile.place import save as save_as_it_is
from trainlib.data.grids import check_grid
from trainlib.data.unreadable import reason_by_content, unreadable_file, why_unreadable
from trainlib.errors import DataError


def files(folder: Path) -> dict[str, bytes]:
    nifti = save(folder / "x.nii.gz", volume(0)).read_bytes()
    contents = {"gzip": nifti, "nifti": gzip.decompress(nifti), "text": b"none of these", "dicom": bytes(128) + b"DICM"}
    for kind in ("png", "jpeg", "bmp", "tiff"):
        Image.new("L", (4, 4)).save(folder / f"x.{kind}")
        contents[kind] = (folder / f"x.{kind}").read_bytes()
    return contents


RIGHT = {"gzip": ".nii.gz", "nifti": ".nii", "png": ".png", "jpeg": ".JPG", "bmp": ".bmp", "tiff": ".tif",
         "dicom": ".dcm", "text": ".txt"}  # fmt: skip


@pytest.mark.parametrize(("kind", "suffix"), RIGHT.items())
def test_a_file_with_the_right_name_is_not_doubted(tmp_path: Path, kind: str, suffix: str) -> None:
    path = tmp_path / f"file{suffix}"
    path.write_bytes(files(tmp_path)[kind])
    assert reason_by_content(path) == ""


@pytest.mark.parametrize(
    ("kind", "suffix", "expected"),
    [
        ("gzip", ".nii", "compressed with gzip"),
        ("nifti", ".nii.gz", "NIfTI that is not compressed"),
        ("png", ".nii.gz", "a PNG picture"),
        ("jpeg", ".png", "a JPEG picture"),
        ("bmp", ".png", "a BMP picture"),
        ("tiff", ".jpg", "a TIFF picture"),
        ("dicom", ".nii", "DICOM"),
        ("text", ".nii.gz", "not a gzip file"),
    ],
)
def test_a_file_with_another_name_is_seen_through(tmp_path: Path, kind: str, suffix: str, expected: str) -> None:
    path = tmp_path / f"file{suffix}"
    path.write_bytes(files(tmp_path)[kind])
    assert reason_by_content(path) == f"its content is {expected}, other than its name says"
    told = unreadable_file([path])
    # Of pictures the content counts.
    assert told.startswith(f"file{suffix} cannot be read: its content is {expected}, ") or suffix in (".png", ".jpg")
    assert bool(told) == (suffix not in (".png", ".jpg"))


def test_a_header_whose_voxels_are_missing_names_the_file_that_is(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Pair(volume(0), np.eye(4)), tmp_path / "p.hdr")
    assert reason_by_content(tmp_path / "p.hdr") == ""
    assert "no reader for files .hdr" in unreadable_file([tmp_path / "p.hdr"])
    (tmp_path / "p.img").unlink()
    missing = "p.hdr cannot be read: there is no p.img beside it, which it belongs to. "
    assert unreadable_file([tmp_path / "p.hdr"]).startswith(missing)


def test_the_first_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    good = save(tmp_path / "good.nii.gz", volume(0))
    (tmp_path / "bad.nii.gz").touch()
    told = "bad.nii.gz cannot be read: it is empty. Copy or export it again, or take the row out."
    assert unreadable_file([good, tmp_path / "bad.nii.gz", None]) == told
    assert unreadable_file([good, None]) == ""


def test_what_the_content_does_not_tell_the_error_does(tmp_path: Path) -> None:
    path = save(tmp_path / "a.nii.gz", volume(0))
    assert why_unreadable(path, EOFError("ended early")).startswith(
        "it is cut off or damaged (EOFError: ended early). "
    )
    assert why_unreadable(path, ValueError("odd")) == "ValueError: odd. Copy or export it again, or take the row out."
    assert why_unreadable(tmp_path / "b.nii.gz", ValueError()).startswith("No such file or directory. ")


@pytest.mark.parametrize("affine", [np.eye(4), np.diag([0.5, -2.0, 3.0, 1.0]), np.eye(4)[[1, 2, 0, 3]]])
def test_a_grid_that_lies_somewhere_is_accepted(tmp_path: Path, affine: np.ndarray) -> None:
    check_grid(save(tmp_path / "a.nii.gz", volume(0), affine), 3)


@pytest.mark.parametrize(
    ("row", "column", "value", "expected"),
    [(0, 0, np.nan, "holds nan or infinite numbers"), (1, 3, np.inf, "holds nan or infinite numbers"),
     (2, 2, 0.0, "is not invertible")],
)  # fmt: skip
def test_a_grid_that_lies_nowhere_is_refused(
    tmp_path: Path, row: int, column: int, value: float, expected: str
) -> None:
    affine = np.eye(4)
    affine[row, column] = value
    save_as_it_is(tmp_path / "a.nii.gz", volume(0), affine)
    assert nib.load(tmp_path / "a.nii.gz").affine[row, column] == pytest.approx(value, nan_ok=True)
    with pytest.raises(DataError, match=rf"^the affine of a\.nii\.gz {expected}, so that its voxels have no place"):
        check_grid(tmp_path / "a.nii.gz", 3)


def test_a_slice_needs_two_axes_alone(tmp_path: Path) -> None:
    affine = np.diag([1.0, 1.0, 0.0, 1.0])
    save_as_it_is(tmp_path / "a.nii.gz", volume(0, SHAPE[:2]), affine)
    check_grid(tmp_path / "a.nii.gz", 2)


def test_a_grid_without_voxels_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "a.nii.gz", volume(0, (4, 0, 4)))
    with pytest.raises(DataError, match=r"^a\.nii\.gz has the shape \(4, 0, 4\), and thus no voxels\."):
        check_grid(tmp_path / "a.nii.gz", 3)


def test_of_what_is_no_nifti_or_cannot_be_read_nothing_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.nii.gz").touch()
    check_grid(tmp_path / "a.nii.gz", 3)
    check_grid(tmp_path / "absent.png", 2)
