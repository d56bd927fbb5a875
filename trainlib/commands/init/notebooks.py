"""The notebooks of a project, in the format of Jupyter."""

from __future__ import annotations

import json
from typing import Any

from trainlib.commands.init.facts import Facts

_START = """\
import os
import warnings
from pathlib import Path

warnings.filterwarnings("ignore", category=FutureWarning, module="monai")

# Paths in the config start in the folder of the project, wherever the notebook was started.
os.chdir(next(folder for folder in [Path.cwd(), *Path.cwd().parents] if (folder / "config.yaml").is_file()))

import pandas as pd

import trainlib
from trainlib.data.complete import complete

config = complete(trainlib.load_config("config.yaml"))  # with what it leaves to the data"""

_TABLES = """\
from trainlib.data.splits import read_split

cases = {split: read_split(config, split) for split in ("train", "valid", "test")}
pd.DataFrame({"cases": {split: len(found) for split, found in cases.items()}})"""

_FILES = """\
from trainlib.check.survey import take_survey

survey = take_survey(config, cases, voxels=False)  # headers alone: quick for any number of files
grids = pd.DataFrame(
    {
        "split": survey.split_of[case],
        "file": survey.name(path),
        "shape": "x".join(map(str, header.shape)),
        "spacing": "x".join(f"{step:.3g}" for step in header.spacing),
        "orientation": header.orientation,
        "type": str(header.dtype),
        "channels": header.channels,
    }
    for case, path, header in survey.headers()
)
grids"""

_KINDS = """\
grids[["split", "orientation", "type", "channels"]].value_counts(sort=False)"""

_SIZES = """\
sizes = pd.DataFrame([[*header.shape, *header.spacing] for _, _, header in survey.headers()])
sizes.columns = pd.MultiIndex.from_product([["voxels", "mm"], ["x", "y", "z"][: config.data.spatial_dims]])
sizes.describe().loc[["min", "50%", "max"]]"""

_VOXELS = """\
from trainlib.data.contents import read_contents

names = {value: config.data.classes[number] for value, number in config.label_values.items()}
counted = [
    {"split": split, "case": case.name, "class": names.get(value, f"undeclared {value}"), "voxels": many}
    for split, found in cases.items()
    for case, content in zip(found, read_contents([case.label for case in found]))
    # A file that cannot be read has an error for content, which `make check` tells.
    for value, many in getattr(content, "voxels", {}).items()
]
voxels = pd.DataFrame(counted).pivot_table("voxels", ["split", "case"], "class", "sum", fill_value=0, sort=False)
voxels.groupby("split", sort=False).agg(["mean", "min", "max"]).T"""

_SHARES = """\
shares = voxels.div(voxels.sum(axis=1), axis=0).drop(columns=config.data.classes[0], errors="ignore")
axes = shares.boxplot(vert=False, figsize=(8, 1 + 0.4 * shares.shape[1]))
axes.set_xlabel("share of the voxels of a case");"""

_COUNTS = """\
counts = pd.DataFrame(
    {
        split: pd.Series([name for case in found for name in named(case)], dtype=object).value_counts()
        for split, found in cases.items()
    }
).reindex(config.data.classes).fillna(0).astype(int)
axes = (counts / counts.sum()).T.plot.bar(figsize=(8, 3), rot=0)
axes.set_ylabel("share of the split")
counts"""

_NAMED = """\
def named(case):
    \"\"\"Name the classes of a case.\"\"\"
    {body}"""

_ONE = "return [config.data.classes[case.target[0]]]"
_MANY = "return [name for name, there in zip(config.data.classes, case.target) if there]"

_CASE = """\
number = 0
case = cases["train"][number]
images = [str(path) for path in case.images]
{view}"""

_MAP = """\
from monai.data import MetaTensor
from trainlib.data.labels import read_label

values, affine = read_label(case.label, config)  # class values, as `data.label_map` has them
trainlib.view(images, MetaTensor(values, affine=affine), classes=config.data.classes, dims=config.data.spatial_dims)"""

_CLASS = """\
trainlib.view(images, dims=config.data.spatial_dims, caption=f"{case.name}: {', '.join(named(case)) or 'none'}")"""

_BATCH = """\
from trainlib.data.module import CSVDataModule

module = CSVDataModule(config)
module.setup("fit")
trainlib.view_batch(module.train_dataloader(), classes=config.data.classes)"""

