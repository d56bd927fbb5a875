"""Write the classes of images, and their probabilities, as a table."""

from __future__ import annotations

import csv
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

from monai.transforms import MapTransform


class SaveProbabilitiesd(MapTransform):
    """Writes ``predictions.csv`` with a row for each image: its files, its class, the probability of each class.

    Args:
        keys: Key of the logits, shape (classes,).
        output_dir: Folder for the table.
        columns: Columns of the images' files.
        classes: Names of the classes.
        multilabel: Whether each class is there or not by itself.
    """

    def __init__(
        self, keys: Any, output_dir: str, columns: Sequence[str], classes: Sequence[str], multilabel: bool = False
    ) -> None:
        super().__init__(keys)
        self.table = Path(output_dir) / "predictions.csv"
        self.columns = list(columns)
        self.classes = list(classes)
        self.multilabel = multilabel
        self.rows: list[list[Any]] = []

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Add the row of an image, and write the table."""
        for key in self.key_iterator(dict(data)):
            logits = data[key].detach().cpu().double().flatten()
            probabilities = logits.sigmoid() if self.multilabel else logits.softmax(dim=0)
            if self.multilabel:
                predicted: list[Any] = [int(p > 0.5) for p in probabilities]
            else:
                predicted = [self.classes[int(probabilities.argmax())]]
            files = [data[f"file_of_{column}"] for column in self.columns]
            self.rows.append([data["case"], *files, *predicted, *probabilities.tolist()])
        self._write()
        return dict(data)

    def _write(self) -> None:
        predicted = [f"prediction_{name}" for name in self.classes] if self.multilabel else ["prediction"]
        self.table.parent.mkdir(parents=True, exist_ok=True)
        with self.table.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["case", *self.columns, *predicted, *(f"probability_{name}" for name in self.classes)])
            writer.writerows(self.rows)
