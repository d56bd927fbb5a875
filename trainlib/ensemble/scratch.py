"""A folder for what is only needed for the moment, and may be large."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from trainlib.system.lock import held, is_held

_PREFIX = ".scratch-"


@contextmanager
def scratch_folder(home: Path, results: Path) -> Iterator[Path]:
    """Make a folder for the block, and remove it with all that is in it.

    What a killed process has left is removed first. So that it is found, the folder is always made in the same place,
    unless nothing can be written there.

    Args:
        home: Folder of the ensemble.
        results: Folder of the results, which takes the place of a folder that cannot be written to.
    """
    parent = home if os.access(home, os.W_OK) else results
    parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as mine:
        with held(parent / f"{_PREFIX[:-1]}.lock", str(parent)):  # a folder without its lock would pass for a leftover
            for leftover in parent.glob(f"{_PREFIX}*"):
                if not is_held(leftover / ".lock"):
                    shutil.rmtree(leftover, ignore_errors=True)
            folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
            mine.callback(shutil.rmtree, folder, ignore_errors=True)
            mine.enter_context(held(folder / ".lock", str(folder)))
        yield folder
