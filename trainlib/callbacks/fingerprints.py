"""snapshot/data.csv: size and SHA-256 of every image and label file."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType

from lightning import Callback, LightningModule, Trainer

from trainlib.callbacks.harmless import harmless
from trainlib.config.schema import Config
from trainlib.data.fingerprint import (
    CHANGED,
    TABLE,
    Fingerprint,
    data_files,
    fingerprint,
    read_fingerprints,
    write_fingerprints,
)
from trainlib.folders.run import RunFolder

log = logging.getLogger(__name__)

_NICENESS = 10
_PATIENCE = 2.0  # seconds that a run which failed or was interrupted waits for the thread to notice
_MOST_NAMES = 3


class Fingerprints(Callback, AbstractContextManager[None]):
    """Hashes the data files of all splits while the network trains, so that a repetition can tell whether they changed.

    Every byte of every file is read once more, in a thread of its own and with the least right to a core: about
    1.5 GB a second where the disk gives that much, so that 100 GB take one to ten minutes. The training does not wait
    for it, unless it is over before: then the end of the run does. What is known is written after each epoch. A
    resumed run reads only files that are new, or whose size or time of change is not what it was. Of an image in
    several files (``.hdr`` with ``.img``, ``.mhd`` with ``.raw``) the one that the CSV names is hashed.

    Args:
        config: The config.
        folder: The run folder.
    """

    def __init__(self, config: Config, folder: RunFolder) -> None:
        self.config = config
        self.table = folder.snapshot / TABLE
        self._known: dict[str, Fingerprint] = {}
        self._files: dict[str, Path] = {}
        self._written = 0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> None:
        """Begin nothing yet: `on_fit_start` does, and the end of this block waits for the rest."""

    @harmless
    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start to read; what an earlier part of the run has read is not read again."""
        if trainer.is_global_zero:
            self.start(data_files(trainer.datamodule.cases, self.config.data.root))

    def start(self, files: Mapping[str, Path]) -> None:
        """Start the thread.

        Args:
            files: Name in the table -> file.
        """
        self._files = dict(files)
        earlier = read_fingerprints(self.table)
        self._known = {
            name: earlier[name] for name in files if name in earlier and earlier[name].looks_like(files[name])
        }
        self._written = len(self._known) if self._known.keys() == earlier.keys() else -1
        wanted = [name for name in files if name not in self._known]
        self._thread = threading.Thread(target=self._work, args=(wanted, earlier), name="fingerprints", daemon=True)
        self._thread.start()

    def _work(self, wanted: list[str], earlier: Mapping[str, Fingerprint]) -> None:
        """Read the files one after the other. Nothing is written or logged here: workers are forked meanwhile."""
        if sys.platform == "linux":  # elsewhere the priority is that of the whole process
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
        for name in wanted:
            taken = fingerprint(self._files[name], name, self._stop.is_set)
            if taken is None:
                return
            before = earlier.get(name)
            if before and before.sha256 and taken.sha256 and (before.sha256 != taken.sha256 or before.note == CHANGED):
                taken = Fingerprint(taken.path, taken.bytes, taken.modified, taken.sha256, CHANGED)
            self._known[name] = taken

    @harmless
    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Bring the table up to date, so that a killed run keeps what was read."""
        self._write()

    def _write(self) -> None:
        known = dict(self._known)  # the thread may be adding to it
        if self._thread is not None and len(known) != self._written:
            write_fingerprints(self.table, (known[name] for name in self._files if name in known))
            self._written = len(known)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Wait for the rest where the run has come to its end; otherwise keep what there is."""
        try:
            if kind is None:
                self._wait()
        finally:
            self._stop.set()
            self._finish()

    @harmless
    def _wait(self) -> None:
        if self._thread is None:
            return
        self._thread.join(_PATIENCE)
        if self._thread.is_alive():
            left = len(self._files) - len(self._known)
            log.info("Reading the last %d of %d data files for their hashes.", left, len(self._files))
            self._thread.join()

    @harmless
    def _finish(self) -> None:
        if self._thread is None:
            return
        self._thread.join(_PATIENCE)
        self._write()
        known = [self._known[name] for name in self._files if name in self._known]
        _tell([row.path for row in known if not row.sha256], "could not be read to be hashed")
        _tell([row.path for row in known if row.note == CHANGED], f"{CHANGED}, so that it cannot be repeated")


def _tell(names: list[str], what: str) -> None:
    if names:
        more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
        files = "1 data file" if len(names) == 1 else f"{len(names)} data files"
        log.warning("%s %s: %s%s.", files, what, ", ".join(names[:_MOST_NAMES]), more)
