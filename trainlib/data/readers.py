"""Readers of image files beyond those that MONAI chooses by itself."""

from __future__ import annotations

from functools import cache
from typing import Any

from monai.data.image_reader import PILReader
from monai.data.utils import is_supported_format
from monai.transforms.io.array import SUPPORTED_READERS

_SUFFIXES = ("tif", "tiff")


class TIFFReader(PILReader):
    """Reads TIFF with Pillow; MONAI itself leaves it to ITK, which few have installed."""

    def verify_suffix(self, filename: Any) -> bool:
        """Tell whether a file is a TIFF by its name."""
        supported: bool = is_supported_format(filename, _SUFFIXES)
        return supported


@cache
def register_readers() -> None:
    """Let MONAI's `LoadImage` know the readers of this module; those it knows already are asked first."""
    others = dict(SUPPORTED_READERS)
    SUPPORTED_READERS.clear()
    SUPPORTED_READERS.update({"tiffreader": TIFFReader} | others)