_NEWEST = """\
runs = sorted(Path(config.run.root).glob("*/cases.csv"), key=os.path.getmtime)
assert runs, f"There is no run with scores in {config.run.root}. Train one first: make fit"
RUN = runs[-1].parent  # the newest; or name one, as in Path("runs/{name}")
run = trainlib.load_run(RUN)
RUN"""

_CURVES = """\
import matplotlib.pyplot as plt

metrics = run.metrics.groupby("epoch").last()
losses = [name for name in ("train/loss", "valid/loss") if name in metrics]
scores = [name for name in ({scores}) if name in metrics]
figure, axes = plt.subplots(1, 2, figsize=(10, 3))
metrics[losses].plot(ax=axes[0], marker=".")
for name in scores:
    metrics[name].dropna().plot(ax=axes[1], marker=".", label=name)
axes[1].legend()
figure.tight_layout()"""

_SCORES = """\
splits = list(run.cases["split"].unique())
pd.DataFrame({split: run.scores(split) for split in splits})"""

_SCORED = """\
split = "test" if "test" in splits else "valid"
scored = run.cases[run.cases["split"] == split]
"""

_DICE = """\
axes = scored.boxplot("dice", by="class", figsize=(8, 3))
axes.set_ylim(0, 1)
scored.groupby("class")[[name for name in ("dice", "hd95", "asd", "nsd") if name in scored]].describe().T"""

_CONFUSION = """\
classes = run.config.data.classes
table = pd.crosstab(scored["label"], scored["prediction"]).reindex(index=classes, columns=classes, fill_value=0)
table.rename_axis(index="true", columns="predicted")"""

_PROBABILITIES = """\
pd.DataFrame(
    {
        name: pd.crosstab(scored[f"label_{name}"], scored[f"prediction_{name}"]).stack()
        for name in run.config.data.classes
    }
).fillna(0).astype(int).rename_axis(["true", "predicted"])"""


def notebooks(facts: Facts) -> dict[str, str]:
    """Write the notebook that explores the data, and the one that explores a run.

    Args:
        facts: What is known of the project.

    Returns:
        Path in the project -> text.
    """
    return {"notebooks/data.ipynb": _notebook(_of_data(facts)), "notebooks/run.ipynb": _notebook(_of_run(facts))}


def _of_data(facts: Facts) -> list[tuple[str, str]]:
    if facts.task == "segmentation":
        classes = [("code", _VOXELS), ("code", _SHARES)]
        about, view = "Voxels of each class in a case, as the label maps have them.", _MAP
    else:
        body = _MANY if facts.multilabel else _ONE
        classes = [("code", _NAMED.replace("{body}", body)), ("code", _COUNTS)]
        about, view = "Cases of each class in every split.", _CLASS
    return [
        ("markdown", "# The data\n\nWhat the CSVs list, how a case looks, and what the network gets of it."),
        ("code", _START),
        ("markdown", "## Cases"),
        ("code", _TABLES),
        ("markdown", "## Files\n\nOdd shapes, spacings and orientations show here. Axes are those of the files."),
        ("code", _FILES),
        ("code", _KINDS),
        ("code", _SIZES),
        ("markdown", f"## Classes\n\n{about}"),
        *classes,
        ("markdown", "## A case\n\nAnother `number` shows another one."),
        ("code", _CASE.replace("{view}", view)),
        ("markdown", "## A batch\n\nWindows as the network gets them, after augmentation."),
        ("code", _BATCH),
    ]


def _of_run(facts: Facts) -> list[tuple[str, str]]:
    segmentation = facts.task == "segmentation"
    scores = '"valid/dice",' if segmentation else '"valid/auroc", "valid/accuracy"'
    detail = _DICE if segmentation else _PROBABILITIES if facts.multilabel else _CONFUSION
    return [
        ("markdown", "# A run\n\nHow it learned, how well it does, and the cases from the worst to the best."),
        ("code", _START),
        ("code", _NEWEST.replace("{name}", facts.name)),
        ("markdown", "## Curves"),
        ("code", _CURVES.replace("{scores}", scores)),
        ("markdown", "## Scores"),
        ("code", _SCORES),
        ("code", _SCORED + detail),
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
