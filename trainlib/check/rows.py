"""Read the rows of all splits, those beside a wrong one too."""

from __future__ import annotations

import os
from collections.abc import Container, Iterator

from trainlib.check.finding import Finding
from trainlib.config.schema import Config
from trainlib.data.splits import SPLITS_OF, Case, check_splits, csv_of, read_split
from trainlib.data.table import Table, read_table
from trainlib.errors import DataError, Problem
from trainlib.suggest import did_you_mean

_MOST_NAMES = 12  # classes that are listed where a cell is none of them


def read_rows(config: Config) -> tuple[dict[str, list[Case]], list[Finding]]:
    """Read the cases of every split that the config has a CSV for.

    A row without a path is left out, one with a wrong label keeps its image. Whether the files exist is not looked at,
    and a CSV that does not exist is passed over: `preflight` tells that the config names it.

    Returns:
        The cases of each split that can be read, and what is wrong with the CSVs.
    """
    splits: dict[str, list[Case]] = {}
    findings: list[Finding] = []
    for split in (*SPLITS_OF["fit"], *(["predict"] if config.data.predict_csv else [])):
        csv = csv_of(config, split)
        if csv is None or not os.path.isfile(config.data_path(csv)):
            continue
        table = _table(config, split, csv)
        if isinstance(table, Table):
            findings += _cell_findings(config, split, csv, table)
            splits[split] = list(_cases(config, split, csv, table))
        else:
            findings += table
    return splits, findings


def refused_rows(config: Config, known: Container[str]) -> Iterator[Finding]:
    """Add what a training refuses in its CSVs, so that no check passes what `fit` does not.

    Args:
        config: The config.
        known: CSV and row, as in ``train.csv:3``, of which an error is known already.
    """
    for split in SPLITS_OF["fit"]:
        csv = csv_of(config, split)
        if csv is not None and os.path.isfile(config.data_path(csv)):
            for problem in check_splits(config, [split]):
                if problem.where not in known and not problem.text.startswith("..."):
                    yield _unreadable(problem, csv)


def _table(config: Config, split: str, csv: str) -> Table | list[Finding]:
    """Read the table of a split; what keeps it from being read at all, `read_split` says."""
    try:
        table = read_table(config, csv)
        columns = list(table.columns)
        if len(table) and all(columns.count(column) == 1 for column in _columns(config, split)):
            return table
        read_split(config, split)
    except DataError as error:
        return [_unreadable(problem, csv) for problem in error.problems]
    raise AssertionError(f"{csv} was refused and accepted")


def _unreadable(problem: Problem, csv: str) -> Finding:
    """Turn what is told of a CSV, a fact and the remedy, into a finding."""
    text = problem.text.removeprefix(f"{csv}: ")
    what, _, remedy = text.partition(". ")
    row = problem.where.removeprefix(f"{csv}:")
    remedy = remedy or "Correct the CSV, or name another one."
    what = f"{what[:1].upper()}{what[1:].rstrip('.')}."
    return Finding("error", "CSV", what, remedy, csv, int(row) if row.isdigit() else None)


def _columns(config: Config, split: str) -> list[str]:
    """List the columns that a split needs."""
    if split == "predict":
        return list(config.data.image_cols)
    return [*config.data.image_cols, *config.data.label_cols, *filter(None, [config.data.group_col])]


def _cell_findings(config: Config, split: str, csv: str, table: Table) -> Iterator[Finding]:
    """Look for empty cells, and for classes that the config does not name."""
    known = config.label_cells if config.task == "classification" and config.data.classes else {}
    names = ", ".join(["0", "1"] if config.multilabel else [*known][:_MOST_NAMES])
    for column in _columns(config, split):
        for row, cell in zip(table.index, table[column], strict=True):
            if not cell:
                text, remedy = f"The column {column!r} is empty.", "Fill it in, or take the row out."
                yield Finding("error", "empty cell", text, remedy, csv, row)
            elif known and column in config.data.label_cols and cell not in known:
                text = f"{cell!r} in the column {column!r} is not one of {names}.{did_you_mean(cell, known)}"
                remedy = "Correct the cell, or say in data.label_map what it stands for."
                yield Finding("error", "unknown class", text, remedy, csv, row)


def _cases(config: Config, split: str, csv: str, table: Table) -> Iterator[Case]:
    data = config.data
    with_label = split != "predict"
    named = config.task == "classification" and data.classes
    # Without a name for each column, which the config's own mistakes tell, nobody knows what a cell stands for.
    if config.multilabel and len(data.classes) != len(data.label_cols):
        named = False
    classes = config.label_cells if named else {}
    all_images = [*zip(*(table[column] for column in data.image_cols), strict=True)]
    all_labels = (
        [*zip(*(table[column] for column in data.label_cols), strict=True)] if with_label else [()] * len(table)
    )
    groups = table[data.group_col] if with_label and data.group_col else [""] * len(table)
    for row, images, labels, group in zip(table.index, all_images, all_labels, groups, strict=True):
        if not all(images):
            continue
        mapped = config.task == "segmentation" and labels and labels[0]
        yield Case(
            name=images[0],
            row=row,
            images=tuple(map(config.data_path, images)),
            label=config.data_path(labels[0]) if mapped else None,
            target=tuple(classes[cell] for cell in labels) if labels and all(c in classes for c in labels) else None,
            group=group or None,
            csv=csv,
        )
