"""As many cases at a time as their probabilities have room for on the disk."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from trainlib.config.schema import Config
from trainlib.data.splits import Case
from trainlib.data.writing import NIFTI, PICTURES

MOST_BYTES = 16 * 2**30
"""Bytes of probabilities that are kept at a time."""
_MOST_CASES = 1000
_GROWTH = 16  # of a compressed file whose header nobody here can read, in voxels for a byte


def chunks(config: Config, cases: Sequence[Case], folder: Path) -> Iterator[list[Case]]:
    """Divide cases, in their order, so that the probabilities of each part have room on the disk of a folder.

    Args:
        config: The config, for the number of classes.
        cases: The cases.
        folder: An existing folder on the disk.
    """
    room = min(MOST_BYTES, shutil.disk_usage(folder).free // 2)
    chunk: list[Case] = []
    taken = 0
    for case in cases:
        needed = voxels_in(case.images[0]) * 4 * config.out_channels
        if chunk and (taken + needed > room or len(chunk) == _MOST_CASES):
            yield chunk
            chunk, taken = [], 0
        chunk.append(case)
        taken += needed
    if chunk:
        yield chunk


def voxels_in(path: Path) -> int:
    """Count the voxels of an image from its header; where that cannot be read, estimate them by the file's size."""
    name = path.name.lower()
    try:
        if name.endswith(NIFTI):
            import nibabel as nib

            return math.prod(nib.load(path).shape[:3])
        if path.suffix.lower() in PICTURES:
            from PIL import Image

            with Image.open(path) as image:
                return math.prod(image.size)
    except Exception:  # many kinds; a file that cannot be read is told of when it is predicted
        return _GROWTH
    return _GROWTH * path.stat().st_size
