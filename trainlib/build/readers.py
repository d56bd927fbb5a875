"""Readers of image files where those that MONAI chooses by itself would fail."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from monai.data.image_reader import PILReader, PydicomReader
from monai.data.utils import is_supported_format
from monai.transforms.io.array import SUPPORTED_READERS
from monai.utils import ensure_tuple

_SUFFIXES = ("tif", "tiff")
# Of the decoder for GPUs, which warns wherever pydicom is installed without it; `LoadImaged: {reader: ...}` takes it.
_NOISY = "nvimgcodecpydicomreader"


class TIFFReader(PILReader):
    """Reads TIFF with Pillow; MONAI itself leaves it to ITK, which few have installed."""

    def verify_suffix(self, filename: Any) -> bool:
        """Tell whether a file is a TIFF by its name."""
        supported: bool = is_supported_format(filename, _SUFFIXES)
        return supported


class DICOMReader(PydicomReader):
    """Reads DICOM with pydicom, and leaves all other files to other readers, unlike MONAI's."""

    def verify_suffix(self, filename: Any) -> bool:
        """Tell whether files are DICOM by their content, or folders, for few have a suffix."""
        return all(os.path.isdir(name) or _is_dicom(name) for name in ensure_tuple(filename))


def _is_dicom(name: Any) -> bool:
    from pydicom.misc import is_dicom

    return os.path.isfile(name) and is_dicom(name)


@cache
def register_readers() -> None:
    """Let MONAI's `LoadImage` know the readers of this module; its own others are asked first."""
    others = {name: reader for name, reader in SUPPORTED_READERS.items() if name != _NOISY}
    SUPPORTED_READERS.clear()
    SUPPORTED_READERS.update({"tiffreader": TIFFReader} | others | {"pydicomreader": DICOMReader})
