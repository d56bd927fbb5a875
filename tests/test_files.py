from __future__ import annotations

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from trainlib.errors import DiskFullError
from trainlib.system import files
from trainlib.system.files import atomic_folder, atomic_path, read_rows, remove_leftovers, write_text


def test_a_file_appears_when_it_is_complete(tmp_path: Path) -> None:
    target = tmp_path / "new" / "folder" / "image.nii.gz"
    with atomic_path(target) as temporary:
        assert temporary.parent == target.parent
        assert temporary.name.endswith(".nii.gz")  # some writers choose the format by it
        temporary.write_bytes(b"half")
        assert not target.exists()
        temporary.write_bytes(b"whole")
    assert target.read_bytes() == b"whole"
    assert list(target.parent.iterdir()) == [target]


def test_the_content_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = []

    def fsync(file: int) -> None:
        synced.append((os.fstat(file).st_size, (tmp_path / "a").exists()))

    monkeypatch.setattr("os.fsync", fsync)
    write_text(tmp_path / "a", "four")
    assert synced == [(4, False)]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failed_write_leaves_what_was_there(tmp_path: Path, error: type[BaseException]) -> None:
    target = tmp_path / "table.csv"
    target.write_text("before")

    def write() -> None:
        with atomic_path(target) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        write()
    assert target.read_text() == "before"
    assert list(tmp_path.iterdir()) == [target]


def test_a_writer_that_replaces_the_temporary_file_is_fine(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "a") as temporary:
        temporary.unlink()
        temporary.write_text("again")
    assert (tmp_path / "a").read_text() == "again"


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_files_have_the_permissions_that_the_umask_leaves(tmp_path: Path, mask: int, mode: int) -> None:
    before = os.umask(mask)
    try:
        write_text(tmp_path / "a", "x")
        assert os.umask(mask) == mask
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == mode


def test_threads_that_write_at_once_leave_the_umask_as_it_is() -> None:
    before = os.umask(0o027)
    try:
        with ThreadPoolExecutor(4) as threads:
            found = list(threads.map(lambda _: files._umask(), range(20_000)))
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)
    assert set(found) == {0o027}


def test_text_is_written_as_it_stands(tmp_path: Path) -> None:
    write_text(tmp_path / "a", "Größe\r\n1\n")
    assert (tmp_path / "a").read_bytes() == b"Gr\xc3\xb6\xc3\x9fe\r\n1\n"


def test_a_file_that_finds_no_room_is_told_and_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "table.csv"
    target.write_text("before")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(DiskFullError, match=rf"^{target} cannot be written: the disk is full \(.* free of .*\)\. Free"):
        write_text(target, "after")
    assert target.read_text() == "before"
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_appears_when_it_is_complete(tmp_path: Path) -> None:
    target = tmp_path / "new" / "snapshot"
    with atomic_folder(target) as temporary:
        (temporary / "below").mkdir()
        (temporary / "below" / "a").write_text("x")
        assert not target.exists()
    assert [path.relative_to(target) for path in target.rglob("a")] == [Path("below/a")]
    assert list(target.parent.iterdir()) == [target]
    assert target.stat().st_mode == target.parent.stat().st_mode


def test_a_folder_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def write() -> None:
        with atomic_folder(tmp_path / "snapshot") as temporary:
            (temporary / "a").touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert list(tmp_path.iterdir()) == []


def test_leftovers_of_a_killed_process_are_removed(tmp_path: Path) -> None:
    (tmp_path / ".writing-x-snapshot" / ".writing-y-inner").mkdir(parents=True)
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / ".writing-z-metrics.csv").touch()
    (tmp_path / "logs" / "kept.csv").touch()
    (tmp_path / "logs" / ".writing-link").symlink_to(tmp_path / "logs")
    remove_leftovers(tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["kept.csv", "logs"]


TABLE = 'epoch,note\n0,one\n1,"a, b"\n2,three\n'


@pytest.mark.parametrize(
    ("text", "epochs", "told"),
    [
        (TABLE, ["0", "1", "2"], ""),
        (TABLE[:-3], ["0", "1"], "1 line is torn and left out."),
        (TABLE[:-7], ["0", "1"], "1 line is torn and left out."),
        (TABLE[:-8], ["0", "1"], ""),
        (TABLE + "\0\0\0\0", ["0", "1", "2"], "1 line is torn and left out."),
        (TABLE + "3,x,y\nx,y\n", ["0", "1", "2"], "2 lines are torn and left out."),
        (TABLE[:8], [], ""),
        ("", [], ""),
    ],
)
def test_rows_are_read_without_torn_lines(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str, epochs: list[str], told: str
) -> None:
    (tmp_path / "a.csv").write_text(text)
    rows = read_rows(tmp_path / "a.csv", lambda row: row["epoch"].isdigit())
    assert [row["epoch"] for row in rows] == epochs
    assert [record.getMessage() for record in caplog.records] == ([f"{tmp_path}/a.csv: {told}"] if told else [])


def test_a_missing_table_has_no_rows(tmp_path: Path) -> None:
    assert read_rows(tmp_path / "a.csv", lambda row: True) == []
