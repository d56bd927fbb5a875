"""Look at one image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trainlib.viewer.scene import make_scene
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
    """Look at an image, with its label and prediction over it.

    Args:
        image: NumPy array, tensor, MetaTensor or file name. Arrays have the axes (x, y, z), or of a picture (rows,
            columns); tensors may have channels in front.
        label: Likewise, class values; drawn as an outline, or filled.
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
    scene = make_scene(
        image, label, prediction, spacing=spacing, classes=classes, dims=dims, caption=caption or _name(image)
    )
    return show([Entry(scene.caption, lambda: scene)])


def _name(image: Any) -> str:
    """Return the name of a file; arrays have none."""
    return (
        str(image).replace("\\", "/").rpartition("/")[2]
        if hasattr(image, "__fspath__") or isinstance(image, str)
        else ""
    )
