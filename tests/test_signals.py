from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from trainlib.errors import Interrupted
from trainlib.signals import interruptible

BOTH = (signal.SIGINT, signal.SIGTERM)


def _arrives(number: int) -> None:
    os.kill(os.getpid(), number)
    time.sleep(5)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_block_with_its_exit_status(number: int, status: int) -> None:
    before = [signal.getsignal(each) for each in BOTH]
    with pytest.raises(Interrupted, match=f"interrupted by signal {number}") as caught, interruptible():
        _arrives(number)
    assert caught.value.exit_status == status
    assert [signal.getsignal(each) for each in BOTH] == before


def test_no_exception_handler_swallows_an_interruption() -> None:
    def work() -> None:
        try:
            _arrives(signal.SIGTERM)
        except Exception:
            pytest.fail("swallowed")

    with pytest.raises(Interrupted), interruptible():
        work()


def test_a_second_signal_does_not_disturb_the_ending() -> None:
    ended = []

    def work() -> None:
        try:
            _arrives(signal.SIGINT)
        finally:
            for number in BOTH:
                os.kill(os.getpid(), number)
            ended.append(True)

    with pytest.raises(Interrupted), interruptible():
        work()
    assert ended == [True]


def test_without_a_signal_the_handlers_come_back() -> None:
    before = [signal.getsignal(each) for each in BOTH]
    with interruptible():
        assert [signal.getsignal(each) for each in BOTH] != before
    assert [signal.getsignal(each) for each in BOTH] == before


def test_a_process_forked_inside_the_block_just_ends() -> None:
    with interruptible():
        child = os.fork()
        if child == 0:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)
            os._exit(0)
        _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 143


def test_in_another_thread_signals_are_left_alone() -> None:
    before, seen = signal.getsignal(signal.SIGTERM), []

    def work() -> None:
        with interruptible():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]
