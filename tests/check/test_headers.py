"""Headers: what is told of a file without its voxels is what MONAI makes of it."""

from __future__ import annotations

import gzip
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from monai.transforms import EnsureChannelFirst, LoadImage
from PIL import Image

from tests.check.helpers import save, volume
from trainlib.check.headers import Header, read_header

OBLIQUE = np.array([[0.0, -1.5, 0.0, 4.0], [2.0, 0.0, 0.0, -3.0], [0.0, 0.0, 0.5, 7.0], [0.0, 0.0, 0.0, 1.0]])


@pytest.mark.parametrize("shape", [(6, 5, 4), (6, 5, 4, 2), (6, 5, 1, 3)])
def test_a_volume_has_the_grid_that_monai_reads(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = save(tmp_path / "v.nii.gz", volume(0, shape), OBLIQUE)
    header = read_header(path, 3)
    expected = EnsureChannelFirst()(LoadImage(image_only=True)(str(path)))
    assert header is not None
    assert (header.channels, *header.shape) == tuple(expected.shape)
    np.testing.assert_allclose(header.matrix, expected.affine)
    assert header.spacing == pytest.approx([2.0, 1.5, 0.5])
    assert header.orientation == "ALS"
    assert header.dtype == "float32"


def test_a_single_slice_has_two_axes(tmp_path: Path) -> None:
    header = read_header(save(tmp_path / "s.nii.gz", volume(0, (6, 5, 1)), OBLIQUE), 2)
    assert header is not None
    assert (header.shape, header.spacing) == ((6, 5), pytest.approx((2.0, 1.5)))


@pytest.mark.parametrize(("mode", "channels", "dtype"), [("L", 1, "uint8"), ("RGB", 3, "uint8"), ("I;16", 1, "uint16")])
def test_a_picture_has_its_width_first(tmp_path: Path, mode: str, channels: int, dtype: str) -> None:
    Image.new(mode, (7, 4)).save(tmp_path / "p.png")
    assert read_header(tmp_path / "p.png", 2) == Header((7, 4), channels, None, dtype)


def test_other_formats_have_no_header_that_is_read_alone(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", volume(0))
    assert read_header(tmp_path / "a.npy", 3) is None


@pytest.mark.parametrize("name", ["v.nii", "v.nii.gz"])
def test_a_file_that_is_cut_off_is_found_by_its_end(tmp_path: Path, name: str) -> None:
    path = save(tmp_path / name, volume(0, (40, 40, 40)))
    assert read_header(path, 3) is not None
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises((OSError, EOFError, ValueError)):
        read_header(path, 3)


def test_a_picture_that_is_cut_off_is_found_by_its_end(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "p.png")
    (tmp_path / "p.png").write_bytes((tmp_path / "p.png").read_bytes()[:-200])
    with pytest.raises(OSError, match="truncated"):
        read_header(tmp_path / "p.png", 2)


def test_a_file_of_several_compressed_parts_is_whole(tmp_path: Path) -> None:
    content = save(tmp_path / "v.nii", volume(0)).read_bytes()
    path = tmp_path / "v.nii.gz"
    path.write_bytes(gzip.compress(content[:500]) + gzip.compress(content[500:]))
    assert read_header(path, 3) is not None


@pytest.mark.parametrize("value", [np.nan, 0.0])
def test_an_affine_that_gives_no_place_is_not_usable(value: float) -> None:
    affine = ((value, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0), (0.0, 0.0, 0.0, 1.0))
    header = Header((4, 4, 4), 1, affine, "uint8")
    assert not header.usable
    assert header.orientation == ""


def test_a_slice_needs_no_third_axis() -> None:
    affine = ((1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0))
    assert Header((4, 4), 1, affine, "uint8").usable
    assert not Header((4, 4, 4), 1, affine, "uint8").usable


def test_the_affine_is_that_of_nibabel(tmp_path: Path) -> None:
    path = save(tmp_path / "v.nii.gz", volume(0), OBLIQUE)
    header = read_header(path, 3)
    assert header is not None
    np.testing.assert_array_equal(header.matrix, nib.load(path).affine)
