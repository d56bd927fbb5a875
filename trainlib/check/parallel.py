"""Read many files side by side."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import chain, islice
from typing import Any

from trainlib.check.reading import Facts, File, read_facts

PATIENCE = 1.0
"""Seconds for which small files are read here: a process takes as long to start."""
_SMALL = 4 * 2**20  # bytes of a file that may be read here; a large one might take all memory
_THREADS = 8  # read headers: what takes time there is a disk that is far away
_AT_ONCE = 32  # headers that are read before anything else is asked; to ask takes longer than to read one nearby
_FAR_AWAY = 3.0  # times as long as it works a process waits for a disk that is far away
_KILLED = "the process that read it was ended by the system, most likely because memory ran out"


def read_headers(files: Iterable[File], dims: int) -> dict[File, Facts]:
    """Read the headers of files.

    Args:
        files: The files; each is read once.
        dims: Spatial dimensions of the images.
    """
    unique = list(dict.fromkeys(files))
    equal: dict[Facts, Facts] = {}  # most files are alike, and a million headers take memory
    return {file: equal.setdefault(facts, facts) for file, facts in zip(unique, _headers(unique, dims), strict=True)}


def _headers(files: Sequence[File], dims: int) -> Iterator[Facts]:
    """Yield what the headers say, in the order of the files."""

    def read(start: int) -> list[Facts]:
        return [read_facts(file, dims, voxels=False) for file in files[start : start + _AT_ONCE]]

    starts = range(0, len(files), _AT_ONCE)
    for number, start in enumerate(starts):
        begun, worked = time.monotonic(), time.thread_time()
        yield from read(start)
        waited = time.monotonic() - begun > _FAR_AWAY * (time.thread_time() - worked)
        if waited:  # for a disk; where nothing is waited for, threads are in each other's way
            with ThreadPoolExecutor(_THREADS) as pool:
                yield from chain.from_iterable(pool.map(read, starts[number + 1 :]))
            return


def read_voxels(
    files: Iterable[File], dims: int, workers: int, advance: Callable[[], Any] = lambda: None
) -> dict[File, Facts]:
    """Read files with all their voxels.

    Args:
        files: The files; each is read once.
        dims: Spatial dimensions of the images.
        workers: Processes that read; with fewer than two this one reads what is small, as it does while files are few.
        advance: Called for each file that was read.
    """
    unique = list(dict.fromkeys(files))
    found: dict[File, Facts] = {}

    def keep(file: File, facts: Facts) -> None:
        found[file] = facts
        advance()

    end = time.monotonic() + PATIENCE
    for file in unique:
        small = size_of(file) <= _SMALL
        if workers > 1 and (time.monotonic() > end or not small):
            break
        if small:
            keep(file, read_facts(file, dims, voxels=True))
    workers = max(workers, 1)
    while waiting := [file for file in unique if file not in found]:
        # Where a process dies, the culprit is among the files that were being read: each of them is read alone. Most
        # likely memory was short, which fewer processes need less of.
        for file in _read_in_pool(waiting, dims, workers, keep):
            if workers == 1 or _read_in_pool([file], dims, 1, keep):
                keep(file, Facts(error=_KILLED))
        workers = max(1, workers // 2)
    return {file: found[file] for file in unique}


def _read_in_pool(files: Sequence[File], dims: int, workers: int, keep: Callable[[File, Facts], None]) -> list[File]:
    """Read files in other processes, until one of them dies.

    Args:
        files: The files.
        dims: Spatial dimensions of the images.
        workers: Processes that read.
        keep: Called for each file that was read.

    Returns:
        The files that were being read when a process died; none where all were read.
    """
    others = set(multiprocessing.active_children())
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(workers, len(files)), context, _end_with_parent)
    rest, jobs = iter(files), dict[Future[Facts], File]()
    try:
        while True:
            with _signals_kept_from_children():  # no more files than processes, so as to know which were being read
                for file in islice(rest, workers - len(jobs)):
                    jobs[pool.submit(read_facts, file, dims, voxels=True)] = file
            if not jobs:
                return []
            done, _ = wait(jobs, return_when=FIRST_COMPLETED)
            for job in done:
                keep(jobs[job], job.result())
                del jobs[job]
    except BrokenProcessPool:
        return list(jobs.values())
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


def size_of(file: File) -> int:
    """Return the size of a file in bytes; 0 where there is none, or its name is none."""
    try:
        return os.path.getsize(file.path)
    except (OSError, ValueError):
        return 0
