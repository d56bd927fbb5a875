"""Reading: every format is read, and what cannot be says why."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.check.helpers import save, volume
from trainlib.check.reading import File, read_facts


def read(path: Path, dims: int = 3):
    return read_facts(File(path), dims, voxels=True)


def test_a_volume_and_its_channels_are_read(tmp_path: Path) -> None:
    array = volume(0, (6, 5, 4, 2))
    facts = read(save(tmp_path / "v.nii.gz", array))
    assert facts.header is not None
    assert (facts.header.shape, facts.header.channels) == ((6, 5, 4), 2)
    assert [found.maximum for found in facts.voxels.ranges] == pytest.approx(array.max(axis=(0, 1, 2)))


def test_one_picture_has_one_hash_in_every_format(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 7)).astype(np.uint8)
    for suffix in ("png", "tif", "bmp"):
        Image.fromarray(pixels).save(tmp_path / f"p.{suffix}")
    save(tmp_path / "p.nii.gz", pixels.T[..., None])
    digests = {read(path, 2).voxels.digest for path in tmp_path.glob("p.[ptb]*")}
    assert len(digests) == 1
    assert read(tmp_path / "p.png", 2).header.shape == (7, 9)


def test_other_formats_are_read_as_a_pipeline_does(tmp_path: Path) -> None:
    array = volume(0)
    np.save(tmp_path / "a.npy", array)
    facts = read(tmp_path / "a.npy")
    assert facts.header.shape == array.shape
    assert facts.voxels.ranges[0].maximum == pytest.approx(array.max())
    assert read_facts(File(tmp_path / "a.npy"), 3, voxels=False).error == ""


@pytest.mark.parametrize("voxels", [True, False])
def test_what_cannot_be_read_says_why(tmp_path: Path, voxels: bool) -> None:
    whole = save(tmp_path / "v.nii.gz", volume(0, (30, 30, 30))).read_bytes()
    broken = {
        "empty.nii.gz": (b"", "it is empty"),
        "cut.nii.gz": (whole[:-5000], "it is cut off or damaged"),
        "plain.nii.gz": (b"not an image at all", "Not a gzipped file|is not a gzip"),
        "text.nii": (b"not an image at all", "it is damaged, or no .nii file"),
        "short.nii.gz": (gzip.compress(whole[:100]), "it is damaged, or no .nii.gz file"),
        "text.png": (b"not an image at all", "cannot identify image file 'text.png'"),
    }
    for name, (content, expected) in broken.items():
        (tmp_path / name).write_bytes(content)
        error = read_facts(File(tmp_path / name), 3, voxels=voxels).error
        assert error, name
        assert re.search(expected, error), (name, error)
        assert str(tmp_path) not in error
    assert read_facts(File(tmp_path / "none.png"), 3, voxels=voxels).error == "No such file or directory"
