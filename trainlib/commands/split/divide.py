"""Divide the cases of a folder, and write the CSVs."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from csv import writer
from dataclasses import dataclass
from itertools import compress
from pathlib import Path

from trainlib.build.patches import describe
from trainlib.commands.split.classes import from_csv
from trainlib.commands.split.config_lines import config_lines
from trainlib.commands.split.folders import from_folders
from trainlib.commands.split.labels import Labelled, Track, first_files, from_maps
from trainlib.commands.split.request import Request
from trainlib.commands.split.summary import Row, notes_on, summary_rows
from trainlib.data.pairing import Files, pair_files
from trainlib.data.partition import partition
from trainlib.errors import DataError, InputError, Problem
from trainlib.system.files import atomic_path


@dataclass(frozen=True)
class Division:
    """What `split` did.

    Attributes:
        csvs: Part -> the CSV that was written.
        rows: The table of what the parts hold.
        left_out: A sentence for each file that belongs to no case.
        notes: What the user should know.
        config: The lines of a config that read the CSVs.
    """

    csvs: dict[str, Path]
    rows: list[Row]
    left_out: list[str]
    notes: list[str]
    config: str


def split(request: Request, track: Track = lambda items, _: items) -> Division:
    """Pair the files of a folder, divide the cases, and write a CSV for each part.

    Args:
        request: What is asked for.
        track: Shows how many label maps were read.

    Raises:
        InputError: The options, the files or the CSV cannot be used, or the CSVs cannot be written; it names those
            that were replaced nevertheless.
    """
    if problems := request.problems():
        raise InputError(problems)
    pairing = pair_files(request.folder, request.patterns)
    if request.label is not None:
        labelled = from_maps(request, pairing.cases, track)
    elif request.label_folder:
        labelled = from_folders(request, pairing.cases)
    else:
        labelled = from_csv(request, pairing.cases)
    groups = _groups(request, labelled)
    parts = _divide(request, labelled, groups or [case.name for case in labelled.cases])
    csvs = {part: request.csvs[part] for part in request.shares}
    division = Division(
        csvs=csvs,
        rows=summary_rows(labelled, groups, parts, list(csvs)),
        left_out=[*pairing.left_out, *labelled.left_out],
        notes=[*labelled.notes, *notes_on(request, labelled, groups, parts)],
        config=config_lines(request, labelled),
    )
    rows = _rows(request, labelled, groups)
    tables = [(csv, [rows[0], *compress(rows[1:], [its == part for its in parts])]) for part, csv in csvs.items()]
    replaced: list[str] = []
    try:
        _write(tables, replaced)
    except OSError as error:
        text = f"{request.out or request.folder}: cannot be written to: {describe(error)}."
        already = f" Replaced already: {', '.join(replaced)}." if replaced else ""
        raise InputError(f"{text}{already}") from error
    return division


def _groups(request: Request, labelled: Labelled) -> list[str] | None:
    """Return the patient of each case, or None where nothing tells it."""
    if request.group is None:
        return labelled.groups
    groups = [_group(request.group, case) for case in labelled.cases]
    problems = [
        Problem(f"{case.paths[0]}: --group '{request.group}' finds no patient in it.")
        for case, group in zip(labelled.cases, groups, strict=True)
        if not group
    ]
    if problems:
        raise DataError(first_files(problems))
    return groups


def _group(expression: str, case: Files) -> str:
    match = re.search(expression, case.paths[0])
    # Blanks around a cell are lost when a CSV is read.
    return (match[1] or "").strip() if match else ""


def _divide(request: Request, labelled: Labelled, groups: list[str]) -> list[str]:
    """Return the part of each case."""
    shares, count = request.shares, len(set(groups))
    if count < len(shares):
        what = "patient" if request.group_column else "case"
        found = f"there {'is' if count == 1 else 'are'} only {count}"
        example = f" --group finds {groups[0]!r} in {labelled.cases[0].paths[0]}." if request.group else ""
        raise DataError(f"{', '.join(shares)} need at least one {what} each, but {found}.{example}")
    numbers = partition(groups, labelled.contents.tolist(), list(shares.values()), seed=request.seed)
    return [list(shares)[number] for number in numbers]


def _rows(request: Request, labelled: Labelled, groups: list[str] | None) -> list[list[str]]:
    """List the header of the CSVs, and the row of each case."""
    columns = [*request.image_cols, *labelled.label_cols, *filter(None, [request.group_column])]
    patients = [[group] for group in groups] if groups else [[] for _ in labelled.cases]
    rows = zip(labelled.cases, labelled.cells, patients, strict=True)
    return [columns, *([*case.paths, *cells, *patient] for case, cells, patient in rows)]


def _write(tables: Sequence[tuple[Path, list[list[str]]]], replaced: list[str]) -> None:
    """Write CSVs, all of them under temporary names before the first is replaced.

    Args:
        tables: Each CSV with its rows.
        replaced: Gets the names of those that have been replaced.
    """
    if not tables:
        return
    (csv, rows), *others = tables
    with atomic_path(csv) as temporary:
        with temporary.open("w", encoding="utf-8", newline="") as file:
            writer(file, lineterminator="\n").writerows(rows)
            file.flush()
            os.fsync(file.fileno())  # some systems tell only here that there is no room
        _write(others, replaced)
    replaced.append(csv.name)
