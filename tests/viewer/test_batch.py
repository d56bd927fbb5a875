"""Looking at what a network gets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import trainlib
from trainlib.data.module import CSVDataModule
from trainlib.errors import DataError

pytest.importorskip("ipywidgets")


def test_a_batch_is_shown_as_the_loader_gives_it(write_config: Callable[..., Path]) -> None:
    module = CSVDataModule(trainlib.load_config(write_config()))
    module.setup("fit")
    batch = next(iter(module.train_dataloader()))
    viewer: Any = trainlib.view_batch(module.train_dataloader(), classes=module.config.data.classes)
    assert len(viewer.entries) == len(batch["image"]) == 2
    for i in range(2):
        viewer.controls["entry"].value = i
        np.testing.assert_array_equal(viewer.scene.image.values, batch["image"][i].numpy())
        np.testing.assert_array_equal(viewer.scene.label, batch["label"][i, 0].numpy())
    assert viewer.scene.legend[: len(module.config.data.classes)] == tuple(module.config.data.classes)


def test_a_picture_to_classify_has_its_class_as_caption() -> None:
    batch = {"image": torch.rand(2, 3, 20, 30), "target": torch.tensor([1, 0]), "case": ["a", "b"]}
    viewer: Any = trainlib.view_batch([batch], classes=["benign", "malignant"])
    assert viewer.scene.caption == "a: malignant"
    assert viewer.scene.image.shape == (20, 30)
    several = batch | {"target": torch.tensor([[1, 1], [0, 0]])}
    assert trainlib.view_batch(several, classes=["mass", "cyst"]).scene.caption == "a: mass, cyst"


def test_what_is_no_loader_is_told() -> None:
    with pytest.raises(DataError, match="expected a loader or a batch, found int"):
        trainlib.view_batch(3)
    with pytest.raises(DataError, match="the loader has no batch"):
        trainlib.view_batch([])
    with pytest.raises(DataError, match="expected batches with the key image, found keys x"):
        trainlib.view_batch({"x": 1})
    with pytest.raises(DataError, match=r"image: expected the shape \(items, channels, x, y, z\).* found \(20, 30\)"):
        trainlib.view_batch({"image": torch.rand(20, 30)})
