"""One process at a time: the lock of a folder."""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from trainlib.errors import ResourceError
from trainlib.system import lock
from trainlib.system.lock import held, is_held

FORK = multiprocessing.get_context("fork")


def hold(path: Path) -> None:
    with held(path, "it"):
        path.with_name("ready").touch()
        time.sleep(60)


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_second_process_is_told_who_holds_the_lock_until_that_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "new" / ".lock"
    process = FORK.Process(target=hold, args=(path,))
    process.start()
    try:
        wait_for(path.with_name("ready"))
        assert is_held(path)
        sentence = rf"^runs/a: another process works on it \(process {process.pid} on {socket.gethostname()}\)\. Wait"
        with pytest.raises(ResourceError, match=sentence), held(path, "runs/a", 0.1):
            pytest.fail("two at a time")
    finally:
        os.kill(process.pid or 0, signal.SIGKILL)
        process.join()
    with held(path, "runs/a", 0.0):
        assert path.read_text() == f"{socket.gethostname()} {os.getpid()}\n"
    assert not is_held(path)


def test_a_worker_that_outlives_its_process_does_not_hold_its_lock(tmp_path: Path) -> None:
    with held(tmp_path / "lock", "it"):
        worker = FORK.Process(target=time.sleep, args=(60,))
        worker.start()
    try:
        with held(tmp_path / "lock", "it", 30.0):
            assert worker.is_alive()
    finally:
        worker.kill()
        worker.join()


def test_a_file_system_without_locks_is_no_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(*_: Any) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(lock.fcntl, "flock", no_locks)
    with held(tmp_path / "lock", "it", 0.0), held(tmp_path / "lock", "it", 0.0):
        assert (tmp_path / "lock").exists()


def test_a_lock_that_cannot_be_written_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with held(tmp_path / "file" / "lock", "it", 0.0):
        assert not is_held(tmp_path / "file" / "lock")


def test_the_lock_of_nothing_is_not_held_and_not_made(tmp_path: Path) -> None:
    assert not is_held(tmp_path / "absent" / ".lock")
    assert list(tmp_path.iterdir()) == []
