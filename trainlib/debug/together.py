"""Do image and label change together? A pattern that both show must still be one and the same afterwards."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from monai.transforms import Compose
from scipy import ndimage

from trainlib.build.roles import IMAGE, LABEL, changes_intensity
from trainlib.debug.finding import Finding
from trainlib.seeding import isolated_random_state

Step = Callable[[Any], Any]
Data = dict[str, Any]

DRAWS = 8
# Where both show the same voxels it is nearly 1, 0.6 in tiny windows that are zoomed; one that is turned alone has 0.4.
_TOGETHER = 0.5
_BLOCKS = 5  # of the pattern along the shortest side of the window


def pattern(shape: Sequence[int], classes: int, window: Sequence[int], seed: int) -> np.ndarray[Any, Any]:
    """Fill a label map with blocks of random class values, so that no flip, turn or shift leaves it as it is.

    Args:
        shape: Shape of the label map.
        classes: Number of classes.
        window: Size of the window that the network sees, to which the blocks are fitted.
        seed: Another seed gives other blocks.
    """
    side = max(4, min(window) // _BLOCKS)
    blocks = np.random.default_rng(seed).integers(0, classes, [-(-size // side) for size in shape], dtype=np.uint8)
    for axis in range(len(shape)):
        blocks = blocks.repeat(side, axis)
    return blocks[tuple(slice(size) for size in shape)]


def agreement(image: torch.Tensor, label: torch.Tensor) -> float | None:
    """Measure how much of an image's variance follows from the label: the correlation ratio, from 0 to 1.

    Voxels beside another class are left out, for interpolation mixes them.

    Args:
        image: Shape (channels, ...); the first channel is looked at.
        label: Class values, shape (1, ...).

    Returns:
        The ratio; None where label or image are too uniform to tell.
    """
    classes, values = np.asarray(label[0].cpu()).round().astype(int), np.asarray(image[0].cpu(), dtype=float)
    if classes.shape != values.shape:
        return None
    inside = ndimage.minimum_filter(classes, 3) == ndimage.maximum_filter(classes, 3)
    classes, values = classes[inside], values[inside]
    kinds, index, counts = np.unique(classes, return_inverse=True, return_counts=True)
    if len(kinds) < 2 or len(values) < 30 or not np.isfinite(values).all() or values.std() < 1e-6:
        return None
    means = np.bincount(index, values) / counts
    return float((counts * (means - values.mean()) ** 2).sum() / (len(values) * values.var()))


def check_together(
    section: str, steps: Sequence[Step], image: torch.Tensor, label: torch.Tensor, classes: int, window: Sequence[int]
) -> Finding:
    """Apply transforms to a pattern as image and as label, several times, and compare what becomes of the two.

    Transforms of MONAI that change intensities alone are left out; they move nothing.

    Args:
        section: The pipeline that the transforms are from, ``base`` or ``train``.
        steps: Its transforms.
        image: An image as it comes to them, shape (channels, ...).
        label: Its label, shape (1, ...).
        classes: Number of classes.
        window: Size of the window that the network sees.
    """
    check = f"together ({section})"
    moving = [step for step in steps if not changes_intensity(type(step))]
    draws = DRAWS if section == "train" else 1
    scores: list[float] = []
    for seed in range(draws):
        data = _disguised(image, label, classes, window, seed)
        found = _scores(moving, data, seed)
        if found and min(found) < _TOGETHER:
            return Finding(check, "problem", _apart(section, _culprit(moving, data, seed), min(found)))
        scores += found
    if not scores and moving:
        text = f"Could not be tried on transforms.{section}, which leaves too little of a pattern."
        return Finding(check, "ok", text)
    return Finding(check, "ok", f"Images and labels still show the same voxels after transforms.{section}.")


def _disguised(image: torch.Tensor, label: torch.Tensor, classes: int, window: Sequence[int], seed: int) -> Data:
    """Replace image and label by one pattern, in the range of the image's own intensities."""
    blocks = torch.as_tensor(pattern(label.shape[1:], classes, window, seed))
    # Background is 0 in both, as is what a transform fills in at the borders.
    top = float(image.abs().max()) or 1.0
    levels = blocks.to(image.dtype) * (top / (classes - 1))
    return {
        IMAGE: image.clone().copy_(levels.expand(image.shape)),
        LABEL: label.clone().copy_(blocks[None].to(label.dtype)),
    }


def _scores(steps: Sequence[Step], data: Data, seed: int) -> list[float]:
    """Tell how well image and label agree in the end, in each window that the transforms cut out."""
    found = (agreement(item[IMAGE], item[LABEL]) for item in _applied(steps, data, seed))
    return [score for score in found if score is not None]


def _applied(steps: Sequence[Step], data: Data, seed: int) -> list[Data]:
    """Apply transforms with random draws that follow from the seed; a copy of the data goes in."""
    pipeline = Compose(list(steps))
    with isolated_random_state(seed):
        pipeline.set_random_state(seed)
        result = pipeline({key: value.clone() for key, value in data.items()})
    return result if isinstance(result, list) else [result]


def _culprit(steps: Sequence[Step], data: Data, seed: int) -> Step:
    """Find the first transform after which image and label no longer agree."""
    for end in range(1, len(steps)):
        found = _scores(steps[:end], data, seed)
        if found and min(found) < _TOGETHER:
            return steps[end - 1]
    return steps[-1]


def _apart(section: str, step: Step, score: float) -> str:
    name = step.__name__ if inspect.isfunction(step) else type(step).__name__
    return (
        f"After {name} in transforms.{section}, image and label no longer show the same voxels: {score:.2f} of a "
        "pattern in the image agrees with the same pattern in the label, where nearly 1 should. The network would "
        f"learn from labels that belong elsewhere. Let {name} do the same, with the same random numbers, to image and "
        "label."
    )


def loaded(steps: Sequence[Step], data: Data, dims: int) -> tuple[torch.Tensor, torch.Tensor, Sequence[Step]]:
    """Apply the first of the base transforms, up to where image and label are arrays of the same voxels.

    Args:
        steps: The base transforms.
        data: Names of the image and label files.
        dims: Number of spatial dimensions.

    Returns:
        Image, label and the remaining transforms.
    """
    for i, step in enumerate(steps):
        data = step(data)
        image, label = data[IMAGE], data[LABEL]
        arrays = isinstance(image, torch.Tensor) and isinstance(label, torch.Tensor)
        if arrays and image.ndim == label.ndim == dims + 1 and len(label) == 1 and image.shape[1:] == label.shape[1:]:
            return image, label, steps[i + 1 :]
    # Transforms of a patch may work on arrays of their own; what they end with is compared by its shape already.
    return torch.as_tensor(data[IMAGE]), torch.as_tensor(data[LABEL]), ()
