"""From a batch to the view of a case that predictions are drawn on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from monai.data.utils import to_affine_nd
from monai.transforms import LoadImage
from PIL import Image
from scipy import ndimage

from trainlib.build.roles import IMAGE, LABEL
from trainlib.data.splits import Case
from trainlib.data.writing import PICTURES
from trainlib.drawing.case import CaseView
from trainlib.drawing.planes import spacing_to_ras, to_ras
from trainlib.drawing.sheet import MARGIN

WIDTH = 720
"""Width in pixels of the planes of a 3-D case, or of two 2-D cases side by side."""
_HEIGHT = 240

Array = np.ndarray[Any, Any]


class View:
    """A case as it lies in space, on which predictions on the same grid are drawn.

    Args:
        image: Intensities of one channel.
        label: Class values, same shape; None where there is no label map.
        affine: Affine of both.
        case: The case; pictures such as PNG have no place in space and are shown as they are.
    """

    def __init__(self, image: Array, label: Array | None, affine: Array, case: Case) -> None:
        self.affine = None if case.images[0].suffix.lower() in PICTURES else to_affine_nd(image.ndim, affine)
        spacing = np.linalg.norm(to_affine_nd(image.ndim, affine)[:-1, :-1], axis=0).tolist()
        width, height = (WIDTH, _HEIGHT) if image.ndim == 3 else ((WIDTH - MARGIN) // 2,) * 2
        spacing = spacing if self.affine is None else spacing_to_ras(spacing, self.affine)
        turned = None if label is None else self._turn(label)
        self._view = CaseView(self._turn(image), turned, spacing, width=width, height=height)

    def _turn(self, array: Array) -> Array:
        return array if self.affine is None else to_ras(array, self.affine)

    def draw(self, prediction: Array | None = None) -> Image.Image:
        """Draw the case, with a prediction of class values on the grid of the image where there is one."""
        return self._view.draw(None if prediction is None else self._turn(prediction))


def preprocessed_view(batch: Mapping[str, Any], item: int, case: Case) -> View:
    """Prepare a case, on the preprocessed grid and with its first channel, for drawing."""
    image = batch[IMAGE][item, 0].cpu().numpy()
    label = batch[LABEL][item, 0].cpu().numpy() if LABEL in batch else None
    return View(image, label, batch["affine"][item].numpy(), case)


def original_view(batch: Mapping[str, Any], item: int, case: Case, shape: tuple[int, ...], affine: Array) -> View:
    """Prepare a test case, on the grid of its image file, for drawing.

    Args:
        batch: The batch with ``original_label`` and ``original_affine``.
        item: Position in the batch.
        case: The case.
        shape: Shape of the image.
        affine: Affine of the image.
    """
    image = _read(case.images[0]).reshape(shape)
    affine = to_affine_nd(len(shape), affine)
    label = batch["original_label"][item][0].numpy()
    its_affine = to_affine_nd(len(shape), batch["original_affine"][item].numpy())
    if label.shape != shape or not np.allclose(its_affine, affine, atol=1e-3):
        label = _resample(label, its_affine, shape, affine)
    return View(image, label, affine, case)


def _read(file: Path) -> Array:
    """Read the first channel of an image file."""
    return np.asarray(LoadImage(image_only=True, ensure_channel_first=True)(str(file))[0])


def _resample(label: Array, affine: Array, shape: tuple[int, ...], target: Array) -> Array:
    """Bring a label map to another grid, each voxel from the nearest one."""
    dims = len(shape)
    way = np.linalg.inv(affine) @ target
    return ndimage.affine_transform(label, way[:dims, :dims], way[:dims, -1], output_shape=shape, order=0)
