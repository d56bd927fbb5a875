"""The series of a DICOM folder: which files belong together, and the volumes that they make."""

from __future__ import annotations

from collections import defaultdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from trainlib.drawing.planes import spacing_to_ras, to_ras
from trainlib.errors import DataError
from trainlib.viewer.volume import Array, Volume

_LPS_TO_RAS = np.array([-1.0, -1.0, 1.0])
_GROUPS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")


def find_series(folder: str | Path) -> list[list[Any]]:
    """Read the headers of all DICOM images below a folder.

    Args:
        folder: The folder.

    Returns:
        For each series its headers from the first slice to the last; series in the order of their numbers. Images of a
        series that differ in size or direction, as the three of a localiser, are told apart.

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
    series: dict[Any, list[Any]] = defaultdict(list)
    for file in sorted(file for file in path.rglob("*") if file.is_file()):
        try:
            header = pydicom.dcmread(file, stop_before_pixels=True)
        except (InvalidDicomError, OSError):
            continue
        if "Rows" in header and "SeriesInstanceUID" in header:  # not a report or an index of files
            directions = tuple(np.round(_directions(header), 2).reshape(-1).tolist())
            series[str(header.SeriesInstanceUID), header.Rows, header.Columns, directions].append(header)
    if not series:
        raise DataError(f"{path} holds no DICOM image.")
    ordered = [sorted(slices, key=_order) for slices in series.values()]
    return sorted(ordered, key=lambda slices: int(slices[0].get("SeriesNumber") or 0))


def read_series(slices: list[Any]) -> Volume:
    """Read the pixels of a series, in the units of its scanner.

    Where slices lie in the same places several times, as in a series over time, the times become channels.

    Args:
        slices: Its headers, as `find_series` gives them.

    Returns:
        The volume; of a single slice an image of two dimensions.

    Raises:
        DataError: A file cannot be read, or its pixels differ from those of the others.
    """
    frames = np.concatenate([_frames(header) for header in slices])  # slices, rows, columns, and colours behind
    first = slices[0]
    down, across = (float(step) for step in _tag(first, "PixelSpacing", "PixelMeasuresSequence") or (1.0, 1.0))
    places = sorted({round(_place(header), 3) for header in slices})
    times = len(slices) // len(places) if len(slices) == len(frames) and len(places) > 1 else 1
    if frames.ndim == 3 and times > 1 and len(frames) == times * len(places):
        values = frames.reshape(len(places), times, *frames.shape[1:]).transpose(1, 3, 2, 0)
    else:
        values = (frames[..., None] if frames.ndim == 3 else frames).transpose(3, 2, 1, 0)
    if values.shape[3] == 1:
        return Volume(values[..., 0], (across, down))
    between = _tag(first, "SpacingBetweenSlices", "PixelMeasuresSequence")
    between = float(between or _tag(first, "SliceThickness", "PixelMeasuresSequence") or 1.0)
    between = float(np.median(np.diff(places))) if len(places) > 1 else between
    right, below = _directions(first)
    affine = np.eye(4)
    for axis, direction in enumerate((right * across, below * down, np.cross(right, below) * between)):
        affine[:3, axis] = direction * _LPS_TO_RAS
    turned = np.stack([to_ras(channel, affine) for channel in values])
    return Volume(turned, tuple(spacing_to_ras([across, down, between], affine)))


def _tag(header: Any, name: str, sequence: str = "") -> Any:
    """Return a value of a header; of an image with many frames that of all of them, or of the first."""
    if header.get(name) is not None:
        return header[name].value
    for group in _GROUPS if sequence else ():
        for item in list(header.get(group) or [])[:1]:
            for part in list(item.get(sequence) or [])[:1]:
                if part.get(name) is not None:
                    return part[name].value
    return None


def _directions(header: Any) -> Array:
    """Return where the rows and the columns of an image run to, shape (2, 3)."""
    found = _tag(header, "ImageOrientationPatient", "PlaneOrientationSequence")
    return np.array(found or (1.0, 0.0, 0.0, 0.0, 1.0, 0.0), dtype=float).reshape(2, 3)


def _place(header: Any) -> float:
    """Tell where a slice lies along the normal of its series, in mm."""
    found = header.get("ImagePositionPatient")
    return 0.0 if not found else float(np.cross(*_directions(header)) @ np.array(found, dtype=float))


def _order(header: Any) -> tuple[float, int]:
    return round(_place(header), 3), int(header.get("InstanceNumber") or 0)


def _frames(header: Any) -> Array:
    """Read the pixels of a file, shape (frames, rows, columns), with colours behind."""
    import pydicom

    try:
        pixels = pydicom.dcmread(header.filename).pixel_array
    except Exception as error:  # of many kinds, a missing decoder among them
        raise DataError(f"{header.filename} cannot be read ({type(error).__name__}: {error}).") from error
    frames: Array = pixels if int(header.get("NumberOfFrames") or 1) > 1 else pixels[None]
    slope = _tag(header, "RescaleSlope", "PixelValueTransformationSequence")
    intercept = _tag(header, "RescaleIntercept", "PixelValueTransformationSequence")
    slope, intercept = float(1 if slope is None else slope), float(intercept or 0)
    if (slope, intercept) != (1.0, 0.0):
        frames = (frames * slope + intercept).astype(np.float32)
    if header.get("PhotometricInterpretation") == "MONOCHROME1":  # high values are dark
        frames = frames.max() - (frames - frames.min())
    return frames
