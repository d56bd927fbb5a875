"""The way back: from the preprocessed grid to the geometry of the files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from monai.data import MetaTensor
from monai.data.utils import to_affine_nd
from monai.transforms import Compose, SpatialResample

from trainlib.build.pipelines import build_pipeline
from trainlib.build.roles import IMAGE
from trainlib.config.schema import Config
from trainlib.data.prepare import spacing_of


class Geometry:
    """Undoes the base transforms on what a network predicted.

    Args:
        config: The config.
    """

    def __init__(self, config: Config) -> None:
        self.pipeline: Compose = build_pipeline(config, "base", with_label=False)

    def to_image(self, values: torch.Tensor, batch: Mapping[str, Any], item: int) -> MetaTensor:
        """Bring values from the preprocessed grid to the grid of the image file.

        Args:
            values: Shape (channels, ...) on the preprocessed grid; interpolated linearly where the grids differ.
            batch: The batch they were predicted from, with what the base transforms noted.
            item: Position in the batch.

        Returns:
            Shape (channels, ...) in the voxel order of the image file, with its affine.
        """
        operations = list(batch["operations"][item])
        tensor = MetaTensor(values, affine=batch["affine"][item], applied_operations=operations)
        restored = self.pipeline.inverse({IMAGE: tensor})[IMAGE] if operations else tensor
        assert isinstance(restored, MetaTensor)
        return restored.to(torch.float32)

    def to_label(self, values: MetaTensor, batch: Mapping[str, Any], item: int) -> torch.Tensor | None:
        """Resample values from the grid of the image file to that of the label file, where the two differ.

        Args:
            values: Shape (channels, ...), from `to_image`.
            batch: The batch, with ``original_label`` and ``original_affine``.
            item: Position in the batch.

        Returns:
            Shape (channels, ...) in the voxel order of the label file; None where both files have one grid.
        """
        shape, affine = batch["original_label"][item].shape[1:], batch["original_affine"][item]
        affine = to_affine_nd(len(values.affine) - 1, affine)  # a squeezed slice has lost an axis
        if values.shape[1:] == shape and torch.allclose(values.affine.to(affine), affine, atol=1e-3):
            return None
        resampled = SpatialResample(mode="bilinear", padding_mode="border")(values, affine, shape)
        return torch.as_tensor(resampled)

    def spacing(self, batch: Mapping[str, Any], item: int) -> list[float]:
        """Return the voxel size of the label file in mm."""
        dims = batch["original_label"][item].ndim - 1
        spacing: list[float] = spacing_of(batch["original_affine"][item], dims).tolist()
        return spacing
