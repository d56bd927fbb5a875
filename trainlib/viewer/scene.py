"""What is looked at: an image, what is drawn over it, and what its values mean."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from trainlib.drawing.pixels import intensity_window
from trainlib.errors import DataError
from trainlib.viewer.volume import Array, Volume, as_volume

DIFFERENCES = ("", "missed", "added", "agree", "other class")
"""What the values of `Scene.difference` mean."""


@dataclass(frozen=True)
class Scene:
    """An image with its label and prediction.

    Attributes:
        image: The image.
        label: Class values, shape of the image; None without a label.
        prediction: Class values, shape of the image; None without a prediction.
        legend: Names of all class values that are drawn, background first; numbers for those without a name.
        caption: A line above the picture.
        window: Intensities that become black and white at the beginning.
        details: Names and values to be listed beside the picture.
    """

    image: Volume
    label: Array | None = None
    prediction: Array | None = None
    legend: tuple[str, ...] = ()
    caption: str = ""
    window: tuple[float, float] = (0.0, 1.0)
    details: tuple[tuple[str, str], ...] = field(default=())

    @property
    def dims(self) -> int:
        """Spatial dimensions."""
        return len(self.image.shape)

    @staticmethod
    def difference(label: Array, prediction: Array) -> Array:
        """Compare class values of the same pixels; `DIFFERENCES` names the values of the result."""
        inside, predicted = label > 0, prediction > 0
        result = np.zeros(label.shape, dtype=np.uint8)
        result[inside & ~predicted] = 1
        result[~inside & predicted] = 2
        result[inside & predicted] = 4
        result[inside & (label == prediction)] = 3
        return result


def make_scene(
    image: Any,
    label: Any = None,
    prediction: Any = None,
    *,
    spacing: Sequence[float] | None = None,
    classes: Sequence[str] = (),
    dims: int | None = None,
    caption: str = "",
    details: Sequence[tuple[str, str]] = (),
) -> Scene:
    """Read what there is to look at, and check that it fits together.

    Args:
        image: Array, tensor, MetaTensor or file name.
        label: Likewise, class values.
        prediction: Likewise, class values, or scores with a channel for each class.
        spacing: Voxel size of the image in mm; by default its own.
        classes: Names of the class values, background first.
        dims: Spatial dimensions, where the shape leaves it open.
        caption: A line above the picture.
        details: Names and values to be listed beside the picture.

    Raises:
        DataError: A part cannot be read, or has another shape than the image.
    """
    volume = as_volume(image, spacing, dims)
    overlays = {
        name: None if values is None else _classes_of(values, name, volume)
        for name, values in (("label", label), ("prediction", prediction))
    }
    return Scene(
        volume,
        overlays["label"],
        overlays["prediction"],
        _legend(overlays.values(), classes),
        caption,
        intensity_window(volume.values[0] if len(volume.values) not in (3, 4) else volume.values),
        tuple(details),
    )


def _classes_of(source: Any, name: str, image: Volume) -> Array:
    """Read class values; of several channels the strongest is the class."""
    values = as_volume(source, dims=len(image.shape)).values
    classes = values.argmax(axis=0) if len(values) > 1 else values[0]
    if classes.shape != image.shape:
        raise DataError(
            f"{name}: expected the shape of the image, {_written(image.shape)}, found {_written(classes.shape)}."
        )
    if classes.dtype.kind == "f":
        classes = np.rint(np.nan_to_num(classes)).astype(np.int32)
    return classes.view(np.uint8) if classes.dtype == bool else classes


def _legend(overlays: Iterable[Array | None], classes: Sequence[str]) -> tuple[str, ...]:
    found = [values for values in overlays if values is not None]
    highest = max([len(classes) - 1, *(int(values.max(initial=0)) for values in found)])
    return tuple(str(classes[v]) if v < len(classes) else str(v) for v in range(highest + 1)) if found else ()


def _written(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
