"""Decide on the class of each voxel in the geometry of the files, with as little in memory as that takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from monai.data import MetaTensor

from trainlib.tasks.batch import Geometry

# As many classes as take no more memory than MONAI's grid of positions, which is made anew for each call.
_AT_ONCE = 3


def class_type(classes: int) -> torch.dtype:
    """Return the smallest type that holds class values."""
    return torch.uint8 if classes <= 256 else torch.int16


@dataclass(frozen=True)
class Decided:
    """A case in the geometry of its files.

    Attributes:
        classes: Class values on the grid of the image file, shape (1, ...).
        on_label: Class values on the grid of the label file, shape (1, ...), where that is another and was asked for.
        affine: Affine of the image file.
        probabilities: Shape (classes, ...) on the grid of the image file, where they were asked for.
    """

    classes: torch.Tensor
    on_label: torch.Tensor | None
    affine: torch.Tensor
    probabilities: torch.Tensor | None = None


def decide(
    values: torch.Tensor, geometry: Geometry, batch: Mapping[str, Any], item: int, *, with_label: bool, kept: bool
) -> Decided:
    """Bring a case back to the geometry of its files, and decide on its classes there unless that is done.

    Args:
        values: On the preprocessed grid: class values, shape (1, ...), or probabilities, shape (classes, ...).
        geometry: The way back.
        batch: The batch.
        item: Position of the case in it.
        with_label: Whether the classes are wanted on the grid of the label file as well.
        kept: Whether the probabilities are wanted.
    """
    if not values.is_floating_point():
        moved = geometry.classes_to_image(values, batch, item)
        return Decided(moved, None, moved.affine)
    if not kept and geometry.by_channel:
        return _class_by_class(values, geometry, batch, item, with_label=with_label)
    restored = geometry.to_image(values, batch, item)
    on_label = geometry.to_label(restored, batch, item) if with_label else None
    classes_on_label = None if on_label is None else highest(on_label)
    return Decided(highest(restored), classes_on_label, restored.affine, restored if kept else None)


def _class_by_class(
    probabilities: torch.Tensor, geometry: Geometry, batch: Mapping[str, Any], item: int, *, with_label: bool
) -> Decided:
    """Interpolate some classes after the others, and keep the highest value so far alone."""
    best, best_on_label = Highest(len(probabilities)), Highest(len(probabilities))
    for part in probabilities.split(_AT_ONCE):
        restored = geometry.to_image(part, batch, item)
        on_label = geometry.to_label(restored, batch, item) if with_label else None
        best.add(restored)
        if on_label is not None:
            best_on_label.add(on_label)
    assert best.classes is not None
    return Decided(best.classes, best_on_label.classes, restored.affine)


def highest(values: torch.Tensor) -> torch.Tensor:
    """Return the class of the highest value, the first of several, shape (1, ...), for shape (classes, ...)."""
    indices: torch.Tensor = torch.as_tensor(values).max(dim=0, keepdim=True)[1]  # five times as fast as `argmax`
    return indices.to(class_type(len(values)))


class Highest:
    """Which class has the highest value so far; of several the first, and as in `argmax` nan is above all.

    Args:
        count: Number of classes.

    Attributes:
        classes: Class values, shape (1, ...), with the metadata of the values; None before there are any.
    """

    def __init__(self, count: int) -> None:
        self.classes: torch.Tensor | None = None
        self._type = class_type(count)
        self._best = torch.empty(0)
        self._next = 0

    def add(self, values: torch.Tensor) -> None:
        """Add the values of the next classes, shape (classes, ...)."""
        plain = values.as_tensor() if isinstance(values, MetaTensor) else values
        for channel in plain.split(1):
            self._add(channel, values)

    def _add(self, channel: torch.Tensor, values: torch.Tensor) -> None:
        if self.classes is None:
            self._best = channel.clone()
            self.classes = torch.zeros_like(values[:1], dtype=self._type)
        else:
            higher = (channel <= self._best).logical_not_()
            higher &= self._best == self._best  # false for nan
            self.classes.masked_fill_(higher, self._next)
            torch.maximum(self._best, channel, out=self._best)
        self._next += 1
