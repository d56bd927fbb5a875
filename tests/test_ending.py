"""How a training ends that does not come to its end."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from trainlib.ending import ended_in_good_order
from trainlib.errors import DataError, DiskFullError, Interrupted, ResourceError
from trainlib.folders.run import RunFolder


def end(folder: RunFolder, error: BaseException, *, new: bool = True) -> None:
    with ended_in_good_order(folder, new):
        raise error


def begun(path: Path, *parts: str) -> RunFolder:
    """Make a run folder that has come so far."""
    folder = RunFolder(path / "heart")
    folder.path.mkdir()
    for part in parts:
        (folder.path / part).parent.mkdir(parents=True, exist_ok=True)
        (folder.path / part).touch()
    return folder


SNAPSHOT, LAST, TABLE = "snapshot/command.txt", "checkpoints/last.ckpt", "logs/metrics.csv"


@pytest.mark.parametrize("error", [Interrupted(15), ResourceError("no memory"), RuntimeError("a bug")])
def test_a_new_folder_goes_where_not_even_its_snapshot_was_written(tmp_path: Path, error: BaseException) -> None:
    with pytest.raises(type(error)):
        end(begun(tmp_path), error)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(type(error)):
        end(begun(tmp_path, SNAPSHOT), error)
    assert (tmp_path / "heart" / SNAPSHOT).is_file()


def test_a_folder_that_was_there_before_stays(tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        end(begun(tmp_path), Interrupted(2), new=False)
    assert (tmp_path / "heart").is_dir()


@pytest.mark.parametrize(("parts", "kept"), [([SNAPSHOT], False), ([SNAPSHOT, TABLE], True)])
def test_wrong_input_leaves_a_new_folder_only_where_an_epoch_was_trained(
    tmp_path: Path, parts: list[str], kept: bool
) -> None:
    with pytest.raises(DataError):
        end(begun(tmp_path, *parts), DataError("case 3 is damaged"))
    assert (tmp_path / "heart").exists() == kept


@pytest.mark.parametrize("error", [Interrupted(15), ResourceError("no memory")])
def test_what_can_be_continued_says_from_where(tmp_path: Path, error: Interrupted | ResourceError) -> None:
    folder = begun(tmp_path, SNAPSHOT, TABLE, LAST)
    with pytest.raises(type(error)):
        end(folder, error)
    assert error.checkpoint == folder.last
    folder.last.unlink()
    with pytest.raises(type(error)):
        end(folder, error)
    assert error.checkpoint is None


def test_a_full_disk_is_a_sentence_that_says_from_where_the_run_goes_on(tmp_path: Path) -> None:
    folder = begun(tmp_path, SNAPSHOT, TABLE, LAST)
    with pytest.raises(DiskFullError, match=rf"^{folder.path} cannot be written: the disk is full") as caught:
        end(folder, OSError(errno.ENOSPC, "No space left on device"))
    assert caught.value.checkpoint == folder.last
