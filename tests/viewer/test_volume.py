"""From arrays, tensors and files to volumes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from PIL import Image

from trainlib.errors import DataError
from trainlib.viewer.volume import Volume, as_grid

VOXELS = np.arange(6 * 7 * 8, dtype=np.int16).reshape(6, 7, 8)


def as_volume(source: Any, spacing: Sequence[float] | None = None, dims: int | None = None) -> Volume:
    """Read something to look at, as `view` does with an image alone."""
    return as_grid(source, dims).oriented(spacing=spacing)


def test_the_axes_of_a_file_run_to_the_right_anterior_and_superior(tmp_path: Path) -> None:
    affine = np.array([[0, -2.0, 0, 5], [-1.0, 0, 0, 5], [0, 0, 3.0, 5], [0, 0, 0, 1]])  # axes: P, L, S
    nib.save(nib.Nifti1Image(VOXELS, affine), tmp_path / "a.nii.gz")
    volume = as_volume(tmp_path / "a.nii.gz")
    expected = np.asanyarray(nib.as_closest_canonical(nib.load(tmp_path / "a.nii.gz")).dataobj)
    np.testing.assert_array_equal(volume.values, expected[None])
    assert volume.spacing == (2.0, 1.0, 3.0)


def test_a_metatensor_is_turned_like_its_file() -> None:
    affine = torch.diag(torch.tensor([-1.0, 1.0, 2.5, 1.0]))
    volume = as_volume(MetaTensor(torch.as_tensor(VOXELS)[None], affine=affine))
    np.testing.assert_array_equal(volume.values[0], VOXELS[::-1])
    assert volume.spacing == (1.0, 1.0, 2.5)


def test_an_array_is_used_without_a_copy() -> None:
    volume = as_volume(VOXELS, spacing=(1, 2, 3))
    assert np.shares_memory(volume.values, VOXELS)
    assert volume.spacing == (1.0, 2.0, 3.0)


def test_the_rows_of_a_picture_come_first_in_arrays_and_files_alike(tmp_path: Path) -> None:
    pixels = np.arange(10 * 20 * 3, dtype=np.uint8).reshape(10, 20, 3)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    for source in (pixels, tmp_path / "a.png"):
        volume = as_volume(source)
        assert volume.shape == (20, 10)
        np.testing.assert_array_equal(volume.values[2].T, pixels[..., 2])


def test_a_tensor_has_the_axes_that_monai_gives_it() -> None:
    assert as_volume(torch.zeros(1, 20, 10)).values.shape == (1, 20, 10)
    assert as_volume(torch.zeros(2, 20, 10, 6)).values.shape == (2, 20, 10, 6)
    assert as_volume(torch.zeros(20, 10, 6)).values.shape == (1, 20, 10, 6)
    assert as_volume(torch.zeros(3, 20, 10), dims=3).values.shape == (1, 3, 20, 10)
    assert as_volume(torch.zeros(2, 20, 10), dims=2).values.shape == (2, 20, 10)


def test_channels_of_an_array_come_first_or_last() -> None:
    for shape in ((4, 20, 30, 10), (20, 30, 10, 4)):
        volume = as_volume(np.zeros(shape))
        assert volume.values.shape == (4, 20, 30, 10)


def test_a_file_of_few_slices_is_a_volume_and_one_of_a_slice_a_picture(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image(np.zeros((3, 20, 30)), np.eye(4)), tmp_path / "few.nii")
    assert as_volume(tmp_path / "few.nii").values.shape == (1, 3, 20, 30)
    sagittal = np.array([[0, 0, 1, 0], [2.0, 0, 0, 0], [0, 3.0, 0, 0], [0, 0, 0, 1]])
    nib.save(nib.Nifti1Image(np.zeros((20, 30, 1)), sagittal), tmp_path / "slice.nii")
    volume = as_volume(tmp_path / "slice.nii")
    assert (volume.values.shape, volume.spacing) == ((1, 20, 30), (2.0, 3.0))
    nib.save(nib.Nifti1Image(np.zeros((20, 30, 9, 1, 3)), np.eye(4)), tmp_path / "vectors.nii")
    assert as_volume(tmp_path / "vectors.nii").values.shape == (3, 20, 30, 9)


def test_several_files_are_the_channels_of_one_image(tmp_path: Path) -> None:
    for i in range(2):
        nib.save(nib.Nifti1Image(VOXELS + i, np.eye(4)), tmp_path / f"{i}.nii")
    volume = as_volume([tmp_path / "0.nii", tmp_path / "1.nii"])
    np.testing.assert_array_equal(volume.values, np.stack([VOXELS, VOXELS + 1]))


def test_what_is_no_image_is_told(tmp_path: Path) -> None:
    (tmp_path / "broken.nii.gz").write_bytes(b"nothing")
    with pytest.raises(DataError, match="there is no file"):
        as_volume(tmp_path / "none.nii.gz")
    with pytest.raises(DataError, match=r"broken.nii.gz cannot be read as an image"):
        as_volume(tmp_path / "broken.nii.gz")
    with pytest.raises(DataError, match=r"found shape 1x1x8x8x8\. Show batches with view_batch"):
        as_volume(torch.zeros(1, 1, 8, 8, 8))
    with pytest.raises(DataError, match="spacing: expected 3 positive numbers"):
        as_volume(VOXELS, spacing=(1, 1))
    with pytest.raises(DataError, match="dims: expected 2 or 3, found 4"):
        as_volume(VOXELS, dims=4)
    with pytest.raises(DataError, match=r"expected an image of three dimensions, .* found shape 6x7"):
        as_volume(VOXELS[..., 0], dims=3)
    with pytest.raises(DataError, match="expected an image, found ndarray with no values"):
        as_volume(np.zeros((0, 4, 4)))
    with pytest.raises(DataError, match="with values of type"):
        as_volume(np.array(["text"]))
