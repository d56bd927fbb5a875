"""The folder of a classification that is written in a moment."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw

from tests.report.helpers import Page, make_run
from trainlib.report import write_report

BINARY = ["benign", "malignant"]
SEVERAL = ["normal", "benign", "malignant"]
LABELS = ["cardiomegaly", "effusion", "nodule"]


def make_classification(
    path: Path,
    classes: list[str],
    *,
    multilabel: bool = False,
    cases: dict[str, int] | None = None,
    table: pd.DataFrame | None = None,
    **sections: Any,
) -> Path:
    """Write the folder of a classification.

    Args:
        path: The folder.
        classes: The classes.
        multilabel: Whether a case may have several.
        cases: Split -> number of cases.
        table: What stands in ``cases.csv``; by default predictions that are better than chance.
        sections: Sections of the config, merged with those of the run.
    """
    data = {"label_cols": classes if multilabel else ["label"], "spatial_dims": 2} | sections.pop("data", {})
    sections = {"task": "classification", "checkpoint": {"monitor": "valid/auroc"}} | sections
    run = make_run(path, classes=classes, data=data, **sections)
    epoch_table(classes).to_csv(run / "logs" / "metrics.csv", index=False)
    for old in (run / "pictures").rglob("*.png"):
        old.unlink()
    if table is None:
        counts = cases or {"valid": 40, "test": 60}
        parts = [split_table(split, classes, n, multilabel, seed=i) for i, (split, n) in enumerate(counts.items())]
        table = pd.concat(parts, ignore_index=True)
    table.to_csv(run / "cases.csv", index=False, quoting=csv.QUOTE_MINIMAL)
    for split, case in zip(table["split"], table["case"], strict=True):
        picture = Image.new("RGB", (64, 64), (30, 30, 34))
        ImageDraw.Draw(picture).ellipse((12, 16, 40 + len(case) % 7, 48), fill=(140, 140, 150))
        picture.save(run / "pictures" / split / f"{case}.png")
    return run


def split_table(split: str, classes: list[str], cases: int, multilabel: bool, seed: int = 0) -> pd.DataFrame:
    """Make predictions that are better than chance, rounded so that some are ties."""
    rng = np.random.default_rng(seed)
    names = [f"{split}_{case:03d}" for case in range(cases)]
    if multilabel:
        targets = rng.integers(0, 2, (cases, len(classes)))
        return table_of(split, names, classes, (0.6 * rng.random(targets.shape) + 0.37 * targets).round(2), targets)
    targets = rng.integers(0, len(classes), cases)
    logits = rng.normal(size=(cases, len(classes))) + 1.5 * np.eye(len(classes))[targets]
    likely = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    likely = (likely * 64).round() / 64 if len(classes) == 2 else likely
    return table_of(split, names, classes, likely, targets)


def table_of(split: str, names: list[str], classes: list[str], likely: np.ndarray, targets: np.ndarray) -> pd.DataFrame:
    """Write predictions as rows of ``cases.csv``; targets of shape (cases, classes) are those of labels."""
    table: dict[str, Any] = {"split": [split] * len(names), "case": names}
    if targets.ndim == 2:
        table |= {f"label_{name}": targets[:, k] for k, name in enumerate(classes)}
        table |= {f"prediction_{name}": (likely[:, k] > 0.5).astype(int) for k, name in enumerate(classes)}
    else:
        table["label"] = [classes[k] for k in targets]
        table["prediction"] = [classes[k] for k in likely.argmax(axis=1)]
    return pd.DataFrame(table | {f"probability_{name}": likely[:, k] for k, name in enumerate(classes)})


def epoch_table(classes: list[str]) -> pd.DataFrame:
    """Make what is logged in 6 epochs; the fifth has the best AUROC."""
    values = np.array([0.5, 0.6, 0.7, 0.75, 0.9, 0.85])
    columns: dict[str, Any] = {"epoch": range(6), "step": range(3, 21, 3), "lr-AdamW": 0.01}
    columns |= {"train/loss": 1.5 - values, "valid/loss": 1.6 - values}
    for metric in ("auroc", "average_precision", "accuracy", "balanced_accuracy", "f1"):
        columns |= {f"valid/{metric}": values} | {f"valid/{metric}/{name}": values - 0.05 for name in classes}
    return pd.DataFrame(columns | {"seconds": 2.5})


def predicted(run: Path, split: str, classes: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Read probabilities, and class indices or the table of labels, of a split from ``cases.csv``."""
    table = pd.read_csv(run / "cases.csv", keep_default_na=False).query("split == @split")
    likely = table[[f"probability_{name}" for name in classes]].to_numpy(float)
    if "label" in table:
        return likely, np.array([classes.index(str(name)) for name in table["label"]])
    return likely, table[[f"label_{name}" for name in classes]].to_numpy(int)


def report_of(run: Path) -> Page:
    """Write the report and take it apart."""
    return Page(write_report(run).read_text(encoding="utf-8"))


def table_named(page: Page, *head: str) -> list[list[str]]:
    """Return the only table of a page whose first row begins with some cells."""
    [found] = [rows for rows in page.tables if rows and rows[0][: len(head)] == [*head]]
    return found
