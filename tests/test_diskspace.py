"""A disk that is full, in words; `/dev/full` is one that always is."""

from __future__ import annotations

import errno
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from trainlib.errors import DiskFullError
from trainlib.system.diskspace import explain_full_disk, is_full, quiet_writers, room_for
from trainlib.trainer import explained

FULL = Path("/dev/full")
ON_LINUX = pytest.mark.skipif(not FULL.exists(), reason="only Linux has /dev/full")


def usage(free: float, total: float = 8e9) -> Callable[[object], SimpleNamespace]:
    return lambda _: SimpleNamespace(free=free, total=total)


def write() -> None:
    with FULL.open("wb", buffering=0) as file:
        file.write(b"x")


@ON_LINUX
def test_the_sentence_names_the_file_and_what_is_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", usage(40_960))
    with pytest.raises(DiskFullError) as caught, room_for(tmp_path / "new" / "last.ckpt"):
        write()
    expected = (
        f"{tmp_path}/new/last.ckpt cannot be written: the disk is full (41.0 kB free of 8.0 GB). Free some space there."
    )
    assert str(caught.value) == expected
    assert caught.value.exit_status == 1


@ON_LINUX
def test_the_innermost_file_is_named(tmp_path: Path) -> None:
    def clean_up() -> None:
        try:
            with room_for(Path("/a/inner")):
                write()
        finally:
            write()  # which fails as well

    with pytest.raises(DiskFullError, match=r"^/a/inner cannot be written"), room_for(Path("/a")):
        clean_up()


def test_what_a_library_makes_of_it_is_understood(tmp_path: Path) -> None:
    def wrapped() -> None:
        try:
            write()
        except OSError as error:
            raise ValueError("you tried to log 3") from error

    def hidden() -> None:
        try:
            write()
        except OSError:
            raise RuntimeError("unexpected pos 704")  # noqa: B904

    def listed() -> None:
        raise shutil.Error([("a", "b", f"[Errno 28] {os.strerror(errno.ENOSPC)}: 'b'")])

    for fails in (wrapped, hidden, listed):
        with pytest.raises(DiskFullError, match=r"/runs cannot be written: the disk is full"), room_for(Path("/runs")):
            fails()


@pytest.mark.parametrize(
    "error", [PermissionError(errno.EACCES, "no"), ValueError("x"), shutil.Error([("a", "b", "x")])]
)
def test_other_errors_stay_as_they_are(error: Exception) -> None:
    assert not is_full(error)
    assert explain_full_disk(error) is None
    with pytest.raises(type(error)) as caught, room_for(Path("/a")):
        raise error
    assert caught.value is error


def test_a_quota_is_called_so() -> None:
    with (
        pytest.raises(DiskFullError, match=r"^/a/b cannot be written: your share .* \(quota\)"),
        room_for(Path("/a/b")),
    ):
        raise OSError(errno.EDQUOT, "Disk quota exceeded")


def test_where_nobody_knows_the_file_the_system_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", usage(0))
    copied = OSError(errno.ENOSPC, "No space left on device", "/from", None, "/to")
    assert str(explain_full_disk(copied)).startswith("/to cannot be written: the disk is full (0 bytes free of ")


def test_a_file_that_the_system_names_is_told_in_place_of_the_run_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", usage(0))

    def write(name: str) -> None:
        try:
            raise OSError(errno.ENOSPC, "No space left on device", name)
        except OSError as error:
            raise ValueError("a library") from error

    with pytest.raises(DiskFullError, match=r"^/dev/shm/torch_7 cannot be written"), room_for(Path("/runs/heart")):
        write("/dev/shm/torch_7")
    with pytest.raises(DiskFullError, match=r"^/runs/last\.ckpt cannot be written"), room_for(Path("/runs/last.ckpt")):
        write("/runs/.writing-a1b2-last.ckpt")


@pytest.mark.parametrize("kind", [ValueError, KeyError, TypeError])
def test_a_full_disk_is_found_behind_any_error_of_a_library(kind: type[Exception]) -> None:
    def fail() -> None:
        try:
            raise OSError(errno.ENOSPC, "No space left on device", "/dev/shm/torch_7")
        except OSError as error:
            raise kind("x") from error

    with pytest.raises(DiskFullError, match=r"^/dev/shm/torch_7 cannot be written"), explained():
        fail()
    with pytest.raises(kind, match="x"), explained():
        raise kind("x")
    told = DiskFullError("full")
    with pytest.raises(DiskFullError) as caught, explained():
        raise told
    assert caught.value is told
    assert told.__cause__ is None


def test_where_nothing_is_named_the_full_disks_are(monkeypatch: pytest.MonkeyPatch) -> None:
    error = OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(0 if str(path) == "/dev/shm" else 1e9)(path))
    assert str(explain_full_disk(error)) == "There is no room left on /dev/shm. Free some space there."
    monkeypatch.setattr(shutil, "disk_usage", usage(1e9))
    assert str(explain_full_disk(error)) == "There is no room left on a disk. Free some space there."


@pytest.mark.parametrize(
    ("free", "text"), [(0, "0 bytes"), (999, "999 bytes"), (1500, "1.5 kB"), (123_456_789, "123 MB"), (5e12, "5000 GB")]
)
def test_sizes_are_short(monkeypatch: pytest.MonkeyPatch, free: float, text: str) -> None:
    monkeypatch.setattr(shutil, "disk_usage", usage(free))
    with pytest.raises(DiskFullError, match=rf"\({text} free of 8\.0 GB\)"), room_for(Path("/a")):
        raise OSError(errno.ENOSPC, "")


@pytest.mark.parametrize(("number", "told"), [(errno.ENOSPC, False), (errno.EIO, True)])
def test_a_thread_that_finds_no_room_ends_without_a_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, number: int, told: bool
) -> None:
    monkeypatch.setattr(threading, "excepthook", threading.__excepthook__)  # not that of pytest

    def work() -> None:
        raise OSError(number, "no")

    with quiet_writers():
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert ("Traceback" in capsys.readouterr().err) == told
    assert threading.excepthook is threading.__excepthook__
