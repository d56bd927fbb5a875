"""Look at one image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from trainlib.viewer.scene import class_name, make_scene
from trainlib.viewer.widgets import Entry, show


def view(
    image: Any,
    label: Any = None,
    prediction: Any = None,
    *,
    spacing: Sequence[float] | None = None,
    classes: Sequence[str] = (),
    dims: int | None = None,
    caption: str = "",
) -> Any:
    """Look at an image, with its label and prediction over it, or its true and predicted class above it.

    Args:
        image: NumPy array, tensor, MetaTensor or file name, or several names whose images become channels. Arrays have
            the axes (x, y, z), or of a picture (rows, columns); tensors may have channels in front.
        label: Likewise, class values; drawn as an outline, or filled. In a classification the class of the image: its
            value, or one of `classes`.
        prediction: Likewise.
        spacing: Voxel size in mm, for true proportions; by default that of the file or MetaTensor.
        classes: Names of the class values, background first.
        dims: Spatial dimensions, where the shape leaves it open.
        caption: A line above the picture.

    Returns:
        A viewer that a notebook shows; without ipywidgets a picture of all planes.

    Raises:
        DataError: Something cannot be read, or shapes do not fit.
    """
    said = [("true", _class_name(label, classes)), ("predicted", _class_name(prediction, classes))]
    label, prediction = (
        None if name is not None else values for (_, name), values in zip(said, (label, prediction), strict=True)
    )
    words = ", ".join(f"{what} {name}" for what, name in said if name is not None)
    caption = ": ".join(filter(None, (caption or _name(image), words)))
    scene = make_scene(image, label, prediction, spacing=spacing, classes=classes, dims=dims, caption=caption)
    return show([Entry(caption, lambda: scene)])


def _class_name(value: Any, classes: Sequence[str]) -> str | None:
    """Name the class of a whole image; None for anything else."""
    if isinstance(value, str) and value in classes:
        return value
    if value is None or isinstance(value, str | Path) or np.ndim(value) or not hasattr(value, "__int__"):
        return None
    return class_name(int(value), classes)


def _name(image: Any) -> str:
    """Return the name of a file, or of the first of several; arrays have none."""
    first = image[0] if isinstance(image, list | tuple) and image else image
    return Path(first).name if isinstance(first, str | Path) else ""
