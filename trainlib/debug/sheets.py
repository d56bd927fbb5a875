"""Sheets of pictures: cases as they come from their files, and augmented batches, with the labels as outlines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from PIL import Image

from trainlib.drawing.case import draw_case
from trainlib.drawing.planes import spacing_to_ras, to_ras
from trainlib.drawing.sheet import stack

MOST = 12
"""Pictures on a sheet, at most."""


@dataclass(frozen=True)
class Shown:
    """What is drawn of a case or of a window of it.

    Attributes:
        name: Name of the case.
        image: Shape (channels, ...).
        label: Class values, shape (1, ...).
        spacing: Voxel size of each axis in mm.
        affine: The affine, by which the axes are brought into the usual order.
    """

    name: str
    image: torch.Tensor
    label: torch.Tensor
    spacing: Sequence[float]
    affine: torch.Tensor


def draw_sheet(items: Sequence[Shown], title: str, channels: Sequence[str], classes: Sequence[str]) -> Image.Image:
    """Draw every channel of every item with the outlines of the label.

    Args:
        items: Cases or windows.
        title: What the sheet shows.
        channels: Names of the channels.
        classes: Names of the classes.
    """
    pictures, captions = [], []
    for item in items[: max(1, MOST // len(channels))]:
        affine = item.affine.numpy()
        label, spacing = to_ras(item.label[0].cpu().numpy(), affine), spacing_to_ras(item.spacing, affine)
        for name, channel in zip(channels, item.image, strict=True):
            pictures.append(draw_case(to_ras(channel.cpu().numpy(), affine), label, spacing=spacing))
            captions.append(f"{item.name}  {name}" if len(channels) > 1 else item.name)
    return stack(pictures, captions, title, classes, note="outline: label")
