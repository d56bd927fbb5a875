"""What is looked at: an image, what is drawn over it, and what its values mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trainlib.data.contents import count_values
from trainlib.drawing.pixels import intensity_window
from trainlib.errors import DataError
from trainlib.viewer.volume import Array, Grid, Volume, as_grid

DIFFERENCES = ("", "missed", "added", "agree", "other class")
"""What the values of `Scene.difference` mean."""

_HIGHEST = 65535  # class value that is drawn
_TOLD = 5  # values without a name that are told of one by one


class ShapeError(DataError):
    """Something that is drawn over an image has another shape."""


@dataclass(frozen=True)
class Scene:
    """An image with its label and prediction.

    Attributes:
        image: The image.
        label: Class values, shape of the image; None without a label.
        prediction: Class values, shape of the image; None without a prediction.
        legend: Names of the class values that are drawn, background first; empty for values that do not occur.
        caption: A line above the picture.
        details: Names and values to be listed beside the picture.
    """

    image: Volume
    label: Array | None = None
    prediction: Array | None = None
    legend: tuple[str, ...] = ()
    caption: str = ""
    details: tuple[tuple[str, str], ...] = ()

    @property
    def dims(self) -> int:
        """Spatial dimensions."""
        return len(self.image.shape)

    @property
    def coloured(self) -> bool:
        """Whether its channels are the colours of a picture."""
        return self.dims == 2 and len(self.image.values) == 3

    def window(self, channel: int | None) -> tuple[float, float]:
        """Choose the intensities that become black and white at the beginning.

        Args:
            channel: The channel; None for three as colours, which are shown as they are where they are bytes.
        """
        values = self.image.values
        if channel is None:
            return (0.0, 255.0) if values.dtype == np.uint8 else intensity_window(values)
        return intensity_window(values[channel])

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

    Arrays have no place in space: they lie on the voxels of the file or MetaTensor that comes with them.

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
        ShapeError: The label or the prediction has another shape than the image.
        DataError: A part cannot be read, or holds no class values.
    """
    grid = as_grid(image, dims)
    given = {"label": label, "prediction": prediction}
    over = {name: _named(name, values, grid) for name, values in given.items() if values is not None}
    affines = [part.affine for part in (grid, *over.values()) if part.affine is not None]
    affine = affines[0] if affines and not grid.by_rows else None  # no affine fits rows that come first
    volume = grid.oriented(affine, spacing)
    masks, legend, notes = {}, dict(enumerate(map(str, classes))), list(details)
    for name, part in over.items():
        masks[name], counts = _class_values(part.oriented(affine).values, name, volume)
        notes += _doubts(name, part, grid, counts, classes)
        legend |= {value: class_name(value, classes) for value in counts if value > 0}
    names = tuple(legend.get(value, "") for value in range(max(legend, default=0) + 1)) if masks else ()
    return Scene(volume, masks.get("label"), masks.get("prediction"), names, caption, tuple(notes))


def _named(name: str, source: Any, image: Grid) -> Grid:
    """Read what is drawn over the image; an array has the axes of the image."""
    try:
        return as_grid(source, image.dims, by_rows=image.by_rows)
    except DataError as error:
        raise DataError(f"{name}: {error}") from error


def _class_values(values: Array, name: str, image: Volume) -> tuple[Array, Mapping[int, int]]:
    """Return class values, and how many voxels have each; of several channels the strongest is the class."""
    alike = len(values) == 1 or bool((values == values[:1]).all())  # as gray pictures that are stored in colour
    if values.shape[1:] != image.shape:
        found = _written(values.shape[1:])
        raise ShapeError(f"{name}: expected the shape of the image, {_written(image.shape)}, found {found}.")
    if not alike and values.dtype.kind in "iu" and int(values.max()) > 1:
        raise DataError(
            f"{name}: expected a class value for each pixel, or scores with a channel for each class, found "
            f"{len(values)} channels of whole numbers up to {values.max()}. Is it a colour picture?"
        )
    classes = values[0] if alike else values.argmax(axis=0)
    if classes.dtype.kind == "f":
        classes = np.nan_to_num(classes)
    try:
        # Counting is quick along memory.
        counts = count_values(classes.T if classes.flags.f_contiguous else classes)
    except DataError as error:
        raise DataError(f"{name}: {error}") from error
    if max(counts) > _HIGHEST:
        raise DataError(f"{name}: holds {max(counts)}, and the highest class value that can be drawn is {_HIGHEST}.")
    if classes.dtype.kind == "f":
        classes = np.rint(classes).astype(np.int32)
    return (classes.view(np.uint8) if classes.dtype == bool else classes), counts


def _doubts(
    name: str, part: Grid, image: Grid, counts: Mapping[int, int], classes: Sequence[str]
) -> Iterable[tuple[str, str]]:
    """Tell what is odd about class values that can be drawn all the same."""
    if part.apart(image):
        yield name, "lies elsewhere than the image: the affines differ, and what is drawn is voxel on voxel"
    unnamed = [f"{value} ({number} voxels)" for value, number in counts.items() if not 0 <= value < len(classes)]
    if classes and unnamed:
        more = f" and {len(unnamed) - _TOLD} more" if len(unnamed) > _TOLD else ""
        yield name, f"holds {', '.join(unnamed[:_TOLD])}{more}, which classes do not name"


def class_name(value: int, classes: Sequence[str]) -> str:
    """Name a class value, or tell that it has no name."""
    if 0 <= value < len(classes):
        return str(classes[value])
    return f"{value} (not in classes)" if classes else str(value)


def _written(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
