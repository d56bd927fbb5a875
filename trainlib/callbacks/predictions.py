"""Predicted files, and predictions.csv that links them to what they were predicted from."""

from __future__ import annotations

import logging
from collections.abc import Callable
from glob import escape
from pathlib import Path
from typing import Any

import pandas as pd
from lightning import Callback, LightningModule, Trainer

from trainlib.build.patches import describe
from trainlib.data.splits import Case
from trainlib.data.writing import probabilities_suffix_of, suffix_of, write_label_map, write_probabilities
from trainlib.processes import gather, is_first
from trainlib.system.background import Background
from trainlib.system.diskspace import TEMPORARY
from trainlib.system.files import write_text

log = logging.getLogger(__name__)

_PATIENCE = 2.0  # seconds that a file gets after something has gone wrong, such as Ctrl-C


class PredictionWriter(Callback):
    """Writes what is predicted: label maps as files, while the next case is predicted; classes into the table alone.

    Args:
        folder: Where the files go.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._rows: dict[int, dict[str, str]] = {}
        self._background = Background()
        self._current: Path | None = None

    def on_test_batch_end(self, trainer: Trainer, pl_module: LightningModule, outputs: Any, *_: Any, **__: Any) -> None:
        """Write the files of a batch."""
        self._write(trainer, outputs["predictions"], "test")

    def on_predict_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, *_: Any, **__: Any
    ) -> None:
        """Write the files of a batch."""
        self._write(trainer, outputs["predictions"], "predict")

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the table of the files, when all of them are there."""
        self._background.finish()
        self._write_table(trainer, "test")

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the table of the files, when all of them are there."""
        self._background.finish()
        self._write_table(trainer, "predict")

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Finish the file that is being written; one that takes long is removed."""
        ended = self._background.abandon(_PATIENCE)
        if not ended and self._current is not None:
            for leftover in self.folder.glob(f"{TEMPORARY}*-{escape(self._current.name)}"):
                leftover.unlink(missing_ok=True)
        if (untold := self._background.untold) is not None and untold is not exception:
            log.error("A prediction could not be written: %s.", describe(untold))

    def _write(self, trainer: Trainer, predictions: list[dict[str, Any]], split: str) -> None:
        cases = trainer.datamodule.cases[split]
        for prediction in predictions:
            if "label_map" in prediction:
                row = self._write_files(cases[prediction["index"]], prediction)
            else:
                row = {name: repr(x) if isinstance(x, float) else str(x) for name, x in prediction["row"].items()}
            self._rows[prediction["index"]] = row

    def _write_files(self, case: Case, prediction: dict[str, Any]) -> dict[str, str]:
        """Have label map and probabilities of a case written, and return the names of the files."""
        image, affine, label_map = case.images[0], prediction["affine"], prediction["label_map"]
        name = case.name + suffix_of(image, label_map.ndim)
        self._later(write_label_map, self.folder / name, label_map, image, affine)
        row = {"prediction": name}
        if "probabilities" in prediction:
            row["probabilities"] = f"{case.name}_probabilities{probabilities_suffix_of(image, label_map.ndim)}"
            probabilities = prediction["probabilities"]
            self._later(write_probabilities, self.folder / row["probabilities"], probabilities, image, affine)
        return row

    def _later(self, write: Callable[..., None], path: Path, *arguments: Any) -> None:
        """Have a file written in the background."""

        def act() -> None:
            self._current = path
            write(path, *arguments)

        self._background.do(act)

    def _write_table(self, trainer: Trainer, split: str) -> None:
        """List the files in the order of the CSV, whatever order they were predicted in."""
        module: Any = trainer.datamodule
        found = {index: files for part in gather(self._rows) for index, files in part.items()}
        if not is_first():
            return
        rows = []
        for index, files in sorted(found.items()):
            case = module.cases[split][index]
            images = dict(zip(module.config.data.image_cols, map(str, case.images), strict=True))
            rows.append({"case": case.name, **images, **files})
        write_text(self.folder / "predictions.csv", pd.DataFrame(rows).to_csv(index=False, lineterminator="\n"))
