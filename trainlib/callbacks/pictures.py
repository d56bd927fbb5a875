"""A picture of every scored case; the report shows some of them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from lightning import Callback, LightningModule, Trainer
from PIL import Image

from trainlib.build.patches import describe
from trainlib.callbacks.harmless import harmless
from trainlib.callbacks.views import original_view, preprocessed_view
from trainlib.data.splits import Case
from trainlib.folders.run import RunFolder
from trainlib.system.files import atomic_path

log = logging.getLogger(__name__)


class CasePictures(Callback):
    """Writes pictures of cases; one that cannot be drawn is told, and the others go on.

    Args:
        folder: The run folder.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder

    def write(self, split: str, case: Case, draw: Callable[[], Image.Image]) -> None:
        """Write the picture of a case."""
        try:
            picture = draw()
        except Exception as error:
            log.warning("%s could not be drawn: %s.", case, describe(error))
            return
        with atomic_path(self.folder.picture(split, case.name)) as path:
            picture.save(path)


class SegmentationPictures(CasePictures):
    """Draws label and prediction on the images of a validation or a test."""

    @harmless
    def on_validation_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, *_: Any, **__: Any
    ) -> None:
        """Draw validation cases, on the preprocessed grid on which they are scored."""
        for item, label_map in enumerate(outputs["label_maps"]):
            case = trainer.datamodule.cases["valid"][batch["index"][item]]
            self.write("valid", case, partial(_draw_preprocessed, batch, item, case, label_map))

    @harmless
    def on_test_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, *_: Any, **__: Any
    ) -> None:
        """Draw test cases, on the grid of their image files."""
        for item, predicted in enumerate(outputs["predictions"]):
            case = trainer.datamodule.cases["test"][predicted["index"]]
            self.write("test", case, partial(_draw_original, batch, item, case, predicted))


class ImagePictures(CasePictures):
    """Draws the images of a validation or a test as the network sees them."""

    @harmless
    def on_validation_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, *_: Any, **__: Any
    ) -> None:
        """Draw validation cases."""
        self._draw(trainer, batch, "valid")

    @harmless
    def on_test_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, *_: Any, **__: Any
    ) -> None:
        """Draw test cases."""
        self._draw(trainer, batch, "test")

    def _draw(self, trainer: Trainer, batch: Any, split: str) -> None:
        for item, index in enumerate(batch["index"]):
            case = trainer.datamodule.cases[split][index]
            self.write(split, case, partial(_draw_preprocessed, batch, item, case))


def _draw_preprocessed(batch: Any, item: int, case: Case, label_map: Any = None) -> Image.Image:
    return preprocessed_view(batch, item, case).draw(label_map)


def _draw_original(batch: Any, item: int, case: Case, predicted: Any) -> Image.Image:
    label_map = predicted["label_map"]
    return original_view(batch, item, case, label_map.shape, predicted["affine"]).draw(label_map)
