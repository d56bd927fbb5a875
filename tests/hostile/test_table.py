"""The table as a whole: how many things it breaks, that what it expects is sentences, and that a process says them."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.hostile import (
    test_checkpoints,
    test_csv,
    test_files,
    test_patches,
    test_run_folder,
    test_settings,
    test_trainer,
    test_yaml,
)
from tests.hostile.place import Place
from tests.hostile.runner import FIT, Row, assert_told, files_in, sentences

FAMILIES = {
    "yaml": test_yaml.ROWS,
    "settings": test_settings.ROWS,
    "csv": test_csv.ROWS,
    "files": test_files.ROWS,
    "patches": test_patches.ROWS,
    "checkpoints": test_checkpoints.ROWS,
    "run folder": test_run_folder.ROWS,
    "trainer": test_trainer.ROWS,
}
ROWS = [row for rows in FAMILIES.values() for row in rows]
IN_A_PROCESS = [
    row for row in ROWS if row.broken in ("six mistakes", "a tag that would run a command", "a label of halves")
]


def test_the_table_breaks_at_least_eighty_things() -> None:
    assert len(ROWS) >= 80
    assert min(map(len, FAMILIES.values())) >= 10
    for family, rows in FAMILIES.items():
        repeated = [name for name, count in Counter(row.broken for row in rows).items() if count > 1]
        assert (family, repeated) == (family, [])


def test_what_looks_odd_and_is_right_is_checked_for_what_comes_of_it() -> None:
    accepted = [row for row in ROWS if not row.told]
    assert len(accepted) >= 10
    assert [row.broken for row in accepted if row.then is None] == []


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_what_a_row_expects_is_sentences(row: Row) -> None:
    for line in row.told:
        assert "\n" not in line
        assert line[-1] in ".?)"
        assert len(line.replace("...", "")) >= 25


@pytest.mark.parametrize("row", IN_A_PROCESS, ids=str)
def test_a_process_of_its_own_says_the_same(
    row: Row, place: Place, cli: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    row.damage(place)
    before = files_in(place.path)
    done = cli(*row.words, cwd=place.path)
    assert_told(sentences(done.stderr), row.told)
    assert done.returncode == 2
    assert "Traceback" not in done.stdout
    assert not (place.path / "ran").exists()
    new = files_in(place.path).keys() - before.keys()
    assert all(Path(name).parts[:2] in (("runs",), ("runs", ".cache")) for name in new)
    assert row.kept or not new


def test_six_mistakes_are_told_at_once() -> None:
    [row] = [row for row in ROWS if row.broken == "six mistakes"]
    assert (len(row.told), row.words) == (6, FIT)
