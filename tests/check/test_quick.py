"""The quick part: what a training finds in headers before it writes anything."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.check.helpers import change_header, label_map, make_config, make_dataset, save, volume
from trainlib.check import parallel
from trainlib.check.quick import quick_check
from trainlib.config.load import load_config
from trainlib.errors import DataError
from trainlib.run import fit

DOUBLE = np.diag([2.0, 2.0, 2.0, 1.0])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_dataset(tmp_path)


def test_all_mistakes_of_headers_are_told_at_once(root: Path) -> None:
    change_header(root / "l0.nii.gz", DOUBLE)
    save(root / "i1.nii.gz", volume(1, (12, 10, 9, 2)))
    save(root / "l2.nii.gz", label_map(2, (12, 10, 8)))
    (root / "i7.nii.gz").write_bytes(b"")
    assert [str(problem).split(": ")[0] for problem in quick_check(make_config(root))] == [
        "valid.csv:3 (i7.nii.gz)",
        "train.csv:3 (i1.nii.gz)",
        "train.csv:2 (l0.nii.gz)",
        "train.csv:4 (l2.nii.gz)",
    ]


def test_voxels_are_not_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("voxels were read")

    monkeypatch.setattr(np, "asanyarray", refuse)
    assert quick_check(make_config(root)) == []


def test_what_breaks_nothing_is_logged(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    near = np.eye(4)
    near[0, 3] = 0.2
    change_header(root / "l0.nii.gz", near)
    with caplog.at_level(logging.WARNING, "trainlib"):
        assert quick_check(make_config(root)) == []
    assert "train.csv:2 (l0.nii.gz): Label and image differ in origin" in caplog.text


def test_many_mistakes_of_a_kind_are_counted(root: Path) -> None:
    for i in range(8):
        change_header(root / f"l{i}.nii.gz", DOUBLE)
    problems = quick_check(make_config(root))
    assert len(problems) == 6
    assert str(problems[-1]) == "data: ... and the same in 3 more rows; `trainlib check` lists them all."


def test_cases_that_are_not_used_are_not_looked_at(root: Path) -> None:
    change_header(root / "l3.nii.gz", DOUBLE)
    assert quick_check(make_config(root, {"limit_cases": 2})) == []


def test_fit_refuses_before_anything_is_written_and_can_be_told_not_to_look(
    root: Path, write_config: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    change_header(root / "l0.nii.gz", DOUBLE)
    config = load_config(write_config(data={"root": str(root), "test_csv": None}))
    with pytest.raises(DataError, match=r"train.csv:2 \(l0.nii.gz\): Label and image differ in spacing 2 x 2 x 2"):
        fit(config)
    assert not Path(config.run.root).exists()
    monkeypatch.setattr(parallel, "read_facts", None)  # nobody may look
    with pytest.raises(DataError, match=r"image and label differ in shape after transforms\.base"):
        fit(config, check=False)
