"""Write the probabilities of classes as a table."""

from __future__ import annotations

import csv
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

from monai.transforms import MapTransform


class SaveProbabilitiesd(MapTransform):
    """Writes ``predictions.csv`` with a row for each image and a column for each class.

    Args:
        keys: Key of the probabilities, shape (classes,).
        output_dir: Folder for the table.
        classes: Names of the classes.
        image_key: Key of the image, which knows its file.
    """

    def __init__(self, keys: Any, output_dir: str, classes: Sequence[str], image_key: str = "image") -> None:
        super().__init__(keys)
        self.table = Path(output_dir) / "predictions.csv"
        self.classes = list(classes)
        self.image_key = image_key
        self.rows: list[list[Any]] = []

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Add the row of an image, and write the table."""
        for key in self.key_iterator(dict(data)):
            probabilities = data[key].detach().cpu().double().flatten().tolist()
            self.rows.append([data[self.image_key].meta["filename_or_obj"], *probabilities])
        self.table.parent.mkdir(parents=True, exist_ok=True)
        with self.table.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["image", *(f"probability_{name}" for name in self.classes)])
            writer.writerows(self.rows)
        return dict(data)
