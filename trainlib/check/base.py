"""What the base transforms do to the grid of an image, without its voxels."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from monai.data import MetaTensor
from monai.transforms import (
    CropForegroundd,
    LazyTransform,
    LoadImaged,
    NormalizeIntensityd,
    ScaleIntensityd,
    ScaleIntensityRangePercentilesd,
)

from trainlib.build.pipelines import build_pipeline
from trainlib.build.roles import IMAGE, changes_intensity
from trainlib.check.headers import Header
from trainlib.config.schema import Config
from trainlib.data.prepare import spacing_of
from trainlib.errors import InputError

_STILL = ("LoadImaged", "EnsureChannelFirstd", "EnsureTyped", "ToTensord", "CastToTyped", "Identityd", "DataStatsd")
_OTHER_CHANNELS = ("AddCoordinateChannelsd", "RepeatChanneld", "RemoveRepeatedChanneld")
_RESAMPLE = ("Spacingd", "SpatialResampled", "Resized", "ResampleToMatchd")
_MOVES = ("monai.transforms.spatial.dictionary", "monai.transforms.croppad.dictionary")


class Grid(NamedTuple):
    """Shape, and spacing in mm, of a prepared image."""

    shape: tuple[int, ...]
    spacing: tuple[float, ...]


class Base:
    """The base transforms of a config, looked at from outside.

    Args:
        config: The config; where a transform cannot be built, which is told elsewhere, the usual ones are assumed.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        try:
            self.steps: tuple[Any, ...] = tuple(build_pipeline(config, "base", with_label=False).transforms)
        except InputError:
            self.steps = ()
        self.names = [type(step).__name__ for step in self.steps]
        self._grids: dict[tuple[Any, ...], Grid | None] = {}

    @property
    def loads(self) -> bool:
        """Whether MONAI's own transform loads the files, which can read what trainlib can."""
        return not self.steps or any(isinstance(step, LoadImaged) for step in self.steps)

    @property
    def known(self) -> bool:
        """Whether every transform is known to leave the channels alone, and to move image and label alike."""
        return all(self._is_still(step) or self._moves(step) for step in self.steps)

    @property
    def reorients(self) -> bool:
        """Whether images and labels are brought into one orientation."""
        return not self.steps or "Orientationd" in self.names

    @property
    def resamples(self) -> bool:
        """Whether images and labels that cover the same space are brought to one grid."""
        return any(name in self.names for name in _RESAMPLE)

    @property
    def normalises(self) -> bool:
        """Whether each image is brought to the same intensities by what is in it."""
        return any(
            isinstance(step, ScaleIntensityd | ScaleIntensityRangePercentilesd)
            or (isinstance(step, NormalizeIntensityd) and step.normalizer.subtrahend is None)
            for step in self.steps
        )

    def grid_after(self, header: Header) -> Grid | None:
        """Tell the grid that an image has after the transforms; None where it depends on more than the header.

        MONAI itself is asked, by its lazy evaluation, which works out grids before it moves a voxel.
        """
        by_content = any(isinstance(step, CropForegroundd) for step in self.steps)
        told = bool(self.steps) and self.known and not by_content
        if not told or not header.usable or len(header.shape) != self.config.data.spatial_dims:
            return None
        axes = tuple(map(tuple, header.matrix[:3, :3].round(6).tolist()))
        if (header.shape, axes) not in self._grids:
            self._grids[header.shape, axes] = self._evaluate(header)
        return self._grids[header.shape, axes]

    def _evaluate(self, header: Header) -> Grid | None:
        voxels = torch.zeros(1).expand(1, *header.shape)  # one number in memory, whatever the shape
        data: dict[str, Any] = {IMAGE: MetaTensor(voxels, affine=torch.as_tensor(header.matrix, dtype=torch.float64))}
        try:
            for step in self.steps:
                if not self._is_still(step):
                    data = step(data, lazy=True)
        except Exception:  # a transform that refuses such an image says so when a case is tried
            return None
        shape = tuple(int(size) for size in data[IMAGE].peek_pending_shape())
        spacing = spacing_of(torch.as_tensor(data[IMAGE].peek_pending_affine()), len(shape))
        return Grid(shape, tuple(spacing.tolist()))

    def _is_still(self, step: Any) -> bool:
        kind = type(step)
        if not kind.__module__.startswith("monai.") or kind.__name__ in _OTHER_CHANNELS:
            return False
        return kind.__name__ in _STILL or changes_intensity(kind)

    def _moves(self, step: Any) -> bool:
        return isinstance(step, LazyTransform) and type(step).__module__ in _MOVES
