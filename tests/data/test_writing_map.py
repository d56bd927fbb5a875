"""A number for each voxel, in the geometry of the image."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from trainlib.data.writing import write_map
from trainlib.errors import DataError


def test_numbers_lie_over_a_volume_whatever_its_header_scales(tmp_path: Path) -> None:
    affine = np.array([[0, -2.0, 0, 5], [1.5, 0, 0, 6], [0, 0, 3.0, 7], [0, 0, 0, 1]])
    image = nib.Nifti1Image(np.arange(24, dtype=np.int16).reshape(2, 3, 4), affine)
    image.header.set_slope_inter(7, 100)
    image.header.set_xyzt_units("mm")
    nib.save(image, tmp_path / "image.nii.gz")
    values = np.random.default_rng(0).uniform(0, 1, (2, 3, 4))
    write_map(tmp_path / "map.nii.gz", values, tmp_path / "image.nii.gz", np.eye(4))
    written = nib.load(tmp_path / "map.nii.gz")
    assert np.array_equal(np.asarray(written.dataobj), values.astype(np.float32))
    assert written.get_data_dtype() == np.float32
    assert np.array_equal(written.affine, affine)
    assert written.header.get_xyzt_units()[0] == "mm"


def test_numbers_lie_over_a_picture_column_by_row(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((3, 5), np.uint8)).save(tmp_path / "image.png")
    values = np.random.default_rng(0).uniform(0, 1, (5, 3))
    write_map(tmp_path / "map.tif", values, tmp_path / "image.png", np.eye(4))
    with Image.open(tmp_path / "map.tif") as written:
        assert written.size == (5, 3)
        assert np.array_equal(np.asarray(written).T, values.astype(np.float32))


def test_another_shape_than_that_of_the_image_is_refused(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image(np.zeros((2, 3, 4), np.int16), np.eye(4)), tmp_path / "image.nii.gz")
    with pytest.raises(DataError, match=r"image\.nii\.gz: the prediction has shape \(2, 3, 5\)"):
        write_map(tmp_path / "map.nii.gz", np.zeros((2, 3, 5)), tmp_path / "image.nii.gz", np.eye(4))
