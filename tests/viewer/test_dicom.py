"""Looking at a DICOM folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import trainlib
from trainlib.errors import DataError
from trainlib.viewer import series

pytest.importorskip("ipywidgets")
pytest.importorskip("pydicom")
VOXELS = np.random.default_rng(0).integers(0, 2000, size=(5, 12, 10)).astype(np.uint16)  # slice, row, column


def write_series(
    folder: Path, *, number: int, name: str, voxels: np.ndarray = VOXELS, times: int = 1, **tags: object
) -> None:
    """Write an axial series, 3 mm between slices, last slice first in the order of names.

    Args:
        folder: Where to.
        number: Of the series.
        name: Of the series and its files.
        voxels: Shape (slices, rows, columns).
        times: Slices that lie in the same place, one after the other.
        tags: Further tags of every slice, or others in place of these.
    """
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
        data.ImagePositionPatient = [0.0, 0.0, 3.0 * (i // times)]
        data.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        data.PixelSpacing, data.SliceThickness = [0.5, 0.7], 3.0  # rows apart, columns apart
        data.RescaleSlope, data.RescaleIntercept = 1, -1024
        data.Rows, data.Columns = pixels.shape
        data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
        data.BitsAllocated = data.BitsStored = 16
        data.HighBit, data.PixelRepresentation = 15, 0
        data.PixelData = pixels.tobytes()
        for tag, value in tags.items():
            setattr(data, tag, value)
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


def test_slices_of_several_times_become_channels(tmp_path: Path) -> None:
    write_series(tmp_path, number=1, name="dynamic", voxels=VOXELS[:4], times=2, RescaleIntercept=0)
    volume = series.read_series(series.find_series(tmp_path)[0])
    assert (volume.values.shape, volume.spacing) == ((2, 10, 12, 2), (0.7, 0.5, 3.0))
    for time in (0, 1):
        np.testing.assert_array_equal(volume.values[time], VOXELS[time:4:2].transpose(2, 1, 0)[::-1, ::-1])


def test_the_directions_of_a_localiser_are_told_apart(tmp_path: Path) -> None:
    from pydicom import dcmread

    write_series(tmp_path, number=1, name="localiser", voxels=VOXELS[:3])
    files = sorted(tmp_path.iterdir())
    for file, direction in zip(files, ([1, 0, 0, 0, 1, 0], [0, 1, 0, 0, 0, -1], [1, 0, 0, 0, 0, -1]), strict=True):
        data = dcmread(file)
        data.ImageOrientationPatient = direction
        data.save_as(file)
    viewer: Any = trainlib.view_dicom(tmp_path)
    assert [entry.title for entry in viewer.entries] == ["1 CT localiser (10x12, 1 slice)"] * 3


def test_an_image_of_many_frames_has_its_spacing_and_units_in_groups(tmp_path: Path) -> None:
    from pydicom import dcmread
    from pydicom.dataset import Dataset

    write_series(tmp_path, number=1, name="enhanced", voxels=VOXELS[:1])
    [file] = tmp_path.iterdir()
    data, group, measures, units = dcmread(file), Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = [0.5, 0.7], 2.0
    units.RescaleSlope, units.RescaleIntercept = 2, -1000
    group.PixelMeasuresSequence, group.PixelValueTransformationSequence = [measures], [units]
    for tag in ("PixelSpacing", "SliceThickness", "RescaleSlope", "RescaleIntercept"):
        delattr(data, tag)
    data.SharedFunctionalGroupsSequence = [group]
    data.NumberOfFrames, data.PixelData = len(VOXELS), VOXELS.tobytes()
    data.save_as(file)
    volume = series.read_series(series.find_series(tmp_path)[0])
    assert volume.spacing == (0.7, 0.5, 2.0)
    np.testing.assert_array_equal(volume.values[0], VOXELS.transpose(2, 1, 0)[::-1, ::-1] * 2.0 - 1000)


def test_where_high_values_are_dark_the_picture_is_turned_round(tmp_path: Path) -> None:
    write_series(
        tmp_path, number=1, name="xray", voxels=VOXELS[:1], PhotometricInterpretation="MONOCHROME1", RescaleIntercept=0
    )
    values = series.read_series(series.find_series(tmp_path)[0]).values[0].T.astype(int)
    np.testing.assert_array_equal(values, int(VOXELS[0].max()) + int(VOXELS[0].min()) - VOXELS[0].astype(int))


def test_a_folder_without_images_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="holds no DICOM image"):
        trainlib.view_dicom(tmp_path)
    with pytest.raises(DataError, match="there is no folder"):
        trainlib.view_dicom(tmp_path / "none")
    monkeypatch.setattr(series, "find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"Install it with: pip install 'trainlib\[dicom\]'"):
        trainlib.view_dicom(tmp_path)
