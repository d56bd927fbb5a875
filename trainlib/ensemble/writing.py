"""Files that the members together predicted, and predictions.csv that links them to the images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from numpy.typing import NDArray

from trainlib.config.schema import Config
from trainlib.data.splits import Case
from trainlib.data.writing import (
    probabilities_suffix_of,
    suffix_of,
    write_label_map,
    write_map,
    write_probabilities,
)
from trainlib.ensemble.combine import binary_entropy, entropy
from trainlib.ensemble.opinions import Opinions
from trainlib.metrics.decisions import THRESHOLD
from trainlib.system.files import write_text

Array = NDArray[Any]
Row = dict[str, Any]


def write_files(
    folder: Path, case: Case, label_map: Array, opinions: Opinions, *, probabilities: bool, uncertainty: bool
) -> dict[str, str]:
    """Write label map, mean probabilities and uncertainty of a case, and return the names of the files."""
    image, affine, dims = case.images[0], opinions.affine, label_map.ndim
    row = {"prediction": case.name + suffix_of(image, dims)}
    write_label_map(folder / row["prediction"], label_map, image, affine)
    suffix = probabilities_suffix_of(image, dims)
    if probabilities:
        row["probabilities"] = f"{case.name}_probabilities{suffix}"
        write_probabilities(folder / row["probabilities"], opinions.probabilities, image, affine)
    if uncertainty:
        row["uncertainty"] = f"{case.name}_uncertainty{suffix}"
        write_map(folder / row["uncertainty"], entropy(opinions.probabilities), image, affine)
    return row


def class_row(config: Config, probabilities: Array, target: tuple[int, ...] | None = None) -> Row:
    """Write the classes of a case as the table of predictions has them, after what is true where it is known.

    Args:
        config: The config.
        probabilities: Shape (classes,).
        target: Class value, or 0 or 1 for each class; None where it is not known.
    """
    classes = config.data.classes
    row: Row = {}
    if config.multilabel:
        row |= {f"label_{name}": value for name, value in zip(classes, target or (), strict=False)}
        row |= {f"prediction_{name}": int(p > THRESHOLD) for name, p in zip(classes, probabilities, strict=True)}
    else:
        row |= {"label": classes[target[0]]} if target is not None else {}
        row["prediction"] = classes[int(probabilities.argmax())]
    return row | {f"probability_{name}": float(p) for name, p in zip(classes, probabilities, strict=True)}


def class_uncertainty(config: Config, mean: Array) -> float:
    """Compute the entropy of the classes of a case in nats; of several labels the sum of those of each."""
    return float(binary_entropy(mean).sum() if config.multilabel else entropy(mean))


def write_links(folder: Path, config: Config, cases: Sequence[Case], rows: Sequence[Row]) -> None:
    """Write predictions.csv: each case with its images and what was predicted, numbers to the last digit."""
    table = []
    for case, row in zip(cases, rows, strict=True):
        images = dict(zip(config.data.image_cols, map(str, case.images), strict=True))
        texts = {name: repr(value) if isinstance(value, float) else str(value) for name, value in row.items()}
        table.append({"case": case.name, **images, **texts})
    write_text(folder / "predictions.csv", pd.DataFrame(table).to_csv(index=False, lineterminator="\n"))
