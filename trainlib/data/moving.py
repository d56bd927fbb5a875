"""Tell whether the way back to a file only moves voxels: then classes can go it in place of probabilities."""

from __future__ import annotations

import torch
from monai.data import MetaTensor
from monai.data.utils import to_affine_nd
from monai.transforms import Compose, InvertibleTransform

from trainlib.build.roles import IMAGE

# Transforms of these modules treat every channel alike.
_MODULES = frozenset({"monai.transforms.spatial.dictionary", "monai.transforms.croppad.dictionary"})
# What is undone by flipping, exchanging axes, cropping, or padding with 0, which is the first class as well.
_MOVING = frozenset(
    {
        "BorderPadd",
        "CenterScaleCropd",
        "CenterSpatialCropd",
        "CropForegroundd",
        "DivisiblePadd",
        "Flipd",
        "Orientationd",
        "ResizeWithPadOrCropd",
        "Rotate90d",
        "SpatialCropd",
        "SpatialPadd",
    }
)
_RESAMPLING = frozenset({"Spacingd", "SpatialResampled"})
_TOLERANCE = 1e-4  # mm; MONAI resamples from ten times as much on


def by_channel(pipeline: Compose) -> bool:
    """Tell whether undoing a pipeline for each channel alone is the same as for all at once."""
    return all(type(transform).__module__ in _MODULES for transform in _undone(pipeline))


def moved(pipeline: Compose, probe: MetaTensor) -> MetaTensor | None:
    """Undo a pipeline where that takes no interpolation.

    Args:
        pipeline: The pipeline.
        probe: Any values of shape (channels, ...), with what the transforms noted.

    Returns:
        The values on the grid of the file; None where they would be interpolated, or nothing is known of it.
    """
    for transform in _undone(pipeline):
        name = type(transform).__name__
        if type(transform).__module__ not in _MODULES or name not in _MOVING | _RESAMPLING:
            return None
        if name in _RESAMPLING and not _is_on_its_grid(probe):
            return None
        probe = transform.inverse({IMAGE: probe})[IMAGE]
    return probe


def _undone(pipeline: Compose) -> list[InvertibleTransform]:
    """List what MONAI undoes, in that order."""
    transforms = pipeline.flatten().transforms
    return [transform for transform in reversed(transforms) if isinstance(transform, InvertibleTransform)]


def _is_on_its_grid(values: MetaTensor) -> bool:
    """Tell whether the last resampling of values left them on the grid that they came from."""
    noted = values.applied_operations[-1]
    came_from = noted["extra_info"].get("src_affine")
    if came_from is None or tuple(noted["orig_size"]) != tuple(values.shape[1:]):
        return False
    came_from = torch.as_tensor(came_from).double()
    here = torch.as_tensor(to_affine_nd(len(came_from) - 1, values.affine)).double()
    return torch.allclose(here, came_from, rtol=0, atol=_TOLERANCE)
