"""What the processes of a run tell each other; a process that is alone talks to itself."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from trainlib.errors import Interrupted
from trainlib.processes.exchange import Exchange
from trainlib.processes.failure import Failure, Failures
from trainlib.processes.place import Place
from trainlib.processes.store import START, START_LIMIT, connect, leave, wait_for_all
from trainlib.processes.watch import watched

T = TypeVar("T")

CHECKPOINT = "checkpoint"
"""Name of the note on where a training can be continued."""
_COLLECTIVE = timedelta(minutes=30)
"""Time that a step of a training waits for the other processes, as in Lightning."""
_NOTHING: Any = object()


@dataclass
class _Group:
    """The processes that this one has joined."""

    place: Place
    store: Any
    failures: Failures
    exchange: Exchange
    meetings: Iterator[int]


_joined: list[_Group] = []  # none or one
_runs = itertools.count()


def rank() -> int:
    """Return the number of this process."""
    return _joined[0].place.rank if _joined else 0


def size() -> int:
    """Return the number of processes."""
    return _joined[0].place.size if _joined else 1


def local_size() -> int:
    """Return the number of processes on this machine."""
    return _joined[0].place.local_size if _joined else 1


def is_first() -> bool:
    """Tell whether this is the process that writes the run folder."""
    return rank() == 0


def gather(value: T) -> list[T]:
    """Return the values of all processes, in the order of their numbers; all must call it."""
    return _joined[0].exchange.gather(value) if _joined else [value]


def interleaved(values: Sequence[T]) -> list[T]:
    """Bring what each process has of a split into the order of the split, whose cases they took in turns."""
    turns = itertools.zip_longest(*gather(list(values)), fillvalue=_NOTHING)
    return [value for turn in turns for value in turn if value is not _NOTHING]


def broadcast(value: T) -> T:
    """Return the value of the first process; all must call it."""
    return gather(value if is_first() else None)[0]  # type: ignore[return-value]


def decided(choose: Callable[[], T]) -> T:
    """Let the first process choose, and return what it chose; what goes wrong there goes wrong everywhere.

    Args:
        choose: Called in the first process alone.
    """
    if not _joined:
        return choose()
    chosen: Any = None
    error: Exception | None = None
    failure: Failure | None = None
    if is_first():
        try:
            chosen = choose()
        except Exception as raised:
            error, failure = raised, Failure.of(raised, 0)
            with suppress(RuntimeError):  # the store may be gone
                _joined[0].failures.announce(failure)  # at once, for another process may end before this one
    failure, chosen = broadcast((failure, chosen))
    if error is not None:
        raise error
    if failure is not None:
        raise failure.error()
    return chosen


def true_anywhere(value: bool) -> bool:
    """Tell whether `value` is true in any of the processes; all must call it."""
    return any(gather(value))


def meet() -> None:
    """Wait until all processes are here, however long it takes.

    Raises:
        BaseException: What one of them failed with meanwhile.
    """
    if _joined:
        group = _joined[0]
        wait_for_all(group.store, group.failures, f"meeting {next(group.meetings)}", group.place.size)


def note(name: str, text: str) -> None:
    """Leave word for whoever started this process, to be read even when it cannot answer any more."""
    if _joined:
        _joined[0].store.set(name, text)


@contextmanager
def agreed() -> Iterator[None]:
    """Let all processes end with the error of the one that fails first.

    Raises:
        BaseException: That error.
    """
    try:
        yield
    except BaseException as error:
        if not _joined or getattr(error, "told_by", None) is not None:
            raise
        known = _joined[0].failures
        try:
            common = known.agree(error)
        except Interrupted as interruption:  # while it waited for the reason
            common = known.agree(interruption)
        if common is error:
            raise
        raise common from None


@contextmanager
def joined(place: Place, *, cuda: bool) -> Iterator[None]:
    """Join the other processes for the block; it begins when all are there, and ends when all are through.

    Args:
        place: The place of this process.
        cuda: Whether GPUs of NVIDIA or AMD are used.

    Raises:
        BaseException: The error of the process that failed first.
    """
    run = next(_runs)
    store = connect(place, run)
    failures = Failures(store, place.rank)
    exchange = Exchange(store, failures, place.rank, place.size)
    _joined.append(_Group(place, store, failures, exchange, itertools.count()))
    try:
        with watched(place, run, failures), agreed(), warnings.catch_warnings():
            # What the processes have gathered is the same in all of them.
            warnings.filterwarnings("ignore", message="It is recommended to use `self.log.*sync_dist=True")
            wait_for_all(store, failures, START, place.size, START_LIMIT)
            with _process_group(place, store, cuda), agreed():
                yield
                meet()
        leave(store, place)
    finally:
        _joined.clear()


@contextmanager
def _process_group(place: Place, store: Any, cuda: bool) -> Iterator[None]:
    """Make torch's own group for the block; whatever happens, the same processes can make another one afterwards."""
    import torch.distributed

    torch.distributed.init_process_group(
        # What the processes tell each other needs no GPU.
        "cpu:gloo,cuda:nccl" if cuda else "gloo",
        store=torch.distributed.PrefixStore("group", store),  # type: ignore[attr-defined]
        rank=place.rank,
        world_size=place.size,
        timeout=_COLLECTIVE,
    )
    try:
        yield
    except BaseException:
        with suppress(Exception):  # not every version can do this with every backend
            # What is still to be sent or received is given up: the others may be gone.
            torch.distributed.distributed_c10d._abort_process_group()
        raise
    finally:
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
