"""Many files at once: all are read, a process that dies spoils one, and Ctrl-C leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import psutil
import pytest
from PIL import Image

from tests.check.deadly import read_or_die
from tests.check.helpers import make_cases
from trainlib.check import parallel
from trainlib.check.parallel import read_headers, read_voxels, size_of
from trainlib.check.reading import File, read_facts

# Two processes that each read for a minute.
SLOW = """
import sys, time
from pathlib import Path
from trainlib.check import parallel
from trainlib.check.reading import File
from trainlib.system.signals import interruptible

def slow(file, dims, *, voxels):
    print("reading", flush=True)
    time.sleep(1 if file.path.name < "2" else 60)

if __name__ == "__main__":
    parallel.PATIENCE, parallel.read_facts = -1, slow
    with interruptible():
        parallel.read_voxels([File(Path(str(i))) for i in range(9)], 3, 2)
"""


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[File]:
    monkeypatch.setattr(parallel, "PATIENCE", -1)
    make_cases(tmp_path, 4)
    return [*(File(tmp_path / f"i{i}.nii.gz") for i in range(4)), File(tmp_path / "l0.nii.gz", label=True)]


def test_processes_read_what_one_process_reads(files: list[File]) -> None:
    seen: list[int] = []
    found = read_voxels([*files, files[0]], 3, 2, lambda: seen.append(1))
    assert list(found) == files
    assert found == {file: read_facts(file, 3, voxels=True) for file in files}
    assert len(seen) == len(files)
    assert read_voxels(files, 3, 0) == found


def test_few_small_files_are_read_without_a_process(files: list[File], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "ProcessPoolExecutor", None)
    monkeypatch.setattr(parallel, "PATIENCE", 60)
    assert list(read_voxels(files, 3, 2)) == files


def test_headers_are_read_without_voxels(files: list[File]) -> None:
    found = read_headers(files, 3)
    assert list(found) == files
    assert all(facts.header and facts.voxels is None for facts in found.values())


@pytest.mark.parametrize("far", [-1.0, 1e9], ids=["far away", "near"])
def test_headers_are_the_same_in_their_order_wherever_the_disk_is(
    files: list[File], monkeypatch: pytest.MonkeyPatch, far: float
) -> None:
    monkeypatch.setattr(parallel, "_FAR_AWAY", far)
    monkeypatch.setattr(parallel, "_AT_ONCE", 2)
    found = read_headers([*files, *files], 3)
    assert list(found) == files
    assert found == {file: read_facts(file, 3, voxels=False) for file in files}


def test_equal_headers_take_memory_once(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        Image.new("L", (4, 6)).save(tmp_path / f"{name}.png")
    one, two, three = read_headers([File(tmp_path / f"{name}.png") for name in ("a", "b", "c")], 2).values()
    assert one is two is three


@pytest.mark.parametrize("name", ["cut.png", "cut.nii.gz", "cut.nii"])
def test_a_file_that_is_cut_off_is_told_by_its_end(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    noise = np.random.default_rng(0).integers(0, 255, (20, 20), np.uint8)
    if name.endswith("png"):
        Image.fromarray(noise).save(path)
    else:
        nib.save(nib.Nifti1Image(noise[..., None], np.eye(4)), path)
    assert not read_facts(File(path), 2, voxels=False).error
    path.write_bytes(path.read_bytes()[:-30])
    assert read_facts(File(path), 2, voxels=False).error


def test_a_file_that_kills_its_process_is_named_and_the_others_are_read(
    files: list[File], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parallel, "read_facts", read_or_die)
    found = read_voxels(files, 3, 2)
    assert list(found) == files
    [dead] = [file.path.name for file, facts in found.items() if facts.error]
    assert dead == "i2.nii.gz"
    assert "most likely because memory ran out" in found[files[2]].error


def test_only_files_that_were_being_read_are_read_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_cases(tmp_path, 16)
    files = [File(tmp_path / f"i{i}.nii.gz") for i in range(16)]
    pools: list[int] = []

    class Counted(ProcessPoolExecutor):
        def __init__(self, workers: int, *others: Any) -> None:
            pools.append(workers)
            super().__init__(workers, *others)

    monkeypatch.setattr(parallel, "PATIENCE", -1)
    monkeypatch.setattr(parallel, "read_facts", read_or_die)
    monkeypatch.setattr(parallel, "ProcessPoolExecutor", Counted)
    found = read_voxels(files, 3, 3)
    assert [file.path.name for file, facts in found.items() if facts.error] == ["i2.nii.gz"]
    assert pools[0] == 3
    assert pools[-1] == 1  # half of three, for the rest
    assert len(pools) <= 1 + 3 + 1


@pytest.mark.parametrize("workers", [0, 1])
def test_a_large_file_never_ends_the_process_that_asks(
    files: list[File], monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    monkeypatch.setattr(parallel, "_SMALL", size_of(files[2]) - 1)
    monkeypatch.setattr(parallel, "read_facts", read_or_die)
    found = read_voxels([files[2]], 3, workers)
    assert "ended by the system" in found[files[2]].error


def test_a_name_that_is_none_has_no_size(tmp_path: Path) -> None:
    assert [size_of(File(tmp_path / name)) for name in ("x" * 300, "a\0b", "absent")] == [0, 0, 0]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_of_a_reading_that_is_ended(tmp_path: Path, number: int) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    process = subprocess.Popen(
        [sys.executable, str(tmp_path / "slow.py")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "reading\n"
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) >= 2
    if number == signal.SIGINT:  # a terminal sends it to all processes
        os.killpg(process.pid, number)
    else:
        process.kill()
    _, alive = psutil.wait_procs(children, timeout=30)
    assert alive == []
    _, errors = process.communicate(timeout=30)
    assert "SpawnProcess" not in errors
    assert ("Interrupted" in errors) == (number == signal.SIGINT)
