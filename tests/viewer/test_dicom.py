"""Looking at a DICOM folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import trainlib
from trainlib.errors import DataError
from trainlib.viewer import dicom

pytest.importorskip("ipywidgets")
pytest.importorskip("pydicom")
VOXELS = np.random.default_rng(0).integers(0, 2000, size=(5, 12, 10)).astype(np.uint16)  # slice, row, column


def write_series(folder: Path, *, number: int, name: str, voxels: np.ndarray = VOXELS) -> None:
    """Write an axial series, 3 mm between slices, last slice first in the order of names."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

    folder.mkdir(parents=True, exist_ok=True)
    series = generate_uid()
    for i, pixels in enumerate(voxels):
        data = Dataset()
        data.file_meta = FileMetaDataset()
        data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = CTImageStorage
        data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = generate_uid()
        data.SeriesInstanceUID, data.SeriesNumber, data.SeriesDescription = series, number, name
        data.Modality, data.PatientName, data.InstanceNumber = "CT", "Doe^Jane", i + 1
        data.ImagePositionPatient = [0.0, 0.0, 3.0 * i]
        data.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        data.PixelSpacing, data.SliceThickness = [0.5, 0.7], 3.0  # rows apart, columns apart
        data.RescaleSlope, data.RescaleIntercept = 1, -1024
        data.Rows, data.Columns = pixels.shape
        data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
        data.BitsAllocated = data.BitsStored = 16
        data.HighBit, data.PixelRepresentation = 15, 0
        data.PixelData = pixels.tobytes()
        data.save_as(folder / f"{name}_{len(voxels) - i}.dcm", enforce_file_format=True)


def test_a_series_becomes_a_volume_in_hounsfield_units(tmp_path: Path) -> None:
    write_series(tmp_path, number=2, name="thorax")
    viewer: Any = trainlib.view_dicom(tmp_path)
    volume = viewer.scene.image
    assert volume.spacing == (0.7, 0.5, 3.0)
    # DICOM's axes run to the left and posterior.
    np.testing.assert_array_equal(volume.values[0], VOXELS.transpose(2, 1, 0)[::-1, ::-1].astype(np.float32) - 1024)
    assert ("Patient's Name", "Doe^Jane") in viewer.scene.details
    assert viewer.scene.caption == "2 CT thorax (10x12, 5 slices)"


def test_series_are_told_apart_and_other_files_left_out(tmp_path: Path) -> None:
    write_series(tmp_path / "b", number=7, name="late")
    write_series(tmp_path / "a", number=3, name="early", voxels=VOXELS[:1])
    (tmp_path / "notes.txt").write_text("nothing")
    viewer: Any = trainlib.view_dicom(tmp_path)
    assert [entry.title for entry in viewer.entries] == ["3 CT early (10x12, 1 slice)", "7 CT late (10x12, 5 slices)"]
    assert viewer.scene.image.shape == (10, 12)


def test_a_folder_without_images_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="holds no DICOM image"):
        trainlib.view_dicom(tmp_path)
    with pytest.raises(DataError, match="there is no folder"):
        trainlib.view_dicom(tmp_path / "none")
    monkeypatch.setattr(dicom, "find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"Install it with: pip install 'trainlib\[dicom\]'"):
        trainlib.view_dicom(tmp_path)
