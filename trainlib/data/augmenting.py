"""Do the last part of the augmentation on the device that trains, with the random numbers that a worker would draw."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from monai.transforms import (
    AdjustContrastd,
    Compose,
    Flipd,
    RandAdjustContrastd,
    RandAffined,
    RandAxisFlipd,
    RandFlipd,
    RandGaussianNoised,
    RandGaussianSharpend,
    RandGaussianSmoothd,
    RandRotated,
    RandScaleIntensityd,
    RandShiftIntensityd,
    RandZoomd,
    ScaleIntensityRanged,
)

from trainlib.build.roles import IMAGE, LABEL
from trainlib.config.schema import Config
from trainlib.data.failures import explain_failure
from trainlib.data.plain import plain_tensor, untracked
from trainlib.data.reseeding import Reseeder
from trainlib.errors import DataError
from trainlib.memory import lacking
from trainlib.seeding import isolated_random_state
from trainlib.system.convolutions import precise_convolutions

log = logging.getLogger(__name__)

PENDING = "pending"
"""Key of what is noted of each window of a batch whose augmentation is not finished."""


class Pending(NamedTuple):
    """What the rest of the augmentation of a window needs to know.

    Attributes:
        seed: Seed of the case, from which all its random numbers follow.
        number: Number of the window among those of the case.
        label_type: What the label map is in the end; None without one.
    """

    seed: int
    number: int
    label_type: torch.dtype | None


def _interpolates(step: Any) -> bool:
    """Tell whether a transform interpolates with torch; of splines, which have a number, NumPy does it."""
    return all(isinstance(mode, str) and not mode.isdigit() for mode in step.mode)


# Transforms that keep shape and device of a tensor whatever they draw, and give the same for the same values in another
# place of memory. Those that take means of a window do not, for the last digit of a sum depends on its order; others
# work in NumPy, or draw a field of numbers there.
_SUITABLE: dict[type, Callable[[Any], bool]] = {
    **dict.fromkeys((Flipd, RandFlipd, RandAxisFlipd), lambda step: True),
    **dict.fromkeys((RandGaussianSmoothd, RandGaussianSharpend, RandGaussianNoised), lambda step: True),
    **dict.fromkeys((RandScaleIntensityd, ScaleIntensityRanged), lambda step: True),
    RandShiftIntensityd: lambda step: not any(step.factor_key),
    **dict.fromkeys((AdjustContrastd, RandAdjustContrastd), lambda step: not step.adjuster.retain_stats),
    RandAffined: lambda step: step.rand_affine.spatial_size is None and _interpolates(step),
    RandRotated: lambda step: step.rand_rotate.keep_size and _interpolates(step),
    RandZoomd: lambda step: step.rand_zoom.keep_size,
}


def first_on_device(augment: Compose) -> int:
    """Find the transform from which on all can be done on the device; the number of all where the last one cannot."""
    steps = augment.transforms
    return next((i + 1 for i in reversed(range(len(steps))) if not _is_suitable(steps[i])), 0)


def _is_suitable(step: Any) -> bool:
    judged = _SUITABLE.get(type(step))  # not of a class that derives from it, which may do anything
    plain = not getattr(step, "lazy", False) and set(getattr(step, "keys", [None])) <= {IMAGE, LABEL}
    return judged is not None and plain and judged(step)


class DeviceAugmentation:
    """Finishes the augmentation of a batch where its tensors are.

    Args:
        augment: The training pipeline.
        start: The first of its transforms to do.
        config: The config.
    """

    def __init__(self, augment: Compose, start: int, config: Config) -> None:
        self.augment = augment
        self.start = start
        self.config = config
        self._seed = Reseeder(augment)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Return a batch with image and label as workers alone would have made them.

        Args:
            batch: A batch of `TrainDataset` with `PENDING`, its tensors on the device.

        Raises:
            DataError: A transform failed.
        """
        notes: Sequence[Pending] = batch[PENDING]
        self._compute_on(batch[IMAGE].device)
        firsts = [i for i, note in enumerate(notes) if note.number == 0]
        windows: list[dict[str, torch.Tensor]] = []
        for start, stop in pairwise([*firsts, len(notes)]):
            windows += self._finish([*_windows(batch, start, stop)], notes[start].seed, batch["where"][start])
        finished = {key: value for key, value in batch.items() if key != PENDING}
        finished[IMAGE] = torch.stack([plain_tensor(window[IMAGE]).float() for window in windows])
        if LABEL in batch:
            labels = zip(windows, notes, strict=True)
            finished[LABEL] = torch.stack([plain_tensor(window[LABEL]).to(note.label_type) for window, note in labels])
        return finished

    def _finish(self, windows: list[dict[str, torch.Tensor]], seed: int, case: str) -> list[Any]:
        """Do the rest of the pipeline for the windows of a case, in their order, on which random numbers depend."""
        try:
            with isolated_random_state(seed), untracked(), precise_convolutions():
                self._seed(seed)
                return list(self.augment(windows, start=self.start))
        except Exception as error:
            if lacking(error):
                raise
            raise DataError(f"{case}: {explain_failure(error, self.config, 'train')}") from error

    def _compute_on(self, device: torch.device) -> None:
        """Let transforms that make a grid of positions make it on a GPU."""
        for step in self.augment.transforms[self.start :] if device.type != "cpu" else ():
            if isinstance(step, RandAffined):
                step.rand_affine.rand_affine_grid.device = device


def _windows(batch: dict[str, Any], start: int, stop: int) -> Iterator[dict[str, torch.Tensor]]:
    for i in range(start, stop):
        yield {key: batch[key][i] for key in (IMAGE, LABEL) if key in batch}


def device_augmentation(augment: Compose, config: Config) -> DeviceAugmentation | None:
    """Make what finishes the augmentation on the device, and tell what that is; None where nothing is left for it.

    Args:
        augment: The training pipeline, with all that the data set has put into it.
        config: The config.
    """
    start, steps = first_on_device(augment), augment.transforms
    if start == len(steps):
        last = f"{type(steps[-1]).__name__}, the last of them, works only there" if steps else "there are none"
        log.info("transforms.augment_on: workers do all of transforms.train, for %s.", last)
        return None
    names = ", ".join(type(step).__name__ for step in steps[start:])
    log.info("transforms.augment_on: the device that trains does %s.", names)
    return DeviceAugmentation(augment, start, config)
