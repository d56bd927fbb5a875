"""Divide the cases of a folder, and write the CSVs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from trainlib.build.patches import describe
from trainlib.commands.split.classes import from_csv
from trainlib.commands.split.config_lines import config_lines
from trainlib.commands.split.labels import Labelled, Track, fewer, from_maps
from trainlib.commands.split.request import Request
from trainlib.commands.split.summary import Row, notes_on, summary_rows
from trainlib.data.pairing import Files, pair_files
from trainlib.data.partition import partition
from trainlib.errors import DataError, InputError, Problem
from trainlib.files import write_table


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
        InputError: The options, the files or the CSV cannot be used; nothing was written.
    """
    if problems := request.problems():
        raise InputError(problems)
    pairing = pair_files(request.folder, request.patterns)
    if request.label is not None:
        labelled = from_maps(request, pairing.cases, track)
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
    try:
        for part, csv in csvs.items():
            _write(csv, request, labelled, groups, [number for number, its in enumerate(parts) if its == part])
    except OSError as error:
        raise InputError(f"{request.out or request.folder}: cannot be written to: {describe(error)}.") from error
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
        raise DataError(fewer(problems))
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


def _write(csv: Path, request: Request, labelled: Labelled, groups: list[str] | None, cases: list[int]) -> None:
    columns = [*request.image_cols, *labelled.label_cols, *filter(None, [request.group_column])]
    rows = [[*labelled.cases[n].paths, *labelled.cells[n], *([groups[n]] if groups else [])] for n in cases]
    write_table(csv, [dict(zip(columns, row, strict=True)) for row in rows], columns)
