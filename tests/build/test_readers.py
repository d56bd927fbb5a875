"""Each file is read by the reader that can, whatever else is installed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from monai.transforms import LoadImage
from PIL import Image

from tests.viewer.test_dicom import VOXELS, write_series
from trainlib.build.readers import register_readers

PIXELS = np.random.default_rng(0).integers(0, 255, (12, 16)).astype(np.uint8)


@pytest.fixture(autouse=True)
def _registered() -> None:
    register_readers()


@pytest.mark.filterwarnings("error")
def test_tiff_is_read_beside_pydicom(tmp_path: Path) -> None:
    pytest.importorskip("pydicom")
    Image.fromarray(PIXELS).save(tmp_path / "a.tif")
    np.testing.assert_array_equal(LoadImage(image_only=True)(tmp_path / "a.tif"), PIXELS.T)


def test_dicom_is_known_by_its_content(tmp_path: Path) -> None:
    pytest.importorskip("pydicom")
    write_series(tmp_path, number=1, name="slice", voxels=VOXELS[:1])
    [file] = tmp_path.iterdir()
    nameless = file.rename(tmp_path / "1.2.840.10008")
    np.testing.assert_array_equal(LoadImage(image_only=True)(nameless).squeeze(), VOXELS[0].T.astype(np.float32) - 1024)


def test_other_files_are_not_taken_for_dicom(tmp_path: Path) -> None:
    (tmp_path / "a.nrrd").write_bytes(bytes(200))
    with pytest.raises(RuntimeError, match="cannot find a suitable reader"):
        LoadImage(image_only=True)(tmp_path / "a.nrrd")
