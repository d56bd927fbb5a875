"""Gather the facts of this machine; what cannot be found out is left out, and nothing asks the network."""

from __future__ import annotations

import math
import os
import platform
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from trainlib.build.patches import describe
from trainlib.commands.doctor.facts import MIB, Disk, Facts, Torch
from trainlib.commands.doctor.gpus import driver_gpus, torch_facts
from trainlib.commands.doctor.packages import (
    import_failures,
    installed_versions,
    missing_of_extras,
    requirements,
    tested_versions,
)
from trainlib.config.schema import Config
from trainlib.data.machine import available_memory, total_memory, usable_cores

_Value = TypeVar("_Value")

_SHARED_MEMORY = Path("/dev/shm")
_TYPICAL_ITEM = 80 * MIB  # a volume of 256 x 256 x 256 voxels in float32, and its label


def gather(config: Config | None = None) -> Facts:
    """Look at this machine.

    Args:
        config: A config, which tells where a training writes and what it asks for; None takes the usual.
    """
    packages = installed_versions()
    failed = import_failures(packages)
    torch = _torch(failed)
    driver, listed = driver_gpus()
    open_files = _or(_open_files, None)
    return Facts(
        system=platform.system(),
        python=platform.python_version(),
        packages=packages,
        failed=failed,
        requirements=_or(lambda: requirements(packages), ()),
        extras=_or(lambda: missing_of_extras(packages), {}),
        tested=tested_versions(),
        torch=torch,
        driver=driver,
        driver_gpus=listed,
        cores=usable_cores(),
        machine_cores=os.cpu_count() or 1,
        memory=total_memory(),
        available=available_memory(),
        open_files=open_files,
        shared=_or(_shared_memory, None),
        disks=_disks(config),
        variables=dict(os.environ),
        git=shutil.which("git") is not None,
        accelerator=str(config.trainer.get("accelerator", "auto")) if config else "auto",
        workers=_workers(config, open_files),
        item=_item(config),
    )


def _torch(failed: dict[str, str]) -> Torch | None:
    """Ask torch; what it raises over a broken driver is noted like an import that fails."""
    if "torch" in failed:
        return None
    try:
        return torch_facts()
    except Exception as error:
        failed["torch"] = describe(error)
        return None


def _or(find: Callable[[], _Value], default: _Value) -> _Value:
    """Find something out, or take a default where the system does not tell it."""
    try:
        return find()
    except (ImportError, OSError, ValueError, AttributeError):
        return default


def _open_files() -> tuple[int, int] | None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = 2**20
    return (most if soft == resource.RLIM_INFINITY else soft, most if hard == resource.RLIM_INFINITY else hard)


def _shared_memory() -> tuple[int, int] | None:
    usage = shutil.disk_usage(_SHARED_MEMORY)
    return usage.total, usage.free


def _workers(config: Config | None, open_files: tuple[int, int] | None) -> int:
    """Return the number of workers of the config, or else what trainlib would choose here for typical cases."""
    if config is not None and config.data.num_workers != "auto":
        return config.data.num_workers
    try:
        from trainlib.data.workers import choose_workers
    except ImportError:
        return 0
    return choose_workers(10**6, _TYPICAL_ITEM, open_files[1] if open_files else 10**6)


def _item(config: Config | None) -> int:
    """Estimate the largest thing that a worker hands over: a batch of windows, or a whole volume."""
    if config is None:
        return _TYPICAL_ITEM
    batch = config.data.batch_size * math.prod(config.roi_size) * (4 * config.in_channels + 1)
    return max(batch, config.in_channels * _TYPICAL_ITEM) if config.data.spatial_dims == 3 else batch


def _disks(config: Config | None) -> tuple[Disk, ...]:
    places = {"runs, cache": Path.cwd()}
    if config is not None:
        places = {"runs": Path(config.run.root)} | ({"cache": config.cache_dir} if config.data.cache == "disk" else {})
    places["temporary"] = Path(tempfile.gettempdir())
    return tuple(_disk(what, path) for what, path in places.items())


def _disk(what: str, path: Path) -> Disk:
    """Look at a folder, or where it does not exist yet at the nearest one above it."""
    place = next(folder for folder in (path.absolute(), *path.absolute().parents) if folder.is_dir())
    files = None
    with suppress(OSError, AttributeError):  # Windows has no inodes
        found = os.statvfs(place)
        files = found.f_favail if found.f_files else None
    return Disk(
        what=what,
        path=str(path),
        free=shutil.disk_usage(place).free,
        files=files,
        kind=_or(lambda: _kind_of(place), ""),
        writable=os.access(place, os.W_OK | os.X_OK),
    )


def _kind_of(place: Path) -> str:
    """Name the file system of a folder: that of the deepest mount point above it."""
    import psutil

    mounts = {Path(part.mountpoint): part.fstype for part in psutil.disk_partitions(all=True)}
    real = place.resolve()
    return next((mounts[folder] for folder in (real, *real.parents) if folder in mounts), "")
