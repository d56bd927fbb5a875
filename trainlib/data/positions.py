"""Where the voxels of each class are, counted once and kept, so that no crop needs to search the volume."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from monai.transforms import Compose, FgBgToIndicesd, Lambdad, RandCropByLabelClassesd, RandCropByPosNegLabeld
from monai.transforms.utils import map_binary_to_indices

from trainlib.build.roles import LABEL

_MOST_CLASSES = 16  # whose voxels are counted ahead; of more classes, only those of the background are
_PART = 1024  # voxels that are counted together


def count_voxels(label: torch.Tensor, class_count: int) -> torch.Tensor:
    """Count the voxels of each class in the parts of a label map, in the order of memory, cumulated over the parts.

    Args:
        label: Label map, shape (1, ...).
        class_count: Number of classes.

    Returns:
        Number of voxels of each class up to and including each part, int32, shape (classes, parts); of the background
        alone where there are many classes. It takes a hundredth of the memory of an image.
    """
    return _counted(label, class_count if class_count <= _MOST_CLASSES else 1)


def _counted(label: torch.Tensor, class_count: int) -> torch.Tensor:
    flat = label.flatten()
    whole = len(flat) // _PART * _PART
    counts = []
    for value in range(class_count):
        there = flat == value
        parts = [there[:whole].view(-1, _PART).sum(dim=1), there[whole:].sum(dim=0, keepdim=True)]
        counts.append(torch.cat(parts).cumsum(dim=0).to(torch.int32))
    return torch.stack(counts)


class VoxelIndices:
    """The flat indices of some voxels of a label map in rising order, found when they are asked for.

    MONAI takes it in place of an array of indices, which would be several times as large as the volume.

    Args:
        label: Label map, shape (1, ...).
        ends: Number of voxels with the value up to and including each part, shape (parts,).
        value: The value.
        others: Whether it is the voxels with any other value that are meant.
    """

    def __init__(self, label: torch.Tensor, ends: torch.Tensor, value: int, *, others: bool = False) -> None:
        self._flat = label.flatten()
        self._ends = ends
        self._value = value
        self._others = others

    def __len__(self) -> int:
        return self._up_to(len(self._ends) - 1)

    def __getitem__(self, number: int) -> int:
        number = int(number)
        part = bisect_right(range(len(self._ends)), number, key=self._up_to)
        chosen = (self._flat[part * _PART : (part + 1) * _PART] == self._value) != self._others
        place = chosen.nonzero()[number - (self._up_to(part - 1) if part else 0)]
        return part * _PART + int(place)

    def _up_to(self, part: int) -> int:
        """Count the voxels up to and including a part."""
        count = int(self._ends[part])
        return min((part + 1) * _PART, len(self._flat)) - count if self._others else count


class Positions:
    """A step before a crop around voxels of a class, which tells it where they are.

    It knows those of a label map from the cache, and counts those of one that a step before has changed. MONAI itself
    takes all voxels of a label map of uint8 for background, as `~` does not negate integers.

    Args:
        crop: The transform behind it.
        trusts: Whether no step before it can change a label map without a trace.
    """

    def __init__(self, crop: RandCropByPosNegLabeld | RandCropByLabelClassesd, *, trusts: bool) -> None:
        self._crop = crop
        self._trusts = trusts
        self._known: tuple[tuple[Any, ...], torch.Tensor] | None = None

    def tell(self, prepared: Mapping[str, Any]) -> None:
        """Say what is known of a prepared case."""
        usable = self._trusts and "positions" in prepared
        self._known = (_identity(prepared[LABEL]), prepared["positions"]) if usable else None

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
            if _identity(label) == known and len(ends) >= class_count:
                return ends[:class_count]
        return _counted(label, class_count)


def _identity(label: torch.Tensor) -> tuple[Any, ...]:
    """Return what differs once a label map is another one, seen from another side, or written to."""
    return label.data_ptr(), label.shape, label.stride(), label._version


def insert_positions(augment: Compose) -> list[Positions]:
    """Put `Positions` before each crop of a pipeline that looks for the voxels of a label map.

    Returns:
        The steps that were put in.
    """
    steps: list[Any] = []
    for step in augment.transforms:
        if _looks_for_voxels(step):
            steps.append(Positions(step, trusts=all(map(_leaves_traces, steps))))
        steps.append(step)
    augment.transforms = tuple(steps)
    return [step for step in steps if isinstance(step, Positions)]


def needs_wide_label(augment: Compose) -> bool:
    """Tell whether a pipeline looks for voxels in a way that `Positions` does not reach.

    MONAI itself finds the background of a label map of uint8 nowhere and everywhere, and of one of int16 where it is.
    """
    inner = [step for outer in augment.transforms if isinstance(outer, Compose) for step in _all_steps(outer)]
    return any(isinstance(step, FgBgToIndicesd) for step in [*augment.transforms, *inner]) or any(
        isinstance(step, RandCropByPosNegLabeld) for step in inner
    )


def _all_steps(pipeline: Compose) -> Iterator[Any]:
    for step in pipeline.transforms:
        yield step
        if isinstance(step, Compose):
            yield from _all_steps(step)


def _leaves_traces(step: Any) -> bool:
    """Tell whether a step gives a new tensor where it changes something, or writes to it in a way that torch notes."""
    own = isinstance(step, Positions)
    return own or (type(step).__module__.startswith("monai.") and not isinstance(step, Compose | Lambdad))


def _looks_for_voxels(step: Any) -> bool:
    """Tell whether a step is a crop that is not told of voxels in another way."""
    if isinstance(step, RandCropByPosNegLabeld):
        return step.fg_indices_key is None and step.bg_indices_key is None
    if isinstance(step, RandCropByLabelClassesd):
        inner = step.cropper
        by_label = step.indices_key is None and step.image_key is None and inner.max_samples_per_class is None
        return by_label and inner.num_classes is not None
    return False
