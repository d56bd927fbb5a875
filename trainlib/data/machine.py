"""What a process may use of the machine: cores and memory, by the machine and by its control group."""

from __future__ import annotations

import math
import os
from contextlib import suppress
from pathlib import Path

import psutil

_CONTROL_GROUP = Path("/sys/fs/cgroup")
# Files of a group's memory in both versions of control groups: limit, use, counts, and the count of files that were
# read, such as those of the cache. These stay in memory until it is needed for something else.
_MEMORY = (
    ("memory.max", "memory.current", "memory.stat", "inactive_file"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat", "total_inactive_file"),
)


def usable_cores() -> int:
    """Count the cores that this process may use, by its affinity and by the quota of its control group."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    with suppress(OSError, ValueError):
        quota, period = (_CONTROL_GROUP / "cpu.max").read_text().split()
        return max(1, min(cores, math.ceil(int(quota) / int(period))))  # "max" is no number
    with suppress(OSError, ValueError):  # version 1 of control groups; -1 is no limit
        limits = [int((_CONTROL_GROUP / "cpu" / f"cpu.cfs_{name}_us").read_text()) for name in ("quota", "period")]
        return max(1, min(cores, math.ceil(limits[0] / limits[1]))) if limits[0] > 0 else cores
    return cores


def total_memory() -> int:
    """Return the bytes that this process could use if nothing else did."""
    total = int(psutil.virtual_memory().total)
    for limit, *_ in _MEMORY:
        with suppress(OSError, ValueError):
            return min(total, int((_CONTROL_GROUP / limit).read_text()))
    return total


def available_memory() -> int:
    """Return the bytes that this process may still use."""
    available = int(psutil.virtual_memory().available)
    for limit, use, stat, read in _MEMORY:
        with suppress(OSError, ValueError):
            most, used = (int((_CONTROL_GROUP / name).read_text()) for name in (limit, use))
            counts = dict(line.split() for line in (_CONTROL_GROUP / stat).read_text().splitlines())
            return max(0, min(available, most, most - used + int(counts.get(read, 0))))
    return available
