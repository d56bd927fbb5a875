"""A reader that dies, in a module of its own, which a new process imports quickly."""

from __future__ import annotations

import os
import signal

from trainlib.check.reading import Facts, File, read_facts


def read_or_die(file: File, dims: int, *, voxels: bool) -> Facts:
    """Read a file, or end as a process does that the system kills."""
    if file.path.name == "i2.nii.gz":
        os.kill(os.getpid(), signal.SIGKILL)
    return read_facts(file, dims, voxels=voxels)
