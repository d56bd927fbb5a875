"""What the base transforms do to the grid of an image, without its voxels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
from trainlib.build.roles import IMAGE, LABEL, changes_intensity
from trainlib.check.headers import Header
from trainlib.config.defaults import SEGMENTATION
from trainlib.config.schema import Config
from trainlib.data.prepare import distance, largest_distance, spacing_of
from trainlib.errors import InputError

_STILL = ("LoadImaged", "EnsureChannelFirstd", "EnsureTyped", "ToTensord", "CastToTyped", "Identityd", "DataStatsd")
_OTHER_CHANNELS = ("AddCoordinateChannelsd", "RepeatChanneld", "RemoveRepeatedChanneld")
_MOVES = ("monai.transforms.spatial.dictionary", "monai.transforms.croppad.dictionary")


class Grid(NamedTuple):
    """Shape, and affine as a tensor, of a prepared image or label."""

    shape: tuple[int, ...]
    affine: torch.Tensor

    @property
    def spacing(self) -> tuple[float, ...]:
        """Voxel size along each axis in mm."""
        return tuple(spacing_of(self.affine, len(self.shape)).tolist())

    def fits(self, label: Grid) -> bool:
        """Tell whether a training accepts a label of such a grid with an image of this one."""
        if self.shape != label.shape:
            return False
        return distance(self.affine, label.affine, self.shape) <= largest_distance(self.affine, len(self.shape))


class Base:
    """The base transforms of a config, looked at from outside.

    Args:
        config: The config; where a transform cannot be built, which is told elsewhere, the usual ones are assumed.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.steps = self._built(with_label=False)
        self._labelled = self._built(with_label=True) if config.task == SEGMENTATION else ()
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
        if any(isinstance(step, CropForegroundd) for step in self.steps) or not self._tells(header):
            return None
        axes = tuple(map(tuple, header.matrix[:3, :3].round(6).tolist()))
        if (header.shape, axes) not in self._grids:
            found = self._evaluate(self.steps, {IMAGE: header})
            self._grids[header.shape, axes] = found[IMAGE] if found else None
        return self._grids[header.shape, axes]

    def fit_together(self, image: Header, label: Header) -> bool | None:
        """Tell whether image and label lie on one grid after the transforms, as a training demands.

        A crop to the foreground takes the same voxels of both, and fills up a label that has them not.

        Returns:
            None where it cannot be told from the headers.
        """
        if not self._tells(image) or not self._tells(label):
            return None
        grids = self._evaluate(self._labelled, {IMAGE: image, LABEL: label})
        return grids[IMAGE].fits(grids[LABEL]) if grids else None

    def _built(self, *, with_label: bool) -> tuple[Any, ...]:
        try:
            return tuple(build_pipeline(self.config, "base", with_label=with_label).transforms)
        except InputError:
            return ()

    def _tells(self, header: Header) -> bool:
        told = bool(self.steps) and self.known
        return told and header.usable and len(header.shape) == self.config.data.spatial_dims

    def _evaluate(self, steps: Iterable[Any], headers: Mapping[str, Header]) -> dict[str, Grid] | None:
        data: dict[str, Any] = {key: _blank(header.shape, header.matrix) for key, header in headers.items()}
        try:
            for step in steps:
                if isinstance(step, CropForegroundd):
                    grids = {key: _pending(tensor) for key, tensor in data.items()}
                    data = {key: _blank(grids[IMAGE].shape, grid.affine) for key, grid in grids.items()}
                elif not self._is_still(step):
                    data = step(data, lazy=True)
        except Exception:  # a transform that refuses such an image says so when a case is tried
            return None
        return {key: _pending(data[key]) for key in headers}

    def _is_still(self, step: Any) -> bool:
        kind = type(step)
        if not kind.__module__.startswith("monai.") or kind.__name__ in _OTHER_CHANNELS:
            return False
        return kind.__name__ in _STILL or changes_intensity(kind)

    def _moves(self, step: Any) -> bool:
        return isinstance(step, LazyTransform) and type(step).__module__ in _MOVES


def _blank(shape: tuple[int, ...], affine: Any) -> MetaTensor:
    """Make an image that takes the memory of one number, whatever its shape."""
    return MetaTensor(torch.zeros(1).expand(1, *shape), affine=torch.as_tensor(affine, dtype=torch.float64))


def _pending(tensor: MetaTensor) -> Grid:
    """Return the grid that a tensor will have once what is pending has been done."""
    shape = tuple(int(size) for size in tensor.peek_pending_shape())
    return Grid(shape, torch.as_tensor(tensor.peek_pending_affine(), dtype=torch.float64))
