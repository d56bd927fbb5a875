"""Read many files side by side."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any

from trainlib.check.reading import Facts, File, read_facts

PATIENCE = 1.0
"""Seconds for which small files are read here: a process takes as long to start."""
_SMALL = 4 * 2**20  # bytes of a file that may be read here; a large one might take all memory
_THREADS = 8  # read headers: what takes time there is a disk that is far away
_KILLED = "the process that read it was ended by the system, most likely because memory ran out"


def read_headers(files: Iterable[File], dims: int) -> dict[File, Facts]:
    """Read the headers of files.

    Args:
        files: The files; each is read once.
        dims: Spatial dimensions of the images.
    """
    unique = list(dict.fromkeys(files))
    with ThreadPoolExecutor(_THREADS) as pool:
        return dict(zip(unique, pool.map(lambda file: read_facts(file, dims, voxels=False), unique), strict=True))


def read_voxels(
    files: Iterable[File], dims: int, workers: int, advance: Callable[[], Any] = lambda: None
) -> dict[File, Facts]:
    """Read files with all their voxels.

    Args:
        files: The files; each is read once.
        dims: Spatial dimensions of the images.
        workers: Processes that read; with fewer than two this one does, as it does while files are few and small.
        advance: Called for each file that was read.
    """
    unique = list(dict.fromkeys(files))
    found: dict[File, Facts] = {}
    end = time.monotonic() + PATIENCE
    for file in unique:
        if workers > 1 and (time.monotonic() > end or _size(file) > _SMALL):
            break
        found[file] = read_facts(file, dims, voxels=True)
        advance()
    for file, facts in _side_by_side([file for file in unique if file not in found], dims, workers):
        found[file] = facts
        advance()
    # A process that dies takes the work of the others with it: what is left is read one by one, to find the culprit.
    for file in [file for file in unique if file not in found]:
        [(_, found[file])] = [*_side_by_side([file], dims, 1)] or [(file, Facts(error=_KILLED))]
        advance()
    return {file: found[file] for file in unique}


def _side_by_side(files: Sequence[File], dims: int, workers: int) -> Iterator[tuple[File, Facts]]:
    """Yield files as they are read; those that are left when a process dies are not."""
    if not files:
        return
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(min(workers, len(files)), multiprocessing.get_context("spawn"), _end_with_parent)
    try:
        with _signals_kept_from_children():
            jobs: dict[Future[Facts], File] = {pool.submit(read_facts, file, dims, voxels=True): file for file in files}
        for job in as_completed(jobs):
            yield jobs[job], job.result()
    except BrokenProcessPool:
        return
    except BaseException:  # an interruption waits for no file
        for child in set(multiprocessing.active_children()) - others:
            child.kill()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _signals_kept_from_children() -> Iterator[None]:
    """Block Ctrl-C and SIGTERM while processes are started: they stay blocked there, and arrive here afterwards.

    A terminal sends Ctrl-C to all processes, each of which would end with a traceback of its own.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_with_parent() -> None:
    """End at once when the parent process is killed, which cannot say so any more."""
    parent = multiprocessing.parent_process()

    def wait() -> None:
        if parent is not None:
            parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _size(file: File) -> int:
    try:
        return file.path.stat().st_size
    except OSError:
        return 0
