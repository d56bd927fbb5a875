"""Train the members: one after the other in this process, or several side by side through Ray."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from trainlib.callbacks import Record
from trainlib.cluster import cluster, share
from trainlib.ensemble.members import Member, train_member
from trainlib.errors import InputError, Interrupted, ResourceError, TrainlibError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Outcome:
    """How the training of a member on a worker ended.

    Attributes:
        problem: What went wrong, in words; empty where nothing did.
        input_error: Whether it is the user's to correct.
    """

    problem: str = ""
    input_error: bool = False


def train_members(
    members: Sequence[Member], record: Record | None = None, *, parallel: int = 1, address: str | None = None
) -> None:
    """Train what is not finished yet.

    Args:
        members: The members.
        record: How the ensemble was started.
        parallel: Members that are trained at a time; more than one are so by Ray.
        address: Address of a running Ray cluster; None uses this machine.

    Raises:
        InputError: Something in a config, its CSVs, files or checkpoint is wrong.
        ResourceError: The machine ran out of something.
        Interrupted: A signal ended the training; what is finished stays so.
    """
    waiting = [member for member in members if not member.finished]
    for member in members:
        if member not in waiting:
            log.info("%s is finished already.", member.name)
    if not waiting:
        return
    if parallel == 1 and address is None:
        for member in waiting:
            with _named(member):
                train_member(member, record)
    else:
        _train_side_by_side(waiting, record, parallel, address)


@contextmanager
def _named(member: Member) -> Iterator[None]:
    """Begin what is told of a failure with the name of the member."""
    try:
        yield
    except TrainlibError as error:
        raise type(error)(f"{member.name}: {error}") from error


def _train_side_by_side(members: Sequence[Member], record: Record | None, parallel: int, address: str | None) -> None:
    """Give Ray as many members at a time as are to run; after a failure those that run are trained to their end."""
    waiting = deque(members)
    failures: list[_Outcome] = []
    with cluster(address) as ray:
        demand = share(ray, min(parallel, len(members)))
        train = ray.remote(max_retries=0, **demand)(_train_on_worker)
        running: dict[Any, Member] = {}
        while running or (waiting and not failures):
            while waiting and not failures and len(running) < parallel:
                member = waiting.popleft()
                running[train.remote(member, record, demand)] = member
            # Not for good, so that a signal is answered.
            for reference in ray.wait(list(running), timeout=1.0)[0]:
                member = running.pop(reference)
                outcome = _outcome(ray, reference)
                if outcome.problem:
                    failures.append(replace(outcome, problem=f"{member.name}: {outcome.problem}"))
    if failures:
        text = "\n".join(failure.problem for failure in failures)
        raise (InputError if all(failure.input_error for failure in failures) else ResourceError)(text)


def _outcome(ray: Any, reference: Any) -> _Outcome:
    """Fetch how a training ended; a bug of ours comes with the worker's traceback."""
    try:
        outcome: _Outcome = ray.get(reference)
    except ray.exceptions.RayTaskError:
        raise
    except ray.exceptions.RayError as error:
        first = str(error).strip().splitlines()[0]
        return _Outcome(
            "its process was ended by the system, most likely because memory ran out. Lower --parallel or "
            f"data.batch_size. (Ray said: {first})"
        )
    return outcome


def _train_on_worker(member: Member, record: Record | None, demand: dict[str, float]) -> _Outcome:
    """Train a member in a process of Ray."""
    folder = Path(member.config.run.root)
    if not folder.is_dir():
        text = f"run.root: a worker does not see {folder}. Put it and data.root on a disk that all machines share."
        return _Outcome(text, input_error=True)
    try:
        train_member(_with_its_share(member, demand), record)
    except InputError as error:
        return _Outcome(str(error), input_error=True)
    except TrainlibError as error:
        return _Outcome(str(error))
    except Interrupted:
        return _Outcome("it was interrupted. The same command continues.")
    return _Outcome()


def _with_its_share(member: Member, demand: dict[str, float]) -> Member:
    """Let a member prepare cases with no more processes than it has processors."""
    if member.config.data.num_workers != "auto":
        return member
    data = member.config.data.model_copy(update={"num_workers": max(0, min(8, int(demand["num_cpus"]) - 1))})
    return replace(member, config=member.config.model_copy(update={"data": data}))
