from __future__ import annotations

import hashlib
import multiprocessing
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from trainlib.errors import Interrupted
from trainlib.system import signals
from trainlib.system.signals import interruptible

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


def test_a_signal_where_python_ignores_errors_is_sent_again() -> None:
    class Careless:
        def __del__(self) -> None:
            _arrives(signal.SIGTERM)

    def work() -> None:
        careless = Careless()
        del careless
        time.sleep(5)
        pytest.fail("lost")

    with pytest.raises(Interrupted), interruptible():
        work()


def test_a_signal_comes_out_as_one_whatever_the_ending_runs_into() -> None:
    def work() -> None:
        try:
            _arrives(signal.SIGTERM)
        finally:
            raise RuntimeError("DataLoader worker (pid 7) exited unexpectedly")

    with pytest.raises(Interrupted) as caught, interruptible():
        work()
    assert caught.value.exit_status == 143
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_a_block_in_another_leaves_the_handlers_to_it() -> None:
    with interruptible():
        outer = signal.getsignal(signal.SIGTERM)
        with pytest.raises(Interrupted), interruptible():
            _arrives(signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)  # the second, which disturbs nothing
        assert signal.getsignal(signal.SIGTERM) is outer


def test_a_worker_that_ends_with_the_run_raises_no_error() -> None:
    def careful(number: int, frame: object) -> None:
        raise RuntimeError("a worker has ended")

    def work() -> None:
        try:
            _arrives(signal.SIGTERM)
        finally:
            subprocess.run(["true"], check=True)

    before = signal.signal(signal.SIGCHLD, careful)
    try:
        with pytest.raises(Interrupted) as caught, interruptible():
            work()
        assert caught.value.__cause__ is None
        assert signal.getsignal(signal.SIGCHLD) is careful
    finally:
        signal.signal(signal.SIGCHLD, before)


def ended(work: Callable[[], None], monkeypatch: pytest.MonkeyPatch, patience: float, ending: float) -> int:
    """Do something in a process of its own, which is cut off after a signal; return its status."""
    monkeypatch.setattr(signals, "_PATIENCE", patience)
    monkeypatch.setattr(signals, "ENDING", ending)
    child = os.fork()
    if child == 0:
        try:
            with signals.cut_off(lambda number: None), interruptible():
                work()
        finally:
            os._exit(7)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def test_a_process_that_hears_of_no_signal_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    def busy() -> None:
        threading.Timer(1.0, interrupt).start()  # when the library has been busy for long
        hashlib.pbkdf2_hmac("sha256", b"", b"", 2_000_000_000)  # many minutes in a library

    assert ended(busy, monkeypatch, 0.3, 0.6) == 143


def test_a_process_that_swallows_its_interruption_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    def deaf() -> None:
        with suppress(BaseException):
            interrupt()
            time.sleep(60)
        time.sleep(60)

    assert ended(deaf, monkeypatch, 0.3, 0.6) == 143


def test_a_worker_that_does_not_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    def hold() -> None:
        worker = multiprocessing.get_context("fork").Process(target=stubborn, daemon=True)
        worker.start()
        try:
            interrupt()
            time.sleep(60)
        finally:
            worker.join()
            os._exit(8 if worker.exitcode == -signal.SIGKILL else 9)

    assert ended(hold, monkeypatch, 0.3, 30.0) == 8


def stubborn() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(60)


def test_a_signal_to_a_child_is_none_to_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def terminate() -> None:
        worker = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
        worker.start()
        time.sleep(0.2)
        worker.terminate()
        worker.join()
        time.sleep(1.5)
        os._exit(0)

    assert ended(terminate, monkeypatch, 0.3, 0.6) == 0


@pytest.mark.parametrize("windows", [True, False])
def test_a_signal_that_is_sent_again_does_not_end_the_process_on_windows(
    monkeypatch: pytest.MonkeyPatch, windows: bool
) -> None:
    raised: list[int] = []
    killed: list[tuple[int, int]] = []
    monkeypatch.setattr(signals, "_WINDOWS", windows)
    monkeypatch.setattr(signal, "raise_signal", raised.append)
    monkeypatch.setattr(os, "kill", lambda *arguments: killed.append(arguments))
    signals._send(signal.SIGTERM)
    assert (raised, killed) == (([15], []) if windows else ([], [(os.getpid(), 15)]))
