"""Where results cannot be written is told before a training, and looking leaves nothing behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from trainlib.config.schema import Config
from trainlib.places import unwritable_places


def found(root: Path, data: dict[str, Any] | None = None, **run: Any) -> list[tuple[str, str]]:
    required = {"train_csv": "a", "valid_csv": "b", "classes": ["a", "b"]}
    config = Config.model_validate({"data": required | (data or {}), "run": {"root": str(root), "name": "heart"} | run})
    return [(".".join(map(str, key)), text) for key, text in unwritable_places(config)]


def test_a_folder_that_can_be_made_is_not_made(tmp_path: Path) -> None:
    assert found(tmp_path / "a" / "b") == []
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "heart").mkdir()
    (tmp_path / "heart" / "config.yaml").touch()
    assert found(tmp_path, overwrite=True) == []
    assert [path.name for path in tmp_path.rglob("*")] == ["heart", "config.yaml"]


@pytest.mark.parametrize("cache", ["memory", "none"])
def test_a_cache_that_is_not_on_disk_needs_no_folder(tmp_path: Path, cache: str) -> None:
    (tmp_path / "file").touch()
    assert found(tmp_path, {"cache_dir": str(tmp_path / "file"), "cache": cache}) == []


def test_root_and_cache_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    problem = f"{tmp_path / 'file'} is no folder."
    remedy = "Choose another data.cache_dir, or set data.cache to memory or none."
    assert found(tmp_path / "file") == [("run.root", f"run.root: {problem} Choose another run.root.")]
    both = found(tmp_path / "file", {"cache_dir": str(tmp_path / "file" / "x")})
    assert both[1:] == [("data.cache_dir", f"data.cache_dir: {problem} {remedy}")]


def test_a_disk_without_room_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("trainlib.places.shutil.disk_usage", lambda _: usage)
    [(key, text)] = found(tmp_path)
    assert key == "run.root"
    assert text == f"run.root: the disk of {tmp_path} is full. Free some space. Choose another run.root."
