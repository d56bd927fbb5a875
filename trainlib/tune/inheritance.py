"""Hand weights, and the figures of the epochs that led to them, from one trial of a population to another."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from trainlib.folders.run import RunFolder
from trainlib.system.files import atomic_path


def _inheritance(run: RunFolder) -> dict[str, Path]:
    """List what one trial takes over from another: weights and the figures of the epochs that led to them."""
    return {"last.ckpt": run.last, "best.ckpt": run.best, "metrics.csv": run.metrics}


def bequeath(run: RunFolder, target: Path) -> None:
    """Put what others may take over into a folder, of which Ray keeps a copy."""
    for name, file in _inheritance(run).items():
        if file.is_file():
            try:
                os.link(file, target / name)
            except OSError:  # a file system without links
                shutil.copyfile(file, target / name)


def take_over(source: Path, run: RunFolder) -> None:
    """Put weights and figures, of another trial or of this one before it paused, into a run folder."""
    for name, file in _inheritance(run).items():
        if (source / name).is_file():
            with atomic_path(file) as temporary:
                shutil.copyfile(source / name, temporary)
