"""Read the CSV of a split into cases, and say everything that is wrong with it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainlib.config.schema import Config
from trainlib.data.naming import unique_names
from trainlib.data.once import once
from trainlib.data.repeats import labels_for_images, repeated, shared
from trainlib.data.table import Table, read_table, shortened
from trainlib.errors import DataError, Problem
from trainlib.suggest import did_you_mean

SPLITS_OF = {"fit": ("train", "valid", "test"), "validate": ("valid",), "test": ("test",), "predict": ("predict",)}
"""Stage of Lightning, or command -> the splits that it reads."""
_MOST_NAMES = 12  # classes that are listed where a cell is none of them
SPLITS = ("train", "valid", "test", "predict")


@dataclass(frozen=True, slots=True)
class Case:
    """One row of a split.

    Attributes:
        name: Unique name within the split, from the first image's file name; results are filed under it.
        row: Line of the CSV file, the header being line 1.
        images: Absolute paths, one for each image column.
        label: Absolute path of the label map; None in prediction and in classification.
        group: The patient; None without `data.group_col`.
        csv: The CSV file as the config names it.
        target: Class value, or in a multi-label task 0 or 1 for each class; None in prediction and in segmentation.
    """

    name: str
    row: int
    images: tuple[Path, ...]
    label: Path | None
    group: str | None
    csv: str
    target: tuple[int, ...] | None = None

    def __str__(self) -> str:
        return f"{self.csv}:{self.row} ({self.images[0].name})"


def csv_of(config: Config, split: str) -> str | None:
    """Return the CSV of a split as the config names it; prediction without one of its own takes the test set."""
    if split == "predict":
        return config.data.predict_csv or config.data.test_csv
    path: str | None = getattr(config.data, f"{split}_csv")
    return path


def read_split(config: Config, split: str) -> list[Case]:
    """Read the cases of a split in the order of the CSV.

    Within `reading_once` a CSV that has not changed is read, and its files are looked for, once.

    Args:
        config: The config.
        split: ``train``, ``valid``, ``test`` or ``predict``; labels are not looked at in ``predict``.

    Returns:
        The cases; none where the config has no CSV for the split.

    Raises:
        DataError: The CSV, its columns or its cells cannot be used, or a file is missing.
    """
    csv = csv_of(config, split)
    if csv is None:
        return []
    with_label = split != "predict"
    try:
        stat = os.stat(config.data_path(csv))
    except OSError:
        return _read(config, csv, with_label)  # which says what is wrong
    state = (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns)
    key = (read_split, csv, state, with_label, config.task, config.data.model_dump_json())
    return list(once(key, lambda: _read(config, csv, with_label)))


def _read(config: Config, csv: str, with_label: bool) -> list[Case]:
    table = read_table(config, csv)
    _check_columns(config, csv, table, with_label)
    paths = {column: _resolved(config, table[column]) for column in _columns(config, with_label)}
    problems = [*_check_cells(config, csv, table, with_label, paths)]
    if problems:
        raise DataError(problems)
    return list(_cases(config, csv, table, with_label, paths))


def check_splits(config: Config, splits: Iterable[str]) -> list[Problem]:
    """Find all mistakes in the CSVs of some splits, and what is in two of them but must not be."""
    problems: list[Problem] = []
    cases: dict[str, list[Case]] = {}
    for split in splits:
        try:
            cases[split] = read_split(config, split)
        except DataError as error:
            problems += error.problems
    for members in cases.values():
        problems += [*repeated(members), *labels_for_images(members)]
    return [*problems, *shared(cases)]


def _check_columns(config: Config, csv: str, table: Table, with_label: bool) -> None:
    wanted = [*config.data.image_cols, *(config.data.label_cols if with_label else [])]
    if with_label and config.data.group_col:
        wanted.append(config.data.group_col)
    present = table.columns
    missing = [column for column in wanted if column not in present]
    if missing and len(present) == 1 and any(separator in present[0] for separator in ";\t|"):
        raise DataError([Problem("the columns are not separated by commas. Save the file with commas.", f"{csv}:1")])
    if missing:
        has = f"It has: {', '.join(present)}."
        raise DataError(
            Problem(f"there is no column {column!r}.{did_you_mean(column, present) if len(present) > 12 else ''} {has}",
                    f"{csv}:1")
            for column in missing
        )  # fmt: skip
    doubled = [column for column in wanted if present.count(column) > 1]
    if doubled:
        raise DataError(Problem(f"two columns are named {column!r}. Rename one.", f"{csv}:1") for column in doubled)
    if not len(table):
        raise DataError([Problem("lists no case. Add a row for each case below the header.", csv)])


def _columns(config: Config, with_label: bool) -> list[str]:
    """List the columns that hold paths."""
    label_cols = config.data.label_cols if with_label and config.task == "segmentation" else []
    return [*config.data.image_cols, *label_cols]


def _resolved(config: Config, cells: Iterable[str]) -> list[str]:
    """Resolve paths as `Config.data_path` does, a million in seconds; an empty cell stays empty."""
    root = os.path.abspath(os.path.expanduser(config.data.root))
    return [
        os.path.abspath(os.path.join(root, os.path.expanduser(cell) if cell.startswith("~") else cell)) if cell else ""
        for cell in cells
    ]


def _check_cells(
    config: Config, csv: str, table: Table, with_label: bool, paths: Mapping[str, list[str]]
) -> Iterator[Problem]:
    """Look for empty cells and missing files, column by column."""
    classes = [column for column in config.data.label_cols if with_label and column not in paths]
    group = [config.data.group_col] if with_label and config.data.group_col else []
    for column in [*paths, *classes, *group]:
        cells = list(zip(table.index, table[column], strict=True))
        empty = [Problem(f"column {column!r} is empty.", f"{csv}:{row}") for row, cell in cells if not cell]
        yield from shortened(empty, csv)
        if column in classes:
            yield from shortened(_unknown_classes(config, csv, column, cells), csv)
        absent = [
            Problem(f"column {column!r}: there is no file {path}.", f"{csv}:{row}")
            for row, path in zip(table.index, paths.get(column, [""] * len(table)), strict=True)
            # `Path.is_file` raises for a folder that may not be entered and for a name that is too long.
            if path and not os.path.isfile(path)
        ]
        yield from shortened(absent, csv)


def _unknown_classes(config: Config, csv: str, column: str, cells: list[tuple[Any, str]]) -> list[Problem]:
    """Find cells that are no class; classes that are not known yet are found in the cells."""
    known = config.label_cells
    names = ", ".join(["0", "1"] if config.multilabel else [*known][:_MOST_NAMES])
    return [
        Problem(
            f"column {column!r}: {cell!r} is not one of {names} (data.classes, data.label_map)."
            f"{did_you_mean(cell, known)}",
            f"{csv}:{row}",
        )
        for row, cell in cells
        if cell and config.data.classes and cell not in known
    ]


def _cases(config: Config, csv: str, table: Table, with_label: bool, paths: Mapping[str, list[str]]) -> Iterator[Case]:
    data = config.data
    names = unique_names(table[data.image_cols[0]])
    map_col = data.label_cols[0] if with_label and config.task == "segmentation" else None
    class_cols = data.label_cols if with_label and config.task == "classification" and data.classes else None
    values = config.label_cells if class_cols else {}
    group_col = data.group_col if with_label else None
    cells = {column: table[column] for column in [*(class_cols or []), *filter(None, [group_col])]}
    for i, (row, name) in enumerate(zip(table.index, names, strict=True)):
        yield Case(
            name=name,
            row=row,
            images=tuple(Path(paths[column][i]) for column in data.image_cols),
            label=Path(paths[map_col][i]) if map_col else None,
            target=tuple(values[cells[column][i]] for column in class_cols) if class_cols else None,
            group=cells[group_col][i] if group_col else None,
            csv=csv,
        )
