"""Keep prepared cases in memory or on disk."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import torch

from trainlib.build.patches import describe
from trainlib.data.prepare import Preparation, Prepared
from trainlib.data.splits import Case
from trainlib.data.storage import packed, unpacked
from trainlib.errors import DataError, DiskFullError
from trainlib.system.files import atomic_path, remove_leftovers

log = logging.getLogger(__name__)

_DAY = 86_400.0  # seconds


class NoCache:
    """Prepares a case each time.

    Args:
        prepare: The base transforms.
    """

    keeps = False
    """Whether a case that was prepared need not be prepared again."""
    shared = True
    """Whether what one of several processes prepares is there, or checked, for all of them."""

    def __init__(self, prepare: Callable[[Case], Prepared]) -> None:
        self.prepare = prepare

    def get(self, case: Case, needed: Collection[str] | None = None) -> Prepared:
        """Return the prepared case: at least what is needed of it, which is all by default."""
        return self.prepare(case)

    def has(self, case: Case) -> bool:
        """Tell whether the case can be had without preparing it."""
        return False

    def fill(self, case: Case) -> Prepared | None:
        """Prepare a case ahead of its use; what is returned goes to `put` in the training process."""
        self.prepare(case)
        return None

    def put(self, case: Case, prepared: Prepared) -> None:
        """Keep what `fill` returned."""

    def sweep(self) -> None:
        """Remove what a killed process has left half written."""


class MemoryCache(NoCache):
    """Keeps every case in the memory of the training process; workers started later share it."""

    keeps = True
    shared = False

    def __init__(self, prepare: Callable[[Case], Prepared]) -> None:
        super().__init__(prepare)
        self._kept: dict[Case, Prepared] = {}

    def get(self, case: Case, needed: Collection[str] | None = None) -> Prepared:
        """Return a copy of the prepared case, for a transform may work in place."""
        if case not in self._kept:
            self._kept[case] = self.prepare(case)
        return _copy(self._kept[case])

    def has(self, case: Case) -> bool:
        """Tell whether the case is in memory."""
        return case in self._kept

    def fill(self, case: Case) -> Prepared | None:
        """Prepare a case in whatever process this runs in."""
        return self.prepare(case)

    def put(self, case: Case, prepared: Prepared) -> None:
        """Keep a copy that no longer lives in memory shared with a worker, which would cost an open file."""
        self._kept[case] = _copy(prepared)


class DiskCache(NoCache):
    """Keeps every case in a file that is mapped into memory, so that only what is used is read.

    A file is named after the image and label files (path, size and time of change) and the complete
    specification of the base transforms. Runs, folds and trials that agree in these share it; whoever differs
    writes another one.

    Args:
        prepare: The base transforms.
        folder: Where the files are.
    """

    keeps = True

    def __init__(self, prepare: Preparation, folder: Path) -> None:
        super().__init__(prepare)
        self.folder = folder
        self._described = json.dumps(prepare.fingerprint())
        self._names: dict[Case, str] = {}

    def path(self, case: Case) -> Path:
        """Name the file of a case, as the case's files were when they were first asked for."""
        return Path(self._place(case))

    def _place(self, case: Case) -> str:
        """Write the path as a text: of many cases, objects would take much memory and time."""
        name = self._names.get(case)
        if name is None:
            files = [_identity(path) for path in (*case.images, case.label) if path is not None]
            digest = hashlib.sha256(f"[{json.dumps(files)}, {self._described}]".encode()).hexdigest()
            name = self._names[case] = digest[:34]
        return os.path.join(self.folder, name[:2], f"{name[2:]}.safetensors")

    def get(self, case: Case, needed: Collection[str] | None = None) -> Prepared:
        """Return the prepared case; a file that cannot be read is written anew."""
        path = self.path(case)
        try:
            prepared: Prepared = unpacked(path, needed)
        except FileNotFoundError:
            return self._write(case)
        except Exception as error:
            log.warning("The cache file %s cannot be read (%s); it is made again.", path, describe(error))
            return self._write(case)
        return prepared

    def has(self, case: Case) -> bool:
        """Tell whether the case is on disk."""
        return os.path.isfile(self._place(case))

    def fill(self, case: Case) -> Prepared | None:
        """Write the case to disk."""
        self._write(case)
        return None

    def sweep(self) -> None:
        """Remove files that nobody has written to for a day; younger ones may be those of another run."""
        remove_leftovers(self.folder, _DAY)

    def _write(self, case: Case) -> Prepared:
        prepared = self.prepare(case)
        try:
            with atomic_path(self.path(case)) as temporary:
                temporary.write_bytes(packed(prepared))
        except DiskFullError as error:
            told = str(error).removesuffix(".")
            raise DiskFullError(
                f"{told}, or name another folder in data.cache_dir, or set data.cache to memory or none."
            ) from error
        except OSError as error:
            raise DataError(
                f"{case}: {self.folder} cannot be written: {describe(error)}. Name another folder in "
                "data.cache_dir, or set data.cache to memory or none."
            ) from error
        return prepared


def _copy(prepared: Prepared) -> Prepared:
    return {key: value.clone() if isinstance(value, torch.Tensor) else value for key, value in prepared.items()}


def _identity(path: Path) -> list[Any]:
    stat = os.stat(path)
    return [str(path), stat.st_size, stat.st_mtime_ns]


def make_cache(prepare: Preparation, kind: str, folder: Path) -> NoCache:
    """Make the cache that the config asks for.

    Args:
        prepare: The base transforms.
        kind: ``none``, ``memory`` or ``disk``.
        folder: Where a disk cache keeps its files.
    """
    if kind == "disk":
        return DiskCache(prepare, folder)
    return MemoryCache(prepare) if kind == "memory" else NoCache(prepare)
