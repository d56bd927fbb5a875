"""A transform of your own: every name in the pipelines of a config is looked for here first.

Derive from MONAI's `MapTransform` (and `RandomizableTransform` where it is random), and give `keys` a default that
says what it is applied to: `image` alone, or `image` and `label` for what moves voxels.
"""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
from monai.transforms import MapTransform, RandomizableTransform


class WindowIntensityd(MapTransform):
    """Cut intensities to a window, as on a CT console, and scale them to 0 to 1."""

    def __init__(self, center: float, width: float, keys: Sequence[Hashable] = ("image",)) -> None:
        super().__init__(keys)
        self.low, self.high = center - width / 2, center + width / 2

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Window every key."""
        result = dict(data)
        for key in self.key_iterator(result):
            result[key] = (result[key].clamp(self.low, self.high) - self.low) / (self.high - self.low)
        return result


class RandDropSliced(MapTransform, RandomizableTransform):
    """Blank one slice, as a scan with a signal loss has it.

    Draw random numbers from `self.R` only: it is seeded for each case and epoch, so that runs can be repeated.
    """

    def __init__(self, axis: int = -1, prob: float = 0.1, keys: Sequence[Hashable] = ("image",)) -> None:
        MapTransform.__init__(self, keys)
        RandomizableTransform.__init__(self, prob)
        self.axis = axis

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Blank the slice in every key."""
        result = dict(data)
        self.randomize(None)
        if not self._do_transform:
            return result
        for key in self.key_iterator(result):
            image: torch.Tensor = result[key].clone()
            position = self.R.randint(image.shape[self.axis])
            image.select(self.axis, position).fill_(float(image.min()))
            result[key] = image
        return result
