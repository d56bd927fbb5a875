"""Look at the series of a DICOM folder."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from trainlib.viewer.scene import Scene
from trainlib.viewer.series import find_series, read_series
from trainlib.viewer.widgets import Entry, show
from trainlib.words import count

_LONGEST = 120  # characters of a tag


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


def _title(slices: list[Any]) -> str:
    first = slices[0]
    names = [str(first.get(tag, "")) for tag in ("SeriesNumber", "Modality", "SeriesDescription")]
    frames = sum(int(header.get("NumberOfFrames") or 1) for header in slices)
    return f"{' '.join(filter(None, names)) or 'series'} ({first.Columns}x{first.Rows}, {count(frames, 'slice')})"


def _open(slices: list[Any]) -> Scene:
    """Read a series, with the tags of its first slice."""
    tags = [(element.name, _written(element)) for element in slices[0] if element.VR != "SQ"]
    return Scene(read_series(slices), caption=_title(slices), details=tuple(tags))


def _written(element: Any) -> str:
    text = str(element.value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
