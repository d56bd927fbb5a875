"""Where the voxels of each class are, counted once and kept, so that no crop needs to search the volume."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from typing import Any

import torch
from monai.transforms import Compose, RandCropByLabelClassesd, RandCropByPosNegLabeld
from monai.transforms.utils import map_binary_to_indices

from trainlib.build.roles import LABEL

_MOST_CLASSES = 16  # whose voxels are counted ahead; of more classes, only those of the background are


def count_voxels(label: torch.Tensor, class_count: int) -> torch.Tensor:
    """Count the voxels of each class in the rows of a label map along its last axis, cumulated over the rows.

    Args:
        label: Label map, shape (1, ...).
        class_count: Number of classes.

    Returns:
        Number of voxels of each class up to and including each row, int32, shape (classes, rows); of the background
        alone where there are many classes.
    """
    return _counted(label, class_count if class_count <= _MOST_CLASSES else 1)


def _counted(label: torch.Tensor, class_count: int) -> torch.Tensor:
    rows = label.reshape(-1, label.shape[-1])
    return torch.stack([(rows == value).sum(dim=1).cumsum(dim=0).to(torch.int32) for value in range(class_count)])


class VoxelIndices:
    """The flat indices of some voxels of a label map in rising order, found when they are asked for.

    MONAI takes it in place of an array of indices, which would be several times as large as the volume.

    Args:
        label: Label map, shape (1, ...).
        ends: Number of voxels with the value up to and including each row, shape (rows,).
        value: The value.
        others: Whether it is the voxels with any other value that are meant.
    """

    def __init__(self, label: torch.Tensor, ends: torch.Tensor, value: int, *, others: bool = False) -> None:
        self._rows = label.reshape(-1, label.shape[-1])
        self._ends = ends
        self._value = value
        self._others = others

    def __len__(self) -> int:
        return self._up_to(len(self._rows) - 1)

    def __getitem__(self, number: int) -> int:
        number = int(number)
        row = bisect_right(range(len(self._rows)), number, key=self._up_to)
        chosen = (self._rows[row] == self._value) != self._others
        place = chosen.nonzero()[number - (self._up_to(row - 1) if row else 0)]
        return row * self._rows.shape[1] + int(place)

    def _up_to(self, row: int) -> int:
        """Count the voxels up to and including a row."""
        count = int(self._ends[row])
        return (row + 1) * self._rows.shape[1] - count if self._others else count


class Positions:
    """A step before a crop around voxels of a class, which tells it where they are.

    It knows those of a label map from the cache, and counts those of one that a step before has changed. MONAI itself
    takes all voxels of a label map of uint8 for background, as `~` does not negate integers.

    Args:
        crop: The transform behind it.
    """

    def __init__(self, crop: RandCropByPosNegLabeld | RandCropByLabelClassesd) -> None:
        self._crop = crop
        self._known: tuple[torch.Tensor, torch.Tensor] | None = None

    def tell(self, prepared: Mapping[str, Any]) -> None:
        """Say what is known of a prepared case."""
        self._known = (prepared[LABEL], prepared["positions"]) if "positions" in prepared else None

    def __call__(self, data: dict[str, Any]) -> dict[str, Any]:
        """Hand the positions to the crop."""
        inner, label = self._crop.cropper, data.get(self._crop.label_key)
        if not isinstance(label, torch.Tensor) or len(label) != 1:  # of which MONAI says what it needs
            inner.indices = inner.fg_indices = inner.bg_indices = None
        elif isinstance(self._crop, RandCropByLabelClassesd):
            ends = self._ends(label, inner.num_classes)
            inner.indices = [VoxelIndices(label, ends[value], value) for value in range(inner.num_classes)]
        elif self._crop.image_key is None:
            [ends] = self._ends(label, 1)
            inner.fg_indices = VoxelIndices(label, ends, 0, others=True)
            inner.bg_indices = VoxelIndices(label, ends, 0)
        else:
            image = data.get(self._crop.image_key)
            inner.fg_indices, inner.bg_indices = map_binary_to_indices(label != 0, image, inner.image_threshold)
        return data

    def _ends(self, label: torch.Tensor, class_count: int) -> torch.Tensor:
        """Return the counts of the first classes: those that are known if the label map is that of the cache."""
        if self._known is not None:
            known, ends = self._known
            if (label.data_ptr(), label.shape) == (known.data_ptr(), known.shape) and len(ends) >= class_count:
                return ends[:class_count]
        return _counted(label, class_count)


def insert_positions(augment: Compose) -> list[Positions]:
    """Put `Positions` before each crop of a pipeline that looks for the voxels of a label map.

    Returns:
        The steps that were put in.
    """
    steps: list[Any] = []
    for step in augment.transforms:
        if _looks_for_voxels(step):
            steps.append(Positions(step))
        steps.append(step)
    augment.transforms = tuple(steps)
    return [step for step in steps if isinstance(step, Positions)]


def _looks_for_voxels(step: Any) -> bool:
    """Tell whether a step is a crop that is not told of voxels in another way."""
    if isinstance(step, RandCropByPosNegLabeld):
        return step.fg_indices_key is None and step.bg_indices_key is None
    if isinstance(step, RandCropByLabelClassesd):
        inner = step.cropper
        by_label = step.indices_key is None and step.image_key is None and inner.max_samples_per_class is None
        return by_label and inner.num_classes is not None
    return False
