"""Things done in the background: all of them, in their order, and told when they fail."""

from __future__ import annotations

import threading
import time

import pytest

from trainlib.errors import DataError
from trainlib.system.background import Background


def test_all_is_done_in_order_when_it_is_finished() -> None:
    background, done = Background(), []
    for number in range(20):
        background.do(lambda number=number: done.append(number))  # type: ignore[misc]
    background.finish()
    assert done == list(range(20))


def test_what_is_begun_does_not_hold_the_program_up() -> None:
    background, go, done = Background(), threading.Event(), []
    background.do(lambda: (go.wait(10), done.append(1)))
    background.do(lambda: done.append(2))
    assert done == []
    go.set()
    background.finish()
    assert done == [1, 2]


def test_no_more_waits_than_may() -> None:
    background, go, handed = Background(waiting=1), threading.Event(), []

    def hand() -> None:
        for number in range(5):
            background.do(lambda: go.wait(10))
            handed.append(number)

    threading.Thread(target=hand, daemon=True).start()
    time.sleep(0.3)
    assert len(handed) <= 2  # one is being done, one waits
    go.set()


def test_a_failure_is_raised_with_the_next_thing_or_at_the_end_and_nothing_is_done_after_it() -> None:
    done: list[int] = []

    def fail() -> None:
        raise DataError("no room")

    background = Background()
    background.do(fail)
    with pytest.raises(DataError, match="no room"):
        background.finish()

    def hand() -> None:
        for _ in range(100):
            background.do(lambda: done.append(1))
            time.sleep(0.01)

    background = Background()
    background.do(fail)
    with pytest.raises(DataError, match="no room"):
        hand()
    background.finish()
    assert done == []


def test_what_is_abandoned_comes_to_its_end_and_what_waits_is_dropped() -> None:
    background, begun, done = Background(), threading.Event(), []
    background.do(lambda: (begun.set(), time.sleep(0.2), done.append(1)))
    begun.wait(10)
    background.do(lambda: done.append(2))
    assert background.abandon(10)
    assert done == [1]


def test_what_takes_too_long_is_left() -> None:
    background, begun, go = Background(), threading.Event(), threading.Event()
    background.do(lambda: (begun.set(), go.wait(10)))
    begun.wait(10)
    assert not background.abandon(0.05)
    go.set()
