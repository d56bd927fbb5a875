"""What a command may run under: permissions that count for root too, and a disk that is small."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.hostile.place import Place

_VERSION_3 = 0x20080522
_DAC_OVERRIDE, _DAC_READ_SEARCH = 1, 2  # what lets root read and write everything


class _Header(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _Data(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint32) for name in ("effective", "permitted", "inheritable")]


@contextmanager
def permissions_count(_: Place) -> Iterator[None]:
    """Let permissions of files count for root as for anybody else, which Linux allows a thread to ask for."""
    if os.name != "posix" or os.geteuid() != 0:
        yield
        return
    if not sys.platform.startswith("linux"):
        pytest.skip("root may read everything, and only Linux lets it do without")
    libc, header, data = ctypes.CDLL(None, use_errno=True), _Header(_VERSION_3, 0), (_Data * 2)()
    if libc.capget(ctypes.byref(header), data) != 0:
        pytest.skip("root may read everything, and its capabilities cannot be asked for")
    before = data[0].effective
    data[0].effective = before & ~(1 << _DAC_OVERRIDE | 1 << _DAC_READ_SEARCH)
    if libc.capset(ctypes.byref(header), data) != 0:
        pytest.skip("root may read everything, and its capabilities cannot be set")
    try:
        yield
    finally:
        data[0].effective = before
        assert libc.capset(ctypes.byref(header), data) == 0


@contextmanager
def proc_exists(_: Place) -> Iterator[None]:
    """Skip where there is no folder in which not even root can write."""
    if not Path("/proc/self").is_dir():
        pytest.skip("only Linux has a folder in which nobody can write")
    yield


def small_disk(folder: str, size: str) -> Callable[[Place], AbstractContextManager[object]]:
    """Mount an empty disk of a size, such as ``64k``, on a folder of the place; only root can."""

    @contextmanager
    def condition(place: Place) -> Iterator[None]:
        disk = place.path / folder
        mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(disk)]
        if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
            pytest.skip("a small disk can only be mounted by root")
        try:
            yield
        finally:
            subprocess.run(["umount", "--lazy", str(disk)], check=True)

    return condition
