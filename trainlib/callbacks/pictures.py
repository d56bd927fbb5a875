"""A picture of every scored case, label and prediction on the image; the report shows some of them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from lightning import Callback, LightningModule, Trainer

from trainlib.build.patches import describe
from trainlib.callbacks.harmless import harmless
from trainlib.callbacks.views import View, original_view, preprocessed_view
from trainlib.data.splits import Case
from trainlib.files import atomic_path
from trainlib.folder import RunFolder

log = logging.getLogger(__name__)


class CasePictures(Callback):
    """Draws the cases of a validation or a test.

    Args:
        folder: The run folder.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder

    @harmless
    def on_validation_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, *_: Any, **__: Any
    ) -> None:
        """Draw validation cases, on the preprocessed grid on which they are scored."""
        for item, label_map in enumerate(outputs["label_maps"]):
            case = trainer.datamodule.cases["valid"][batch["index"][item]]
            self._write("valid", case, label_map, partial(preprocessed_view, batch, item, case))

    @harmless
    def on_test_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, *_: Any, **__: Any
    ) -> None:
        """Draw test cases, on the grid of their image files."""
        for item, predicted in enumerate(outputs["predictions"]):
            case, label_map = trainer.datamodule.cases["test"][predicted["index"]], predicted["label_map"]
            view = partial(original_view, batch, item, case, label_map.shape, predicted["affine"])
            self._write("test", case, label_map, view)

    def _write(self, split: str, case: Case, label_map: Any, make_view: Callable[[], View]) -> None:
        """Write the picture of a case; one that cannot be drawn is told, and the others go on."""
        try:
            picture = make_view().draw(label_map)
        except Exception as error:
            log.warning("%s could not be drawn: %s.", case, describe(error))
            return
        with atomic_path(self.folder.picture(split, case.name)) as path:
            picture.save(path)
