"""As many cases at a time as have room on the disk for what all members make of them."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from trainlib.config.schema import Config
from trainlib.data.formats import NIFTI, PICTURES
from trainlib.data.splits import Case

MOST_BYTES = 16 * 2**30
"""Bytes that the cases of one part may take."""
_MOST_CASES = 1000
_GROWTH = 16  # of a compressed file whose header nobody here can read, in voxels for a byte
_SUM, _MAP = 4, 2  # bytes of a voxel in a sum of probabilities, float32, and in a label map, int16


class Demand:
    """How many bytes on the disk a case takes until all members have predicted it.

    In segmentation these are the sum of the probabilities and the label map of each member. The prepared case comes to
    it, whose size is known once some are there.

    Args:
        config: The config, for task and number of classes.
        members: Number of members.
    """

    def __init__(self, config: Config, members: int) -> None:
        self._predicted = _SUM * config.out_channels + _MAP * members if config.task == "segmentation" else 0
        self._prepared = 0
        self._voxels = 0

    def __call__(self, case: Case) -> float:
        """Estimate the bytes of a case by the header of its first image."""
        prepared = self._prepared / self._voxels if self._voxels else 0.0
        return voxels_in(case.images[0]) * (self._predicted + prepared)

    def learn(self, cases: Sequence[Case], folder: Path) -> None:
        """Learn how large prepared cases are from a folder that holds some."""
        self._prepared += sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        self._voxels += sum(voxels_in(case.images[0]) for case in cases)


def chunks(cases: Sequence[Case], folder: Path, demand: Callable[[Case], float]) -> Iterator[list[Case]]:
    """Divide cases, in their order, so that each part has room on the disk of a folder.

    Args:
        cases: The cases.
        folder: An existing folder on the disk.
        demand: Tells the bytes of a case; it is asked when it is the turn of a part.
    """
    left = list(cases)
    while left:
        room = min(MOST_BYTES, shutil.disk_usage(folder).free // 2)
        count, taken = 0, 0.0
        while count < min(len(left), _MOST_CASES) and (taken := taken + demand(left[count])) <= room:
            count += 1
        count = max(count, 1)
        yield left[:count]
        left = left[count:]


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
