"""Cores and memory that a process may use, on machines with and without control groups."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainlib.data import machine
from trainlib.data.machine import available_memory, total_memory, usable_cores
from trainlib.data.workers import choose_workers

GIB = 2**30


@pytest.fixture
def group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The control group of a machine of 6 cores and 12 GiB, of which 10 are free."""
    monkeypatch.setattr(machine, "_CONTROL_GROUP", tmp_path)
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(6)), raising=False)
    memory = type("Memory", (), {"available": 10 * GIB, "total": 12 * GIB})
    monkeypatch.setattr(machine.psutil, "virtual_memory", lambda: memory)
    return tmp_path


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(f"{text}\n")


CORES = [
    ({"cpu.max": "150000 100000"}, 2),
    ({"cpu.max": "50000 100000"}, 1),
    ({"cpu.max": "max 100000"}, 6),
    ({"cpu/cpu.cfs_quota_us": "300000", "cpu/cpu.cfs_period_us": "100000"}, 3),
    ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 6),
    ({}, 6),
]


@pytest.mark.parametrize(("files", "cores"), CORES)
def test_the_quota_of_a_container_limits_cores_and_workers(group: Path, files: dict[str, str], cores: int) -> None:
    write(group, files)
    assert usable_cores() == cores
    assert choose_workers(100, 1, 65536) == cores - 1


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(
    ("limit", "used", "inactive", "total", "available"),
    [
        (4 * GIB, GIB, 0, 4 * GIB, 3 * GIB),
        (4 * GIB, 3 * GIB, 2 * GIB, 4 * GIB, 3 * GIB),
        (4 * GIB, 5 * GIB, 0, 4 * GIB, 0),
        (4 * GIB, GIB, 2 * GIB, 4 * GIB, 4 * GIB),
        (400 * GIB, GIB, 0, 12 * GIB, 10 * GIB),
        (None, GIB, 0, 12 * GIB, 10 * GIB),
    ],
)
def test_memory_is_that_of_the_container_in_both_versions_of_control_groups(
    group: Path, version: int, limit: int | None, used: int, inactive: int, total: int, available: int
) -> None:
    if version == 2:
        files = {"memory.max": str(limit or "max"), "memory.current": str(used)}
        files["memory.stat"] = f"anon 1\ninactive_file {inactive}\nslab 3"
    else:
        files = {"memory/memory.limit_in_bytes": str(limit or 2**63 - 4096), "memory/memory.usage_in_bytes": str(used)}
        files["memory/memory.stat"] = f"inactive_file 7\ntotal_inactive_file {inactive}"
    write(group, files)
    assert (total_memory(), available_memory()) == (total, available)


def test_without_a_control_group_it_is_that_of_the_machine(group: Path) -> None:
    assert (total_memory(), available_memory()) == (12 * GIB, 10 * GIB)
