"""The notebooks of a project, in the format of Jupyter."""

from __future__ import annotations

import json
from typing import Any

from trainlib.commands.init.facts import Facts

_START = """\
import os
from pathlib import Path

# Paths in the config start in the folder of the project, wherever the notebook was started.
os.chdir(next(folder for folder in [Path.cwd(), *Path.cwd().parents] if (folder / "config.yaml").is_file()))
import trainlib"""

_TABLES = """\
import pandas as pd

config = trainlib.load_config("config.yaml")
tables = {split: pd.read_csv(config.data_path(csv), dtype=str)
          for split in ("train", "valid", "test") if (csv := getattr(config.data, f"{split}_csv"))}
pd.DataFrame({split: {"cases": len(table)} for split, table in tables.items()})"""

_COUNTS = """\
pd.DataFrame({(column, split): table[column].value_counts()
              for column in config.data.label_cols for split, table in tables.items()})"""

_CASE = """\
number = 0
row = tables["train"].iloc[number]
images = [config.data_path(row[column]) for column in config.data.image_cols]
{label}
trainlib.view(images[0], label)"""

_BATCH = """\
from trainlib.data.module import CSVDataModule

module = CSVDataModule(config)
module.setup("fit")
trainlib.view_batch(module.train_dataloader())"""

_NEWEST = """\
config = trainlib.load_config("config.yaml")
configs = sorted(Path(config.run.root).glob("*/config.yaml"), key=lambda path: path.stat().st_mtime)
RUN = configs[-1].parent  # the newest; or name one, as in Path("runs/{name}")
RUN"""

_CURVES = """\
import matplotlib.pyplot as plt
import pandas as pd

metrics = pd.read_csv(RUN / "logs" / "metrics.csv")
figure, axes = plt.subplots(1, 2, figsize=(10, 3))
{curves}
figure.tight_layout()"""

_CASES = """\
cases = pd.read_csv(RUN / "cases.csv")
cases[cases["split"] == "test"].describe()"""


def notebooks(facts: Facts) -> dict[str, str]:
    """Write the notebook that explores the data, and the one that explores a run.

    Args:
        facts: What is known of the project.

    Returns:
        Path in the project -> text.
    """
    return {"notebooks/data.ipynb": _notebook(_of_data(facts)), "notebooks/run.ipynb": _notebook(_of_run(facts))}


def _of_data(facts: Facts) -> list[tuple[str, str]]:
    segmentation = facts.task == "segmentation"
    label = "config.data_path(row[config.data.label_cols[0]])" if segmentation else "None"
    counts = [("markdown", "## Classes"), ("code", _COUNTS)]
    return [
        ("markdown", "# The data\n\nWhat the CSVs list, how a case looks, and what the network gets of it."),
        ("code", _START),
        ("markdown", "## Cases"),
        ("code", _TABLES),
        *([] if segmentation else counts),
        ("markdown", "## A case\n\nAnother `number` shows another one."),
        ("code", _CASE.replace("{label}", f"label = {label}")),
        ("markdown", "## A batch\n\nWindows as the network gets them, after augmentation."),
        ("code", _BATCH),
    ]


def _of_run(facts: Facts) -> list[tuple[str, str]]:
    score = "valid/dice" if facts.task == "segmentation" else "valid/auroc"
    curves = (
        'metrics.plot(x="epoch", y=["train/loss", "valid/loss"], ax=axes[0])\n'
        f'metrics.dropna(subset=["{score}"]).plot(x="epoch", y="{score}", ax=axes[1])'
    )
    return [
        ("markdown", "# A run\n\nHow it learned, how well it does, and the cases from the worst to the best."),
        ("code", _START),
        ("code", _NEWEST.replace("{name}", facts.name)),
        ("markdown", "## Curves"),
        ("code", _CURVES.replace("{curves}", curves)),
        ("markdown", "## Scores of the test cases"),
        ("code", _CASES),
        ("markdown", "## Cases, the worst first"),
        ("code", "trainlib.view_run(RUN)"),
    ]


def _notebook(cells: list[tuple[str, str]]) -> str:
    """Write cells, each a kind and its source, as a notebook without outputs."""
    content = {
        "cells": [_cell(number, kind, source) for number, (kind, source) in enumerate(cells)],
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(content, indent=1) + "\n"


def _cell(number: int, kind: str, source: str) -> dict[str, Any]:
    common = {"cell_type": kind, "id": f"cell-{number}", "metadata": {}, "source": source.splitlines(keepends=True)}
    return common | ({"execution_count": None, "outputs": []} if kind == "code" else {})
