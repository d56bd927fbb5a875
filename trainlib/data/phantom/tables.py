"""The folder of a data set and its three CSV files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

SPLITS = ("train", "valid", "test")


def check_arguments(dims: int, cases: tuple[int, ...], shape: tuple[int, ...] | None, smallest: int) -> None:
    """Refuse counts and sizes that nothing can be made of.

    Raises:
        ValueError: with the argument, what was expected and what was found.
    """
    if len(cases) != 3 or min(cases) < 0:
        raise ValueError(f"Expected `cases` to be three counts (train, valid, test), but got {cases}")
    if shape is not None and (len(shape) != dims or min(shape) < smallest):
        raise ValueError(f"Expected `shape` to be {dims} sizes of at least {smallest} voxels, but got {shape}")


def write_dataset(
    folder: Path,
    folders: Sequence[str],
    cases: tuple[int, int, int],
    columns: list[str],
    write_case: Callable[[Path, int], list[str]],
) -> Path:
    """Write the files of all cases and the CSVs that list them.

    Args:
        folder: where to write; must be absent or empty.
        folders: folders to make in it.
        cases: how many cases each split has.
        columns: columns of the CSVs.
        write_case: writes the files of a case, given the folder and its number; returns its row.

    Returns:
        The folder.

    Raises:
        FileExistsError: if the folder is not empty.
    """
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(f"{folder} holds files already")
    for name in folders:
        (folder / name).mkdir(parents=True)
    first = 0
    for split, count in zip(SPLITS, cases, strict=True):
        rows = [write_case(folder, index) for index in range(first, first + count)]
        pd.DataFrame(rows, columns=columns).to_csv(folder / f"{split}.csv", index=False, lineterminator="\n")
        first += count
    return folder
