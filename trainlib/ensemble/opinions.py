"""What the members say of a case: a running sum of probabilities and all label maps, in files."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Opinions:
    """What the members say of one case, on the grid of its image file.

    Attributes:
        probabilities: Mean over the members, float32, shape (classes, ...).
        label_maps: Class values that each member decided on, shape (members, ...).
        affine: Affine of the image.
    """

    probabilities: Array
    label_maps: Array
    affine: Array


class Sum:
    """What the members said of a case so far, in files.

    Args:
        folder: Folder of the files.
        members: Number of members.
    """

    def __init__(self, folder: Path, members: int) -> None:
        self.folder = folder
        self.members = members
        self.affine: Array = np.eye(4)

    def add(self, member: int, prediction: dict[str, Any]) -> None:
        """Add what one more member predicted."""
        probabilities, label_map = prediction["probabilities"], prediction["label_map"]
        if member == 0:
            self.folder.mkdir(parents=True)
            self.affine = np.asarray(prediction["affine"])
            np.save(self.folder / "sum.npy", probabilities.astype(np.float32))
            shape = (self.members, *label_map.shape)
            np.lib.format.open_memmap(self.folder / "maps.npy", "w+", label_map.dtype, shape)
        else:
            total = np.load(self.folder / "sum.npy", mmap_mode="r+")
            total += probabilities
        np.load(self.folder / "maps.npy", mmap_mode="r+")[member] = label_map

    def opinions(self) -> Opinions:
        """Return what all members said."""
        mean = np.load(self.folder / "sum.npy")
        mean /= np.float32(self.members)
        return Opinions(mean, np.load(self.folder / "maps.npy", mmap_mode="r"), self.affine)

    def remove(self) -> None:
        """Free the disk."""
        shutil.rmtree(self.folder)
