"""Predicted files have the geometry and the header of the image they were made from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from tests.data.helpers import save
from tests.data.test_geometry import stored
from trainlib.data.writing import probabilities_suffix_of, suffix_of, write_label_map, write_probabilities
from trainlib.errors import DataError


def reference(path: Path, dtype: type = np.int16, kind: Any = nib.Nifti1Image) -> Any:
    """Write an image with everything in its header that a label map must keep, or must not."""
    image = kind(np.arange(5 * 4 * 3).reshape(5, 4, 3).astype(dtype), stored("SRA", (3.0, 0.7, 1.2)))
    tilted = image.affine.copy()
    tilted[:3, 3] += 0.25
    image.set_sform(image.affine, code=4)
    image.set_qform(tilted, code=1)
    image.header.set_xyzt_units("mm", "sec")
    image.header["descrip"] = b"a scan"
    image.header["cal_max"] = 4000
    image.header.set_slope_inter(0.5, -1024)
    nib.save(image, path)
    return nib.load(path)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
def test_label_map_is_written_with_the_header_of_the_image(tmp_path: Path, suffix: str, kind: Any) -> None:
    image = reference(tmp_path / f"i{suffix}", kind=kind)
    label = np.random.default_rng(0).integers(0, 3, image.shape)
    write_label_map(tmp_path / "sub" / f"p{suffix}", label, tmp_path / f"i{suffix}", np.eye(4))
    written = nib.load(tmp_path / "sub" / f"p{suffix}")
    assert type(written) is kind
    np.testing.assert_array_equal(written.affine, image.affine)
    for form in ("sform", "qform"):
        expected, code = getattr(image, f"get_{form}")(coded=True)
        found = getattr(written, f"get_{form}")(coded=True)
        np.testing.assert_allclose(found[0], expected)
        assert found[1] == code
    assert written.header.get_zooms() == image.header.get_zooms()
    assert written.header.get_xyzt_units() == ("mm", "sec")
    assert written.get_data_dtype() == np.uint8
    assert written.header["cal_max"] == 0
    # As stored, and as any reader scales it.
    np.testing.assert_array_equal(written.dataobj.get_unscaled(), label)
    np.testing.assert_array_equal(written.get_fdata(), label)


@pytest.mark.parametrize(("highest", "dtype"), [(0, np.uint8), (255, np.uint8), (256, np.int16)])
def test_label_map_has_the_smallest_integer_type_that_holds_it(tmp_path: Path, highest: int, dtype: type) -> None:
    image = reference(tmp_path / "i.nii.gz", np.float32)
    label = np.zeros(image.shape, dtype=np.int64)
    label[1, 2, 0] = highest
    write_label_map(tmp_path / "p.nii.gz", label, tmp_path / "i.nii.gz", np.eye(4))
    written = nib.load(tmp_path / "p.nii.gz")
    assert written.get_data_dtype() == dtype
    np.testing.assert_array_equal(np.asarray(written.dataobj), label)


def test_probabilities_are_float32_with_the_classes_last(tmp_path: Path) -> None:
    image = reference(tmp_path / "i.nii.gz")
    values = np.random.default_rng(0).random((3, *image.shape))
    write_probabilities(tmp_path / "p.nii.gz", values, tmp_path / "i.nii.gz", np.eye(4))
    written = nib.load(tmp_path / "p.nii.gz")
    assert written.shape == (*image.shape, 3)
    assert written.get_data_dtype() == np.float32
    np.testing.assert_array_equal(written.affine, image.affine)
    assert written.header.get_zooms()[:3] == image.header.get_zooms()
    np.testing.assert_array_equal(written.get_fdata(), np.moveaxis(values, 0, -1).astype(np.float32))


@pytest.mark.parametrize("shape", [(5, 4), (5, 4, 1)])
def test_probabilities_of_a_slice_keep_its_axes(tmp_path: Path, shape: tuple[int, ...]) -> None:
    affine = stored("LPS")
    save(tmp_path / "i.nii.gz", np.zeros(shape, dtype=np.float32), affine)
    values = np.random.default_rng(0).random((3, 5, 4)).astype(np.float32)
    write_probabilities(tmp_path / "p.nii.gz", values, tmp_path / "i.nii.gz", np.eye(4))
    written = nib.load(tmp_path / "p.nii.gz")
    assert written.shape == (*shape, 3)
    np.testing.assert_array_equal(written.get_fdata().reshape(5, 4, 3), np.moveaxis(values, 0, -1))


def test_axes_of_length_one_of_the_image_come_back(tmp_path: Path) -> None:
    save(tmp_path / "i.nii.gz", np.zeros((5, 4, 3, 1), dtype=np.float32))
    label = np.random.default_rng(0).integers(0, 3, (5, 4, 3))
    write_label_map(tmp_path / "p.nii.gz", label, tmp_path / "i.nii.gz", np.eye(4))
    np.testing.assert_array_equal(np.asarray(nib.load(tmp_path / "p.nii.gz").dataobj), label[..., None])


@pytest.mark.parametrize(
    ("name", "suffix", "of_probabilities"),
    [
        ("a.nii.gz", ".nii.gz", ".nii.gz"),
        ("a.b.NII.GZ", ".nii.gz", ".nii.gz"),
        ("a.nii", ".nii", ".nii"),
        ("a.png", ".png", ".tif"),
        ("a.b.PNG", ".png", ".tif"),
        ("a.jpg", ".png", ".tif"),
        ("a.jpeg", ".png", ".tif"),
        ("a.bmp", ".png", ".tif"),
        ("a.tif", ".tif", ".tif"),
        ("a.TIFF", ".tiff", ".tif"),
        ("a.mgz", ".nii.gz", ".nii.gz"),
        ("a", ".nii.gz", ".nii.gz"),
    ],
)
def test_prediction_has_a_suffix_that_suits_its_image(name: str, suffix: str, of_probabilities: str) -> None:
    assert suffix_of(Path(name)) == suffix
    assert probabilities_suffix_of(Path(name)) == of_probabilities


def test_prediction_of_a_stack_of_pictures_is_nifti() -> None:
    assert suffix_of(Path("a.tif"), dims=3) == probabilities_suffix_of(Path("a.tif"), dims=3) == ".nii.gz"
    assert suffix_of(Path("a.nii"), dims=3) == ".nii"


def test_failed_writing_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reference(tmp_path / "i.nii.gz")

    def full(*_: Any) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(nib, "save", full)
    with pytest.raises(OSError, match="No space left"):
        write_label_map(tmp_path / "out" / "p.nii.gz", np.zeros((5, 4, 3)), tmp_path / "i.nii.gz", np.eye(4))
    assert list((tmp_path / "out").iterdir()) == []


def test_label_map_of_another_shape_is_refused_not_reshaped(tmp_path: Path) -> None:
    save(tmp_path / "i.nii.gz", np.zeros((5, 4, 3), dtype=np.float32))
    with pytest.raises(DataError, match=r"i\.nii\.gz: the prediction has shape \(4, 5, 3\) and the image \(5, 4, 3\)"):
        write_label_map(tmp_path / "p.nii.gz", np.zeros((4, 5, 3)), tmp_path / "i.nii.gz", np.eye(4))


def test_image_that_is_no_nifti_gives_its_affine(tmp_path: Path) -> None:
    affine = stored("LPS", (1.07, 1.74, 2.5))
    write_label_map(tmp_path / "p.nii.gz", np.zeros((5, 4, 3)), tmp_path / "i.mgz", affine)
    np.testing.assert_allclose(nib.load(tmp_path / "p.nii.gz").affine, affine, atol=1e-6)
