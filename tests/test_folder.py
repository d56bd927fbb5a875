from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from trainlib.config.schema import Config
from trainlib.errors import ConfigError
from trainlib.folder import RunFolder, create, folder_of, latest, unique_folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "runs"


def config(root: Path, **run: Any) -> Config:
    data = {"train_csv": "a", "valid_csv": "b", "classes": ["a", "b"]}
    return Config.model_validate({"data": data, "run": {"root": str(root), "name": "heart"} | run})


def run_in(path: Path, text: str = "") -> Path:
    """Make what looks like a run."""
    (path / "checkpoints").mkdir(parents=True)
    (path / "config.yaml").write_text(text)
    return path


def test_files_of_a_run_lie_where_the_design_says() -> None:
    folder = RunFolder(Path("/r"))
    assert {
        name: str(getattr(folder, name)) for name in vars(RunFolder) if isinstance(vars(RunFolder)[name], property)
    } == {
        "config": "/r/config.yaml",
        "checkpoints": "/r/checkpoints",
        "best": "/r/checkpoints/best.ckpt",
        "last": "/r/checkpoints/last.ckpt",
        "logs": "/r/logs",
        "metrics": "/r/logs/metrics.csv",
        "log": "/r/logs/trainlib.log",
        "cases": "/r/cases.csv",
        "predictions": "/r/predictions",
        "pictures": "/r/pictures",
        "progress": "/r/progress",
        "frames": "[]",
        "gif": "/r/progress.gif",
        "emissions": "/r/emissions.csv",
        "report": "/r/report.html",
        "classification_report": "/r/classification_report.csv",
        "debug": "/r/debug",
        "snapshot": "/r/snapshot",
    }


def test_a_name_that_is_taken_gets_the_next_free_number(root: Path) -> None:
    names = [create(config(root)).path.name for _ in range(3)]
    assert names == ["heart", "heart_2", "heart_3"]
    (root / "heart_2").rmdir()
    assert create(config(root)).path.name == "heart_2"


@pytest.mark.parametrize("kind", ["file", "dangling link"])
def test_a_name_that_anything_else_has_is_taken_too(root: Path, kind: str) -> None:
    root.mkdir()
    if kind == "file":
        (root / "heart").touch()
    else:
        (root / "heart").symlink_to("nowhere")
    assert create(config(root)).path.name == "heart_2"


def test_a_folder_that_cannot_be_made_is_one_sentence(root: Path) -> None:
    root.write_text("a file")
    with pytest.raises(ConfigError, match=rf"^{root}/heart: the folder cannot be made \(Not a directory\).$"):
        create(config(root))
    with pytest.raises(ConfigError, match="the folder cannot be made"):
        unique_folder(root / ("x" * 300))


def test_overwrite_deletes_an_earlier_run(root: Path) -> None:
    run_in(root / "heart")
    assert create(config(root, overwrite=True)).path == root / "heart"
    assert list((root / "heart").iterdir()) == []


def test_overwrite_of_nothing_is_a_new_run(root: Path) -> None:
    assert create(config(root, overwrite=True)).path == root / "heart"


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_overwrite_never_deletes_what_is_no_run(root: Path, kind: str) -> None:
    root.mkdir()
    precious = root / "heart" / "precious" if kind == "folder" else root / "heart"
    precious.parent.mkdir(exist_ok=True)
    precious.write_text("x")
    with pytest.raises(
        ConfigError, match=r"^run.overwrite: .*/heart exists and is no run folder .*not deleted. Choose"
    ):
        create(config(root, overwrite=True))
    assert precious.read_text() == "x"


def test_overwrite_does_not_follow_a_link(root: Path, tmp_path: Path) -> None:
    run = run_in(tmp_path / "elsewhere")
    root.mkdir()
    (root / "heart").symlink_to(run)
    with pytest.raises(ConfigError, match=r"^run.overwrite: .*/heart cannot be deleted \(.*symbolic link.*\). Choose"):
        create(config(root, overwrite=True))
    assert (run / "config.yaml").is_file()


def test_a_checkpoint_knows_its_run(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_in(root / "heart")
    assert folder_of(run / "checkpoints" / "last.ckpt") == RunFolder(run)
    monkeypatch.chdir(run / "checkpoints")
    assert folder_of(Path("last.ckpt")) == RunFolder(run)


def test_a_checkpoint_that_lies_elsewhere_belongs_to_no_run(root: Path) -> None:
    run = run_in(root / "heart")
    assert folder_of(run / "last.ckpt") is None
    assert folder_of(run / "other" / "last.ckpt") is None
    (run / "config.yaml").unlink()
    assert folder_of(run / "checkpoints" / "last.ckpt") is None


def test_the_newest_run_has_the_highest_number(root: Path) -> None:
    assert latest(config(root)) is None
    for name in ("heart", "heart_2", "heart_10", "heart_11_old", "heart_x", "heart2", "hearty_12", "heart_²"):
        run_in(root / name).joinpath("config.yaml").write_text("run: {name: heart}\n")
    run_in(root / "heart_50").joinpath("config.yaml").write_text("run: {name: heart_50}\n")  # a run of its own
    (root / "heart_99").mkdir()  # no run: it has no config
    assert latest(config(root)) == RunFolder(root / "heart_10")
    assert latest(config(root, name="liver")) is None
