"""Look at the series of a DICOM folder."""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from trainlib.drawing.pixels import intensity_window
from trainlib.drawing.planes import spacing_to_ras, to_ras
from trainlib.errors import DataError
from trainlib.viewer.scene import Scene
from trainlib.viewer.volume import Array, Volume
from trainlib.viewer.widgets import Entry, show

_LONGEST = 120  # characters of a tag
_LPS_TO_RAS = np.array([-1.0, -1.0, 1.0])


def view_dicom(folder: str | Path) -> Any:
    """Look at the images and tags of a DICOM folder, a series at a time.

    Args:
        folder: A folder; files in folders below it count too.

    Returns:
        A viewer with an entry for each series.

    Raises:
        DataError: pydicom is not installed, there is no such folder, or it holds no DICOM image.
    """
    return show([Entry(_title(slices), partial(_open, slices)) for slices in find_series(folder)])


def find_series(folder: str | Path) -> list[list[Any]]:
    """Read the headers of all DICOM images below a folder.

    Args:
        folder: The folder.

    Returns:
        For each series its headers from the first slice to the last; series in the order of their numbers.

    Raises:
        DataError: pydicom is not installed, there is no such folder, or it holds no DICOM image.
    """
    if find_spec("pydicom") is None:
        raise DataError("the package pydicom is needed to read DICOM. Install it with: pip install 'trainlib[dicom]'")
    import pydicom
    from pydicom.errors import InvalidDicomError

    path = Path(folder).expanduser()
    if not path.is_dir():
        raise DataError(f"there is no folder {path}.")
    series: dict[str, list[Any]] = defaultdict(list)
    for file in sorted(file for file in path.rglob("*") if file.is_file()):
        try:
            header = pydicom.dcmread(file, stop_before_pixels=True)
        except (InvalidDicomError, OSError):
            continue
        if "Rows" in header and "SeriesInstanceUID" in header:  # not a report or an index of files
            series[str(header.SeriesInstanceUID)].append(header)
    if not series:
        raise DataError(f"{path} holds no DICOM image.")
    ordered = [sorted(slices, key=_place) for slices in series.values()]
    return sorted(ordered, key=lambda slices: int(slices[0].get("SeriesNumber") or 0))


def _place(header: Any) -> tuple[float, int]:
    """Tell where a slice lies along the normal of its series, or else its number."""
    number = int(header.get("InstanceNumber") or 0)
    if "ImagePositionPatient" not in header or "ImageOrientationPatient" not in header:
        return 0.0, number
    across, down = np.array(header.ImageOrientationPatient, dtype=float).reshape(2, 3)
    return float(np.cross(across, down) @ np.array(header.ImagePositionPatient, dtype=float)), number


def _title(slices: list[Any]) -> str:
    first = slices[0]
    names = [str(first.get(tag, "")) for tag in ("SeriesNumber", "Modality", "SeriesDescription")]
    many = f"{len(slices)} slice{'s' if len(slices) > 1 else ''}"
    return f"{' '.join(filter(None, names)) or 'series'} ({first.Columns}x{first.Rows}, {many})"


def _open(slices: list[Any]) -> Scene:
    """Read the pixels of a series."""
    values = _pixels(slices)
    volume = _volume(values, slices)
    tags = [(element.name, _written(element)) for element in slices[0] if element.VR != "SQ"]
    first = volume.values[0] if len(volume.values) == 1 else volume.values
    return Scene(volume, caption=_title(slices), window=intensity_window(first), details=tuple(tags))


def _pixels(slices: list[Any]) -> Array:
    """Read the slices of a series, shape (channels, x, y, slices), in the units of its scanner.

    Raises:
        DataError: A file cannot be read, or the slices differ in size.
    """
    import pydicom

    arrays = []
    for header in slices:
        try:
            pixels = pydicom.dcmread(header.filename).pixel_array
        except Exception as error:  # of many kinds, a missing decoder among them
            raise DataError(f"{header.filename} cannot be read ({type(error).__name__}: {error}).") from error
        frames = pixels if int(header.get("NumberOfFrames") or 1) > 1 else pixels[None]
        slope, intercept = float(header.get("RescaleSlope") or 1), float(header.get("RescaleIntercept") or 0)
        if (slope, intercept) != (1.0, 0.0):
            frames = (frames * slope + intercept).astype(np.float32)
        arrays += list(frames)
    if len({array.shape for array in arrays}) > 1:
        raise DataError("the slices of the series differ in size.")
    stacked = np.stack(arrays)  # slices, rows, columns, and colours behind
    stacked = stacked[..., None] if stacked.ndim == 3 else stacked
    return stacked.transpose(3, 2, 1, 0)


def _volume(values: Array, slices: list[Any]) -> Volume:
    """Turn the axes of a series as its headers say; a single slice is a 2-D image."""
    first = slices[0]
    down, across = (float(step) for step in first.get("PixelSpacing") or (1.0, 1.0))
    if values.shape[3] == 1:
        return Volume(values[..., 0], (across, down))
    between = float(first.get("SpacingBetweenSlices") or first.get("SliceThickness") or 1.0)
    if len(slices) > 1 and _place(slices[-1])[0] != _place(slices[0])[0]:
        between = (_place(slices[-1])[0] - _place(slices[0])[0]) / (len(slices) - 1)
    orientation = first.get("ImageOrientationPatient") or (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
    right, below = np.array(orientation, dtype=float).reshape(2, 3)
    affine = np.eye(4)
    for axis, direction in enumerate((right * across, below * down, np.cross(right, below) * between)):
        affine[:3, axis] = direction * _LPS_TO_RAS
    turned = np.stack([to_ras(channel, affine) for channel in values])
    return Volume(turned, tuple(spacing_to_ras([across, down, between], affine)))


def _written(element: Any) -> str:
    text = str(element.value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
