from __future__ import annotations

import os
from pathlib import Path

import pytest

from trainlib.files import atomic_path, write_text


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


def test_text_is_written_as_it_stands(tmp_path: Path) -> None:
    write_text(tmp_path / "a", "Größe\r\n1\n")
    assert (tmp_path / "a").read_bytes() == b"Gr\xc3\xb6\xc3\x9fe\r\n1\n"
