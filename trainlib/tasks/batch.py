"""What a task is handed: batches, and the way back to the files they come from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import torch

Batch = Mapping[str, Any]
"""Tensors with a batch axis, and lists with an entry for each item, such as `case` and `where`."""


class Geometry(Protocol):
    """The way from the preprocessed grid back to the files, for values of shape (channels, ...).

    Attributes:
        by_channel: Whether the way back of one channel does not depend on the others.
    """

    by_channel: bool

    def only_moves(self, batch: Batch, item: int, *, with_label: bool) -> bool:
        """Tell whether no value is interpolated on the way back."""

    def classes_to_image(self, values: torch.Tensor, batch: Batch, item: int) -> Any:
        """Bring class values to the grid of the image file, where no value is interpolated."""

    def to_image(self, values: torch.Tensor, batch: Batch, item: int) -> Any:
        """Bring values to the grid of the image file."""

    def to_label(self, values: Any, batch: Batch, item: int) -> torch.Tensor | None:
        """Bring values from the grid of the image file to that of the label file; None where the two are one."""

    def spacing(self, batch: Batch, item: int) -> list[float]:
        """Return the voxel size of the label file in mm."""
