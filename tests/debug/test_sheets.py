"""Sheets on which a label that lies wrongly can be seen."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from tests.debug.helpers import CLASSES
from trainlib.debug.sheets import MOST, Shown, draw_sheet
from trainlib.drawing.colours import class_colour


def shown(name: str = "case_1", channels: int = 1, *, flipped: bool = False, dims: int = 2) -> Shown:
    label = torch.zeros(1, *[32] * dims, dtype=torch.uint8)
    label[:, 4:12, 4:12] = 1
    image = label.float().repeat(channels, *[1] * dims)
    label = label.flip(1) if flipped else label
    return Shown(name, image, label, [1.0] * dims, torch.eye(dims + 1).double())


def on_bright(sheet: Image.Image) -> float:
    """Share of the label's outline beside which the image is bright."""
    pixels = np.asarray(sheet).astype(int)[:-40]  # without the legend
    outline = (pixels == class_colour(1)).all(axis=-1)
    rows, columns = np.nonzero(outline)
    beside = pixels[np.ix_(range(len(pixels)), range(pixels.shape[1]))]
    near = [beside[r - 4 : r + 5, c - 4 : c + 5].reshape(-1, 3) for r, c in zip(rows, columns, strict=True)]
    return float(np.mean([(square.min(axis=1) > 200).any() for square in near]))


@pytest.mark.parametrize("dims", [2, 3])
def test_the_outline_lies_around_the_structure_and_a_flipped_label_elsewhere(dims: int) -> None:
    right = draw_sheet([shown(dims=dims)], "Batch", ["image"], CLASSES)
    wrong = draw_sheet([shown(dims=dims, flipped=True)], "Batch", ["image"], CLASSES)
    assert on_bright(right) > 0.9
    assert on_bright(wrong) < 0.6


def test_every_channel_is_drawn() -> None:
    one = draw_sheet([shown()] * 3, "", ["t1"], CLASSES)
    three = draw_sheet([shown(channels=6)] * 3, "", list("abcdef"), CLASSES)
    assert three.height > one.height


def test_a_long_batch_is_cut_short() -> None:
    sizes = {draw_sheet([shown()] * count, "", ["image"], CLASSES).size for count in (MOST, MOST + 1, 5 * MOST)}
    assert len(sizes) == 1
