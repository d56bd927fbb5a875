"""Compare what two runs left: metrics.csv, cases.csv and the weights of the last checkpoint."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from trainlib.callbacks.epochs import SECONDS
from trainlib.checkpoints.checkpoint import read_checkpoint
from trainlib.commands.reproduce.weights import TensorDifference, compare_weights, hash_weights
from trainlib.folders.run import RunFolder
from trainlib.words import count

_MOST = 5  # differences of each kind that are named; the rest is counted
_CASE = ("split", "case", "class")

Table = dict[tuple[str, ...], dict[str, str]]
"""Rows by what names them: column -> cell."""


@dataclass(frozen=True)
class Difference:
    """One value that differs.

    Attributes:
        where: What it is, such as ``epoch 1, train/loss``.
        then: The value of the run.
        now: The value of the repetition.
        apart: By how much they differ, where they are numbers.
    """

    where: str
    then: str
    now: str
    apart: str = ""


@dataclass(frozen=True)
class Compared:
    """How one result of two runs compares.

    Attributes:
        name: The file.
        extent: What was compared: ``3 epochs, 14 columns``.
        differences: The first or largest differences; none where all is identical.
        rest: What else differs, in words.
    """

    name: str
    extent: str
    differences: list[Difference]
    rest: str = ""

    @property
    def identical(self) -> bool:
        """Whether nothing differs."""
        return not self.differences


def compare_runs(then: RunFolder, now: RunFolder) -> list[Compared]:
    """Compare two runs of the same config; times, energy and the states of optimizers are left out.

    Args:
        then: The one.
        now: The other.

    Returns:
        What comes of ``metrics.csv``, ``cases.csv`` and ``last.ckpt``.

    Raises:
        CheckpointError: A checkpoint cannot be read.
    """
    return [
        compare_metrics(_read(then.metrics, _epoch), _read(now.metrics, _epoch)),
        compare_cases(_read(then.cases, _case), _read(now.cases, _case)),
        _compare_checkpoints(then.last, now.last),
    ]


def _epoch(row: Mapping[str, str]) -> tuple[str, ...]:
    return (row["epoch"],)


def _case(row: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(row[name] for name in _CASE if name in row)


def _read(path: Path, key: Callable[[Mapping[str, str]], tuple[str, ...]]) -> Table:
    """Read the cells of a table as they stand, so that every digit counts; an absent file has no rows."""
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        return {key(row): row for row in csv.DictReader(file)}


def compare_metrics(then: Table, now: Table) -> Compared:
    """Find the first epoch that differs, and the columns that differ in it.

    Args:
        then: The rows of the run by their epoch.
        now: Those of the repetition.
    """
    epochs = [*then, *(epoch for epoch in now if epoch not in then)]
    columns = [name for name in _columns([*then.values(), *now.values()]) if name not in (SECONDS, "epoch")]
    differing = {epoch: found for epoch in epochs if (found := _cells(then.get(epoch), now.get(epoch), columns))}
    extent = f"{count(len(epochs), 'epoch')}, {count(len(columns), 'column')}"
    if not differing:
        return Compared("metrics.csv", extent, [])
    first, found = next(iter(differing.items()))
    named = [_difference(f"epoch {int(first[0]) + 1}, {where}".removesuffix(", "), *cells) for where, *cells in found]
    rest = [f"{count(len(named) - _MOST, 'more column')} of this epoch"] if len(named) > _MOST else []
    rest += [f"{count(len(differing) - 1, 'later epoch')}"] if len(differing) > 1 else []
    return Compared("metrics.csv", extent, named[:_MOST], _also(rest))


def compare_cases(then: Table, now: Table) -> Compared:
    """Find the values of cases that differ, the largest differences first.

    Args:
        then: The rows of the run by split, case and, in a segmentation, class.
        now: Those of the repetition.
    """
    rows = [*then, *(row for row in now if row not in then)]
    columns = [name for name in _columns([*then.values(), *now.values()]) if name not in _CASE]
    found = [
        _difference(f"{' '.join(row)}, {where}".removesuffix(", "), *cells)
        for row in rows
        for where, *cells in _cells(then.get(row), now.get(row), columns)
    ]
    found.sort(key=lambda difference: -_apart(difference.then, difference.now))
    cases = {row[:2] for row in rows}
    extent = f"{count(len(cases), 'case')}, {count(len(rows), 'row')}, {count(len(columns), 'column')}"
    rest = [f"{count(len(found) - _MOST, 'more value')}"] if len(found) > _MOST else []
    return Compared("cases.csv", extent, found[:_MOST], _also(rest))


def _compare_checkpoints(then: Path, now: Path) -> Compared:
    """Compare the weights of two checkpoints by their hashes, and where these differ tensor by tensor."""
    one, other = (read_checkpoint(path)["state_dict"] for path in (then, now))
    hashes = hash_weights(one), hash_weights(other)
    extent = count(len(one), "tensor")
    if hashes[0] == hashes[1]:
        return Compared(then.name, f"{extent}, SHA-256 {hashes[0][:12]}", [])
    found = sorted(compare_weights(one, other), key=lambda tensor: -_infinite_if_nan(tensor.largest))
    whole = Difference("SHA-256 of all weights", hashes[0][:12], hashes[1][:12])
    rest = [f"{count(len(found) - _MOST, 'more tensor')}"] if len(found) > _MOST else []
    return Compared(then.name, extent, [whole, *map(_of_tensor, found[:_MOST])], _also(rest))


def _of_tensor(tensor: TensorDifference) -> Difference:
    if tensor.what.startswith("only"):
        return Difference(tensor.name, *(("-", "there") if tensor.what == "only now" else ("there", "-")))
    if not tensor.what:
        share = f", in {tensor.share:.0%}" if tensor.share < 1 else ""
        return Difference(tensor.name, "", "", f"up to {tensor.largest:.2g}{share}")
    then, _, now = tensor.what.partition(", then ")
    return Difference(tensor.name, then, now)


def _cells(
    then: Mapping[str, str] | None, now: Mapping[str, str] | None, columns: Sequence[str]
) -> list[tuple[str, str, str]]:
    """List column and the two cells where they are not the same text; a row that is missing as one."""
    if then is None or now is None:
        return [("", "-" if then is None else "there", "-" if now is None else "there")]
    pairs = ((name, then.get(name) or "-", now.get(name) or "-") for name in columns)
    return [(name, one, other) for name, one, other in pairs if one != other]


def _columns(rows: Sequence[Mapping[str, str]]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def _difference(where: str, then: str, now: str) -> Difference:
    apart = _apart(then, now)
    if not math.isfinite(apart):
        return Difference(where, then, now)
    short = tuple(f"{float(value):.9g}" for value in (then, now))
    then, now = short if short[0] != short[1] else (then, now)
    return Difference(where, then, now, f"{apart:.2g}")


def _apart(then: str, now: str) -> float:
    """Return by how much two numbers differ; texts differ infinitely."""
    try:
        return _infinite_if_nan(abs(float(then) - float(now)))
    except ValueError:
        return math.inf


def _infinite_if_nan(value: float) -> float:
    return math.inf if math.isnan(value) else value


def _also(parts: Sequence[str]) -> str:
    return f"... and {' and '.join(parts)}" if parts else ""
