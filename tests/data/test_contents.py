from __future__ import annotations

import gzip
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from trainlib.data.contents import Content, count_values, read_contents
from trainlib.errors import DataError


def content_of(path: Path) -> Content | DataError:
    [content] = read_contents([path])
    return content


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.float32, np.float64])
def test_the_voxels_of_each_value_are_counted_as_numpy_counts_them(dtype: type) -> None:
    array = np.random.default_rng(0).integers(0, 5, (110, 100, 100)).astype(dtype)  # more than is counted at once
    values, counts = np.unique(array, return_counts=True)
    assert count_values(array) == dict(zip(values.astype(int).tolist(), counts.tolist(), strict=True))


def test_negative_and_far_apart_values_are_counted() -> None:
    assert count_values(np.array([[-1, 3], [3, 2**30]])) == {-1: 1, 3: 2, 2**30: 1}
    assert count_values(np.array([True, False, True])) == {0: 1, 1: 2}


def test_values_that_are_whole_but_for_rounding_count_as_whole() -> None:
    assert count_values(np.array([0.9999, 1.0001, 2.0], dtype=np.float32)) == {1: 2, 2: 1}


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ([0.0, 0.5], "holds 0.5, and label values are whole numbers"),
        ([0.0, np.nan], "holds nan, and label values are whole numbers"),
        ([0.0, np.inf], "holds inf, and label values are whole numbers"),
        ([0.0, 1e30], "holds 1e[+]30, and label values are whole numbers"),
        (list(range(1001)), "holds more than 1000 different values. Is it an image, not a label map"),
    ],
)
def test_values_of_no_label_map_are_refused(values: list[float], sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        count_values(np.array(values))


def test_nifti_files_pictures_and_palettes_are_read(tmp_path: Path) -> None:
    label = np.zeros((5, 4, 3), dtype=np.uint8)
    label[1, 2, 0] = 7
    nib.save(nib.Nifti1Image(label, np.eye(4)), tmp_path / "a.nii.gz")
    nib.save(nib.Nifti1Image(label[..., :1], np.eye(4)), tmp_path / "slice.nii")
    Image.fromarray(label[:, :, 0] * 36).save(tmp_path / "gray.png")
    palette = Image.fromarray(label[:, :, 0])
    palette.putpalette([index for index in range(256) for _ in range(3)][::-1])
    palette.save(tmp_path / "palette.png")
    paths = [tmp_path / name for name in ("a.nii.gz", "slice.nii", "gray.png", "palette.png")]
    assert list(read_contents(paths)) == [
        Content({0: 59, 7: 1}, 3),
        Content({0: 19, 7: 1}, 2),
        Content({0: 19, 252: 1}, 2),
        Content({0: 19, 7: 1}, 2),
    ]


def test_files_that_are_no_label_maps_are_told_and_the_others_are_read(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image(np.ones((5, 4, 3), dtype=np.uint8), np.eye(4)), tmp_path / "a.nii.gz")
    nib.save(nib.Nifti1Image(np.ones((5, 4, 3, 2), dtype=np.uint8), np.eye(4)), tmp_path / "four.nii.gz")
    Image.new("RGB", (4, 4)).save(tmp_path / "colour.png")
    (tmp_path / "cut.nii.gz").write_bytes(gzip.compress(bytes(1000))[:10])
    names = ["colour.png", "cut.nii.gz", "a.nii.gz", "four.nii.gz", "absent.nii.gz"]
    colour, cut, right, four, absent = read_contents([tmp_path / name for name in names])
    assert right == Content({1: 60}, 3)
    assert str(colour) == "is a colour picture (RGB), and a label map has one value for each pixel."
    assert "cannot be read: " in str(cut)
    assert str(four) == "expected a label map of 2 or 3 dimensions, found shape (5, 4, 3, 2)."
    assert "cannot be read: FileNotFoundError" in str(absent)
