"""Mistakes that are found before the processes of a run have met."""

from __future__ import annotations

import socket
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from trainlib.errors import InputError, Problem
from trainlib.processes.failure import Failures
from trainlib.processes.place import Place
from trainlib.processes.refusal import only_here
from trainlib.processes.store import START, connect, wait_for_all

MISTAKES = [Problem("is missing.", "a.csv:3")]


@pytest.fixture
def places() -> list[Place]:
    """Places of two processes that SLURM has started."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return [Place(rank, 2, rank, 2, node=0, address="127.0.0.1", port=port) for rank in range(2)]


def _arrive(place: Place) -> None:
    """Wait for the others, as a process does that has found nothing."""
    store = connect(place, patience=20)
    wait_for_all(store, Failures(store, place.rank), START, place.size, limit=20)


def _both(first: Any, second: Any) -> list[Future[Any]]:
    with ThreadPoolExecutor(2) as pool:
        return [pool.submit(first), pool.submit(second)]


def test_a_process_without_mistakes_ends_with_those_that_the_first_alone_has_found(places: list[Place]) -> None:
    told, other = _both(lambda: only_here(places[0], MISTAKES, 20), lambda: _arrive(places[1]))
    assert told.result() is False  # it has told them already
    error = other.exception()
    assert isinstance(error, InputError)
    assert (error.problems, error.told_by) == (MISTAKES, 0)


def test_the_first_process_tells_the_mistakes_that_all_have_found(places: list[Place]) -> None:
    both = _both(*(lambda place=place: only_here(place, MISTAKES, 20) for place in places))
    assert [told.result() for told in both] == [False, False]


def test_a_process_tells_the_mistakes_that_it_alone_has_found(places: list[Place]) -> None:
    first, told = _both(lambda: _arrive(places[0]), lambda: only_here(places[1], MISTAKES, 20))
    assert told.result() is True
    error = first.exception()
    assert isinstance(error, InputError)
    assert error.told_by == 1


def test_a_process_that_nobody_joins_leaves_it_to_the_first(places: list[Place]) -> None:
    assert only_here(places[1], MISTAKES, 0.1) is False
    assert only_here(places[0], MISTAKES, 0.1) is False
