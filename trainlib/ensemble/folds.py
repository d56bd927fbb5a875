"""Divide the training and validation cases of a config anew: into folds, each held out once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from trainlib.config.schema import Config
from trainlib.data.contents import Content, read_contents
from trainlib.data.partition import partition
from trainlib.data.splits import Case, read_split
from trainlib.data.table import read_table, shortened
from trainlib.errors import DataError, Problem
from trainlib.folders.ensemble import EnsembleFolder
from trainlib.system.files import atomic_path


def write_folds(config: Config, folder: EnsembleFolder, members: Sequence[str]) -> None:
    """Pool the training and validation cases, divide them, and write the CSVs of each fold.

    A fold has all columns, and the paths in it stay as they are: relative to `data.root`. Patients stay whole, or
    without `data.group_col` images that are listed twice. Every class comes about equally often in each fold.

    Args:
        config: A complete config.
        folder: Where the CSVs go.
        members: Names of the folds.

    Raises:
        DataError: A label map cannot be read, or there are fewer patients than folds.
    """
    cases = [case for split in ("train", "valid") for case in _first(config, read_split(config, split))]
    rows = pd.concat([_rows(config, split) for split in ("train", "valid")], ignore_index=True).fillna("")
    groups = _groups(cases)
    if (many := len(set(groups))) < len(members):
        what = "cases" if config.data.group_col is None else "patients"
        raise DataError(f"--folds {len(members)}: there are only {many} {what} in training and validation together.")
    part = partition(groups, _contents(config, cases), [1 / len(members)] * len(members), seed=config.seed)
    fold_of = np.asarray(part)
    for fold, member in enumerate(members):
        _write(folder.fold_csv(member, "train"), rows[fold_of != fold])
        _write(folder.fold_csv(member, "valid"), rows[fold_of == fold])
    _write(folder.pooled, rows.iloc[np.argsort(fold_of, kind="stable")])
    if config.data.limit_cases is not None and config.data.test_csv is not None:
        _write(folder.test_csv, _rows(config, "test"))


def _first(config: Config, cases: Sequence[Case]) -> Sequence[Case]:
    """Leave out the cases that `data.limit_cases` does."""
    return cases[: config.data.limit_cases]


def _rows(config: Config, split: str) -> pd.DataFrame:
    return read_table(config, getattr(config.data, f"{split}_csv")).frame().iloc[: config.data.limit_cases]


def _write(path: Path, rows: pd.DataFrame) -> None:
    with atomic_path(path) as temporary:
        rows.to_csv(temporary, index=False, lineterminator="\n")


def _groups(cases: Sequence[Case]) -> list[str]:
    """Name what must not be parted: the patient, or else the first image of a case."""
    return [case.group if case.group is not None else str(case.images[0]) for case in cases]


def _contents(config: Config, cases: Sequence[Case]) -> list[list[float]]:
    """Tell which classes each case holds, 1 or 0 for each; of label maps also how many voxels of it."""
    count = config.out_channels
    if config.multilabel:
        return [[float(value) for value in case.target or ()] for case in cases]
    if config.task == "classification":
        return [[float(value == (case.target or (0,))[0]) for value in range(count)] for case in cases]
    found = list(zip(cases, read_contents([case.label for case in cases if case.label is not None]), strict=True))
    if problems := [
        Problem(f"the label {Path(str(case.label)).name} {content}", str(case))
        for case, content in found
        if isinstance(content, DataError)
    ]:
        raise DataError(shortened(problems, "data"))
    return [_held(config, content) for _, content in found if isinstance(content, Content)]


def _held(config: Config, content: Content) -> list[float]:
    """Tell of each class but the background whether a label map holds it, and how many voxels of it."""
    voxels = Counter[int]()
    for value, number in content.voxels.items():
        voxels[config.label_values.get(value, 0)] += number  # a value that is not declared is told by `fit`
    counts = [float(voxels[value]) for value in range(1, config.out_channels)]
    return [*(float(count > 0) for count in counts), *counts]
