"""Run a command on something broken, and compare what it says and writes with what it must."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from typer.testing import CliRunner, Result

from tests.hostile.place import Damage, Place
from trainlib.cli import app

FIT = ("fit", "-c", "config.yaml")
CHECKED = (*FIT, "--print_config")
"""A command that reads and checks everything and trains nothing."""


@dataclass(frozen=True)
class Row:
    """A broken thing, and the sentences it must give.

    Attributes:
        broken: What is broken; or, where nothing is told, what looks odd and must be read right.
        damage: Breaks it.
        told: Every line of the standard error output, in order; `...` stands for any words. None: all is well.
        words: The command line.
        then: What must hold afterwards, given the place and the standard output.
        kept: Prepared cases that may be in the cache: those found right before the mistake was seen in voxels.
        under: What the command runs under, such as a disk that is full.
        status: Exit status where something is told.
    """

    broken: str
    damage: Damage
    told: tuple[str, ...] = ()
    words: tuple[str, ...] = FIT
    then: Callable[[Place, str], None] | None = None
    kept: int = 0
    under: Callable[[Place], AbstractContextManager[object]] = lambda _: nullcontext()
    status: int = 2

    def __str__(self) -> str:
        return self.broken


def check(row: Row, place: Place) -> None:
    """Break something, run the command, and check status, sentences and files."""
    row.damage(place)
    before = files_in(place.path) if row.told else {}
    with row.under(place):
        result = CliRunner().invoke(app, list(row.words))
    assert_no_traceback(result)
    if row.told:
        assert_told(sentences(result.stderr), row.told)
        assert result.exit_code == row.status
        assert_nothing_written(place, before, row.kept)
    else:
        assert (result.exit_code, result.stderr) == (0, "")
    if row.then is not None:
        row.then(place, result.stdout)


def assert_no_traceback(result: Result) -> None:
    error = result.exception
    if error is not None and not isinstance(error, SystemExit):
        raise AssertionError("".join(traceback.format_exception(error))) from error
    assert "Traceback" not in result.output


def sentences(output: str) -> list[str]:
    """Return the lines of the error output without the count of mistakes, which must be right."""
    lines = output.splitlines()
    if lines and (count := re.match(r"(\d+) mistakes?; nothing was started\.", lines[-1])):
        lines.pop()
        assert int(count[1]) == len(lines)
    return lines


def assert_told(found: list[str], expected: tuple[str, ...]) -> None:
    """Compare lines, in which `...` stands for any words of the same line."""
    patterns = [".+".join(map(re.escape, line.split("..."))) for line in expected]
    right = len(found) == len(expected) and all(map(re.fullmatch, patterns, found))
    assert right, "\n".join(["expected:", *expected, "found:", *found])


def files_in(path: Path) -> dict[str, tuple[int, int]]:
    """List everything below a folder with size and time of change."""
    found = {file: file.lstat() for file in _walk(path)}
    return {str(file.relative_to(path)): (stat.st_size, stat.st_mtime_ns) for file, stat in found.items()}


def _walk(path: Path) -> Iterator[Path]:
    for file in path.iterdir():
        yield file
        if file.is_dir() and not file.is_symlink():
            yield from _walk(file)


def assert_nothing_written(place: Place, before: dict[str, tuple[int, int]], kept: int) -> None:
    """Compare all files; `kept` cases that were prepared before the mistake was seen may be in the cache."""
    after = files_in(place.path)
    if kept:
        cached = [name for name in after.keys() - before.keys() if name.endswith(".safetensors")]
        assert len(cached) == kept, cached
        after = {name: stat for name, stat in after.items() if not name.startswith("runs/.cache") and name != "runs"}
    folders = {name for name in after if (place.path / name).is_dir()}
    assert sorted(after.keys() - before.keys()) == []
    assert {name: stat for name, stat in after.items() if name not in folders} == {
        name: stat for name, stat in before.items() if name not in folders
    }


def nothing_was_run(place: Place, _: str) -> None:
    """Check that no code ran that came with a file: all there is in these rows would have written `ran`."""
    assert not (place.path / "ran").exists()
