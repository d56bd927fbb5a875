"""The way back: from the preprocessed grid to the geometry of the files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

import torch
from monai.data import MetaTensor
from monai.data.utils import to_affine_nd
from monai.transforms import Compose, SpatialResample

from trainlib.build.pipelines import build_pipeline
from trainlib.build.roles import IMAGE
from trainlib.config.schema import Config
from trainlib.data.moving import by_channel, moved
from trainlib.data.prepare import spacing_of


class Geometry:
    """Undoes the base transforms on what a network predicted.

    Args:
        config: The config.

    Attributes:
        by_channel: Whether the way back of one channel does not depend on the others.
    """

    def __init__(self, config: Config) -> None:
        self.pipeline: Compose = build_pipeline(config, "base", with_label=False)
        self.by_channel = by_channel(self.pipeline)

    def only_moves(self, batch: Mapping[str, Any], item: int, *, with_label: bool) -> bool:
        """Tell whether voxels are only moved on the way back, so that `classes_to_image` may be asked.

        Args:
            batch: The batch.
            item: Position in the batch.
            with_label: Whether the values are wanted on the grid of the label file as well.
        """
        values = torch.zeros((1, *batch["image"].shape[2:]), dtype=torch.uint8)
        tensor = self._noted(values, batch, item)
        try:
            restored = moved(self.pipeline, tensor) if tensor.applied_operations else tensor
        except Exception:  # many kinds; `to_image` meets it again, where it is told
            return False
        if restored is None:
            return False
        return not with_label or self.on_grid_of_label(restored.shape[1:], restored.affine, batch, item)

    def classes_to_image(self, values: torch.Tensor, batch: Mapping[str, Any], item: int) -> MetaTensor:
        """Bring class values, shape (1, ...), to the grid of the image file, where that only moves voxels.

        Args:
            values: Class values on the preprocessed grid.
            batch: As in `to_image`.
            item: Position in the batch.
        """
        return self._undone(values, batch, item).to(values.dtype)

    def to_image(self, values: torch.Tensor, batch: Mapping[str, Any], item: int) -> MetaTensor:
        """Bring values from the preprocessed grid to the grid of the image file.

        Args:
            values: Shape (channels, ...) on the preprocessed grid; interpolated linearly where the grids differ.
            batch: The batch they were predicted from, with what the base transforms noted.
            item: Position in the batch.

        Returns:
            Shape (channels, ...) in the voxel order of the image file, with its affine.
        """
        return self._undone(values, batch, item).to(torch.float32)

    def _undone(self, values: torch.Tensor, batch: Mapping[str, Any], item: int) -> MetaTensor:
        tensor = self._noted(values, batch, item)
        restored = self.pipeline.inverse({IMAGE: tensor})[IMAGE] if tensor.applied_operations else tensor
        assert isinstance(restored, MetaTensor)
        return restored

    @staticmethod
    def _noted(values: torch.Tensor, batch: Mapping[str, Any], item: int) -> MetaTensor:
        """Give values what the base transforms noted, in a copy: MONAI writes into it when it undoes them."""
        operations = deepcopy(list(batch["operations"][item]))
        return MetaTensor(values, affine=batch["affine"][item], applied_operations=operations)

    def to_label(self, values: MetaTensor, batch: Mapping[str, Any], item: int) -> torch.Tensor | None:
        """Resample values from the grid of the image file to that of the label file, where the two differ.

        Args:
            values: Shape (channels, ...), from `to_image`.
            batch: The batch, with ``original_label`` and ``original_affine``.
            item: Position in the batch.

        Returns:
            Shape (channels, ...) in the voxel order of the label file; None where both files have one grid.
        """
        if self.on_grid_of_label(values.shape[1:], values.affine, batch, item):
            return None
        shape, affine = self._grid_of_label(values.affine, batch, item)
        resampled = SpatialResample(mode="bilinear", padding_mode="border")(values, affine, shape)
        return torch.as_tensor(resampled)

    def on_grid_of_label(self, shape: Sequence[int], affine: torch.Tensor, batch: Mapping[str, Any], item: int) -> bool:
        """Tell whether a grid is that of the label file.

        Args:
            shape: Its shape, without channels.
            affine: Its affine.
            batch: The batch, as in `to_label`.
            item: Position in the batch.
        """
        other, wanted = self._grid_of_label(affine, batch, item)
        return tuple(shape) == other and torch.allclose(affine.to(wanted), wanted, atol=1e-3)

    @staticmethod
    def _grid_of_label(affine: torch.Tensor, batch: Mapping[str, Any], item: int) -> tuple[torch.Size, torch.Tensor]:
        """Return shape and affine of the label file; a squeezed slice has lost an axis."""
        dims = len(affine) - 1
        return batch["original_label"][item].shape[1:], to_affine_nd(dims, batch["original_affine"][item])

    def spacing(self, batch: Mapping[str, Any], item: int) -> list[float]:
        """Return the voxel size of the label file in mm."""
        dims = batch["original_label"][item].ndim - 1
        spacing: list[float] = spacing_of(batch["original_affine"][item], dims).tolist()
        return spacing
