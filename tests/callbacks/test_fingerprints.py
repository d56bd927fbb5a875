"""The hashes of the data files that a run keeps."""

from __future__ import annotations

import hashlib
import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from trainlib.callbacks import fingerprints as module
from trainlib.callbacks.fingerprints import Fingerprints
from trainlib.config.load import load_config
from trainlib.config.schema import Config
from trainlib.data.fingerprint import CHANGED, TABLE, Fingerprint, fingerprint, name_below, read_fingerprints
from trainlib.data.splits import read_split
from trainlib.folders.run import RunFolder

WriteConfig = Callable[..., Path]


@pytest.fixture
def config(write_config: WriteConfig) -> Config:
    """A config for the phantom: 12 cases, an image and a label each."""
    return load_config(write_config())


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Three files."""
    folder = tmp_path / "data"
    folder.mkdir()
    for name in "abc":
        (folder / name).write_bytes(name.encode() * 3_000_000)
    return {name: folder / name for name in "abc"}


def trainer_of(config: Config, *, first: bool = True) -> Any:
    """What the callback looks at of a Trainer."""
    cases = {split: read_split(config, split) for split in ("train", "valid", "test")}
    return SimpleNamespace(is_global_zero=first, datamodule=SimpleNamespace(cases=cases))


def hashed(config: Config, files: dict[str, Path], folder: Path) -> dict[str, Fingerprint]:
    """Hash files as a run does that comes to its end, and read the table."""
    callback = Fingerprints(config, RunFolder(folder))
    with callback:
        callback.start(files)
    return read_fingerprints(callback.table)


def test_every_image_and_label_of_every_split_is_hashed(config: Config, phantom: Path, tmp_path: Path) -> None:
    callback = Fingerprints(config, RunFolder(tmp_path / "run"))
    with callback:
        callback.on_fit_start(trainer_of(config), None)
    table = pd.read_csv(tmp_path / "run/snapshot" / TABLE)
    listed = [pd.read_csv(phantom / f"{split}.csv") for split in ("train", "valid", "test")]
    assert sorted(table["path"]) == sorted(cell for rows in listed for cell in [*rows["image"], *rows["label"]])
    for row in table.itertuples():
        content = (phantom / row.path).read_bytes()
        assert (row.bytes, row.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert table["note"].isna().all()


def test_a_process_that_is_not_the_first_hashes_nothing(config: Config, tmp_path: Path) -> None:
    callback = Fingerprints(config, RunFolder(tmp_path / "run"))
    with callback:
        callback.on_fit_start(trainer_of(config, first=False), None)
    assert not (tmp_path / "run").exists()


def test_the_training_starts_before_a_file_is_read_and_ends_after_the_last(
    config: Config, files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_read = threading.Event()

    def late(file: Path, name: str, stopped: Callable[[], bool]) -> Fingerprint | None:
        may_read.wait(20)
        time.sleep(0.05)
        return fingerprint(file, name, stopped)

    monkeypatch.setattr(module, "fingerprint", late)
    callback = Fingerprints(config, RunFolder(tmp_path / "run"))
    with callback:
        callback.start(files)
        assert not callback.table.exists()  # the thread has not got anywhere, and this goes on
        may_read.set()
    assert list(read_fingerprints(callback.table)) == ["a", "b", "c"]


def test_a_run_that_fails_stops_reading_and_keeps_what_it_has(
    config: Config, files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = threading.Event()

    def endless(file: Path, name: str, stopped: Callable[[], bool]) -> Fingerprint | None:
        if name == "a":
            return fingerprint(file, name, stopped)
        reading.set()
        while not stopped():
            time.sleep(0.01)
        return None

    monkeypatch.setattr(module, "fingerprint", endless)
    callback = Fingerprints(config, RunFolder(tmp_path / "run"))
    callback.start(files)
    assert reading.wait(20)
    callback.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert list(read_fingerprints(callback.table)) == ["a"]
    assert callback._thread is not None
    assert not callback._thread.is_alive()


def test_what_is_known_is_written_after_each_epoch(
    config: Config, files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()

    def one_by_one(file: Path, name: str, stopped: Callable[[], bool]) -> Fingerprint | None:
        assert name == "a" or go_on.wait(20)
        return fingerprint(file, name, stopped)

    monkeypatch.setattr(module, "fingerprint", one_by_one)
    callback = Fingerprints(config, RunFolder(tmp_path / "run"))
    with callback:
        callback.start(files)
        while "a" not in callback._known:
            time.sleep(0.01)
        callback.on_train_epoch_end(None, None)  # type: ignore[arg-type]
        assert list(read_fingerprints(callback.table)) == ["a"]
        go_on.set()
    assert list(read_fingerprints(callback.table)) == ["a", "b", "c"]


def test_a_resumed_run_reads_only_what_is_new_or_changed(
    config: Config, files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = {name: files[name] for name in "ab"}
    before = hashed(config, first, tmp_path / "run")
    files["b"].write_bytes(b"another")
    read: list[str] = []

    def watched(file: Path, name: str, stopped: Callable[[], bool]) -> Fingerprint | None:
        read.append(name)
        return fingerprint(file, name, stopped)

    monkeypatch.setattr(module, "fingerprint", watched)
    after = hashed(config, files, tmp_path / "run")
    assert read == ["b", "c"]
    assert after["a"] == before["a"]
    assert after["b"].sha256 == hashlib.sha256(b"another").hexdigest()
    assert [row.note for row in after.values()] == ["", CHANGED, ""]


def test_a_change_of_a_data_file_is_told_when_the_run_is_resumed(
    config: Config, files: dict[str, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hashed(config, files, tmp_path / "run")
    files["c"].write_bytes(b"another")
    with caplog.at_level(logging.WARNING, "trainlib"):
        hashed(config, files, tmp_path / "run")
    assert "1 data file changed after the run was started, so that it cannot be repeated: c." in caplog.text


def test_a_file_that_was_only_touched_has_not_changed(config: Config, files: dict[str, Path], tmp_path: Path) -> None:
    before = hashed(config, files, tmp_path / "run")
    os.utime(files["a"], ns=(1, 1))
    after = hashed(config, files, tmp_path / "run")
    assert after["a"].note == ""
    assert after["a"].sha256 == before["a"].sha256
    assert after["a"].modified == 1


def test_a_file_that_vanished_is_told_and_the_others_are_hashed(
    config: Config, files: dict[str, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files["b"].unlink()
    with caplog.at_level(logging.WARNING, "trainlib"):
        rows = hashed(config, files, tmp_path / "run")
    assert rows["b"] == Fingerprint("b", 0, 0, "", "cannot be read: No such file or directory")
    assert rows["a"].sha256
    assert rows["c"].sha256
    assert "1 data file could not be read to be hashed: b." in caplog.text


def test_a_table_that_cannot_be_written_does_not_end_the_run(
    config: Config, files: dict[str, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "run").write_text("no folder")
    with caplog.at_level(logging.WARNING, "trainlib"):
        callback = Fingerprints(config, RunFolder(tmp_path / "run"))
        with callback:
            callback.start(files)
    assert "Fingerprints failed and is switched off" in caplog.text


def test_files_are_named_relative_to_the_data_root_where_they_lie_below() -> None:
    assert name_below(Path("/data/liver/images/a.nii"), "/data/liver") == "images/a.nii"
    assert name_below(Path("/elsewhere/a.nii"), "/data/liver") == "/elsewhere/a.nii"
    assert name_below(Path.home() / "liver/a.nii", "~/liver") == "a.nii"


@pytest.mark.parametrize("content", ["", "path,bytes\na,1\n", "path,bytes,modified,sha256,note\na,many,1,,\n", "\x00"])
def test_a_damaged_table_is_as_good_as_none(tmp_path: Path, content: str) -> None:
    (tmp_path / TABLE).write_text(content)
    assert read_fingerprints(tmp_path / TABLE) == {}
