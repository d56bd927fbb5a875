"""The channels told from a header are those that the pipeline makes of the file."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from monai.transforms import Compose, EnsureChannelFirstd, LoadImaged
from PIL import Image

from trainlib.data.channels import count_channels
from trainlib.errors import DataError

PICTURES = [
    ("1", "png", 1),
    ("L", "png", 1),
    ("L", "JPG", 1),
    ("L", "bmp", 1),
    ("L", "tif", 1),
    ("P", "png", 1),
    ("P", "bmp", 1),
    ("I;16", "png", 1),
    ("I;16", "tiff", 1),
    ("I", "tif", 1),
    ("F", "tif", 1),
    ("LA", "png", 2),
    ("RGB", "png", 3),
    ("RGB", "jpeg", 3),
    ("RGB", "bmp", 3),
    ("RGB", "TIF", 3),
    ("RGBA", "png", 4),
    ("RGBA", "tif", 4),
    ("CMYK", "jpg", 4),
]
VOLUMES = [
    ((6, 5), 2, 1),
    ((6, 5, 1), 2, 1),
    ((6, 5, 1, 3), 2, 3),
    ((6, 5, 1, 1), 2, 1),
    ((6, 5, 4), 3, 1),
    ((6, 5, 1), 3, 1),
    ((6, 5, 4, 2), 3, 2),
    ((6, 5, 4, 1), 3, 1),
]


def loaded(*paths: Path) -> np.ndarray:
    """Load as a pipeline does; TIFF needs its reader named."""
    reader = "PILReader" if paths[0].suffix.lower().startswith(".tif") else None
    files = [str(path) for path in paths]
    pipeline = Compose([LoadImaged(keys="image", reader=reader), EnsureChannelFirstd(keys="image")])
    return np.asarray(pipeline({"image": files if len(files) > 1 else files[0]})["image"])


def picture(path: Path, mode: str) -> Path:
    values = np.random.default_rng(0).integers(0, 255, (7, 5, 3)).astype(np.uint8)
    Image.fromarray(values).convert({"I;16": "I"}.get(mode, mode)).convert(mode).save(path)
    with Image.open(path) as image:
        assert image.mode == mode
    return path


def nifti(path: Path, shape: tuple[int, ...]) -> Path:
    nib.save(nib.Nifti1Image(np.zeros(shape, dtype=np.int16), np.eye(4)), path)
    return path


@pytest.mark.parametrize(("mode", "suffix", "channels"), PICTURES)
def test_picture_has_the_channels_that_the_pipeline_gives(
    tmp_path: Path, mode: str, suffix: str, channels: int
) -> None:
    path = picture(tmp_path / f"i.{suffix}", mode)
    assert count_channels(path, 2) == channels
    assert loaded(path).shape == (channels, 5, 7)


@pytest.mark.parametrize(("shape", "dims", "channels"), VOLUMES)
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_nifti_has_the_channels_that_the_pipeline_gives(
    tmp_path: Path, shape: tuple[int, ...], dims: int, channels: int, suffix: str
) -> None:
    path = nifti(tmp_path / f"i{suffix}", shape)
    assert count_channels(path, dims) == channels
    assert loaded(path).shape == (channels, *shape[:3])


@pytest.mark.parametrize("kind", ["gray", "rgb", "nifti", "channels"])
def test_channels_of_several_columns_add_up(tmp_path: Path, kind: str) -> None:
    if kind in ("gray", "rgb"):
        paths = [picture(tmp_path / f"{i}.png", {"gray": "L", "rgb": "RGB"}[kind]) for i in range(3)]
        dims = 2
    else:
        paths = [nifti(tmp_path / f"{i}.nii.gz", (6, 5, 4, *((2,) if kind == "channels" else ()))) for i in range(3)]
        dims = 3
    assert loaded(*paths).shape[0] == sum(count_channels(path, dims) or 0 for path in paths)


def test_of_a_tiff_with_several_pages_the_first_counts(tmp_path: Path) -> None:
    page = Image.fromarray(np.zeros((7, 5), dtype=np.uint8))
    page.save(tmp_path / "i.tif", save_all=True, append_images=[page, page])
    assert count_channels(tmp_path / "i.tif", 2) == 1
    assert loaded(tmp_path / "i.tif").shape == (1, 5, 7)


@pytest.mark.parametrize(
    ("shape", "dims"), [((6, 5, 3), 2), ((6, 5, 4, 2), 2), ((6, 5), 3), ((6, 5, 4, 1, 2), 3), ((6, 5, 1, 1, 2), 2)]
)
def test_nothing_is_said_of_a_file_with_other_axes_than_the_images(
    tmp_path: Path, shape: tuple[int, ...], dims: int
) -> None:
    assert count_channels(nifti(tmp_path / "i.nii.gz", shape), dims) is None


def test_nothing_is_said_of_a_picture_among_volumes_and_of_other_formats(tmp_path: Path) -> None:
    assert count_channels(picture(tmp_path / "i.png", "RGB"), 3) is None
    np.save(tmp_path / "i.npy", np.zeros((3, 4, 5)))
    assert count_channels(tmp_path / "i.npy", 2) is None


def test_no_voxel_is_read(tmp_path: Path) -> None:
    content = gzip.decompress(nifti(tmp_path / "i.nii.gz", (60, 50, 40, 2)).read_bytes())
    (tmp_path / "header.nii").write_bytes(content[:352])
    assert count_channels(tmp_path / "header.nii", 3) == 2
    values = np.random.default_rng(0).integers(0, 255, (200, 200, 3)).astype(np.uint8)
    Image.fromarray(values).save(tmp_path / "i.png")
    (tmp_path / "header.png").write_bytes((tmp_path / "i.png").read_bytes()[:100])
    assert count_channels(tmp_path / "header.png", 2) == 3


@pytest.mark.parametrize("name", ["i.nii.gz", "i.nii", "i.png", "i.TIF"])
@pytest.mark.parametrize("content", [b"", b"no image", None])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=rf"^{name.replace('.', '[.]')} cannot be read: \w+: .+\.$"):
        count_channels(tmp_path / name, 2)


def test_importing_it_imports_neither_torch_nor_monai() -> None:
    code = "import sys, trainlib.data.channels as c; assert not {'torch', 'monai', 'pandas'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
