from __future__ import annotations

import threading
from typing import Any

import pytest

from trainlib.errors import DataError
from trainlib.processes.exchange import Exchange
from trainlib.processes.failure import Failure, Failures


@pytest.fixture
def store() -> Any:
    from torch.distributed import HashStore

    return HashStore()


def exchanges(store: Any, size: int) -> list[Exchange]:
    return [Exchange(store, Failures(store, rank), rank, size) for rank in range(size)]


def side_by_side(calls: list[Any]) -> list[Any]:
    found: list[Any] = [None] * len(calls)

    def run(rank: int) -> None:
        found[rank] = calls[rank]()

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    return found


def test_all_get_the_values_of_all_time_after_time_in_the_order_of_their_numbers(store: Any) -> None:
    def times(exchange: Exchange, rank: int) -> Any:
        return lambda: [exchange.gather((rank, time)) for time in range(50)]

    found = side_by_side([times(exchange, rank) for rank, exchange in enumerate(exchanges(store, 3))])
    expected = [[(rank, time) for rank in range(3)] for time in range(50)]
    assert found == [expected] * 3


def test_the_store_keeps_no_more_than_the_last_two_times(store: Any) -> None:
    before = store.num_keys()
    side_by_side([lambda e=exchange: [e.gather(0) for _ in range(50)] for exchange in exchanges(store, 2)])
    assert store.num_keys() - before <= 4


def test_who_waits_ends_with_the_error_of_the_process_that_failed(store: Any) -> None:
    waiting = exchanges(store, 2)[0]
    Failures(store, 1).announce(Failure.of(DataError("a.csv:2: is empty."), 1))
    with pytest.raises(DataError, match=r"a\.csv:2: is empty\."):
        waiting.gather(1)
