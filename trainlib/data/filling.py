"""Prepare and check every case before the first epoch, so that nothing is found wrong in the middle."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import torch
from torch.utils.data import DataLoader

from trainlib.data.cache import NoCache
from trainlib.data.dataset import CaseFailure, FillDataset
from trainlib.data.splits import Case
from trainlib.data.workers import start_worker
from trainlib.errors import DataError, Problem
from trainlib.processes import decided, gather, meet, rank, size

log = logging.getLogger(__name__)

_MOST_FAILURES = 20  # cases named before the rest is only counted


def fill(cache: NoCache, cases: Sequence[Case], used: Sequence[int], workers: int) -> None:
    """Fill a cache with the cases that it does not have; several processes share the work where that serves them all.

    Args:
        cache: The cache.
        cases: The cases, the same in all processes.
        used: Numbers of the cases that this process may get.
        workers: Number of workers.

    Raises:
        DataError: Cases cannot be used; all processes name those that any of them found.
    """
    # Decided by one, because what others have written by now may be seen by some and not by others.
    missing = decided(lambda: _missing(cache, cases))
    if not missing:
        return
    log.info("Preparing %d of %d cases.", len(missing), len(cases))
    mine = missing[rank() :: size()] if cache.shared else [number for number in used if not cache.has(cases[number])]
    failures = _prepare(cache, cases, mine, workers)
    meet()
    sentences = [sentence for _, sentence in sorted({failure for part in gather(failures) for failure in part})]
    if sentences:
        rest = len(sentences) - _MOST_FAILURES
        more = [f"... and {rest} more cases."] if rest > 0 else []
        raise DataError(map(Problem, sentences[:_MOST_FAILURES] + more))


def _missing(cache: NoCache, cases: Sequence[Case]) -> list[int]:
    missing = [number for number, case in enumerate(cases) if not cache.has(case)]
    if missing:
        cache.sweep()  # before any process begins to write
    return missing


def _prepare(cache: NoCache, cases: Sequence[Case], numbers: Sequence[int], workers: int) -> list[tuple[int, str]]:
    """Prepare some of the cases, and return the numbers of those that failed, each with a sentence."""
    failures: list[tuple[int, str]] = []
    loader = DataLoader(
        FillDataset([cases[number] for number in numbers], cache),
        batch_size=None,
        num_workers=workers,
        worker_init_fn=start_worker,
        generator=torch.Generator(),
    )
    for number, result in zip(numbers, loader, strict=True):
        if isinstance(result, CaseFailure) and result.disk_full:
            raise result.error()  # so would all others
        if isinstance(result, CaseFailure):
            failures.append((number, result.sentence))
        elif result is not None:
            cache.put(cases[number], result)
    return failures
