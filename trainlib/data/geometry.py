"""The way back: from the preprocessed space to the geometry of the files, and into files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import torch
from monai.data import MetaTensor
from monai.data.utils import to_affine_nd
from monai.transforms import Compose, SpatialResample

from trainlib.build.pipelines import build_pipeline
from trainlib.build.roles import IMAGE
from trainlib.config.schema import Config
from trainlib.data.prepare import spacing_of
from trainlib.files import atomic_path

NIFTI = (".nii", ".nii.gz")


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
        tensor = MetaTensor(values, affine=batch["affine"][item].cpu(), applied_operations=operations)
        restored = self.pipeline.inverse({IMAGE: tensor})[IMAGE] if operations else tensor
        assert isinstance(restored, MetaTensor)
        return restored.to(torch.float32)

    def to_label(self, values: MetaTensor, batch: Mapping[str, Any], item: int) -> torch.Tensor:
        """Resample values from the grid of the image file to that of the label file, where the two differ.

        Args:
            values: Shape (channels, ...), from `to_image`.
            batch: The batch, with ``original_label`` and ``original_affine``.
            item: Position in the batch.
        """
        shape, affine = batch["original_label"][item].shape[1:], batch["original_affine"][item].cpu()
        affine = to_affine_nd(len(values.affine) - 1, affine)  # a squeezed slice has lost an axis
        if values.shape[1:] == shape and torch.allclose(values.affine.to(affine), affine, atol=1e-3):
            return values.as_tensor()
        resampled = SpatialResample(mode="bilinear", padding_mode="border")(values, affine, shape)
        return torch.as_tensor(resampled)

    def spacing(self, batch: Mapping[str, Any], item: int) -> list[float]:
        """Return the voxel size of the label file in mm."""
        dims = batch["original_label"][item].ndim - 1
        spacing: list[float] = spacing_of(batch["original_affine"][item].cpu(), dims).tolist()
        return spacing


def suffix_of(path: Path) -> str:
    """Return the suffix that the prediction for an image file gets: its own for NIfTI, else ``.nii.gz``."""
    name = path.name.lower()
    return next((suffix for suffix in reversed(NIFTI) if name.endswith(suffix)), ".nii.gz")


def write_label_map(path: Path, label_map: np.ndarray[Any, Any], reference: Path) -> None:
    """Write a label map as NIfTI with the shape, affine and units of the image it was predicted from.

    Args:
        path: File to write.
        label_map: Class values, in the voxel order of `reference`.
        reference: The image file.
    """
    dtype = np.uint8 if label_map.max(initial=0) < 256 else np.int16
    _write_nifti(path, label_map.astype(dtype), reference)


def write_probabilities(path: Path, probabilities: np.ndarray[Any, Any], reference: Path) -> None:
    """Write probabilities, shape (classes, ...), as a float32 NIfTI with the classes on the last axis."""
    _write_nifti(path, np.moveaxis(probabilities, 0, -1).astype(np.float32), reference, probabilities.shape[:1])


def _write_nifti(path: Path, array: np.ndarray[Any, Any], reference: Path, last: tuple[int, ...] = ()) -> None:
    """Write an array whose axes are those of the reference and `last`."""
    image = _header_of(reference)
    if image is None:
        written = nib.Nifti1Image(array, np.eye(4))
    else:
        shape = (*image.shape, *last)
        if array.size == int(np.prod(shape)):  # singleton axes that the pipeline dropped
            array = array.reshape(shape)
        header = image.header.copy()
        header.set_data_dtype(array.dtype)
        header.set_slope_inter(1, 0)
        header["cal_min"], header["cal_max"] = 0, 0
        written = type(image)(array, image.affine, header)
    with atomic_path(path) as temporary:
        nib.save(written, temporary)


def _header_of(reference: Path) -> Any:
    if not reference.name.lower().endswith(NIFTI):
        return None
    return nib.load(reference)
