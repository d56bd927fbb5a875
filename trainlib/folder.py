"""The run folder: what lies where, and which folder a run gets."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import yaml

from trainlib.config.schema import Config
from trainlib.errors import ConfigError


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run.

    Attributes:
        path: The folder.
    """

    path: Path

    @property
    def config(self) -> Path:
        """The complete config."""
        return self.path / "config.yaml"

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints."""
        return self.path / "checkpoints"

    @property
    def best(self) -> Path:
        """Checkpoint with the best value of the monitored metric."""
        return self.checkpoints / "best.ckpt"

    @property
    def last(self) -> Path:
        """Checkpoint of the last finished epoch."""
        return self.checkpoints / "last.ckpt"

    @property
    def logs(self) -> Path:
        """Folder of the TensorBoard events."""
        return self.path / "logs"

    @property
    def metrics(self) -> Path:
        """Table with a row for each epoch."""
        return self.logs / "metrics.csv"

    @property
    def log(self) -> Path:
        """What was told of the run, a line each."""
        return self.logs / "trainlib.log"

    @property
    def cases(self) -> Path:
        """Table with a row for each case, class and split."""
        return self.path / "cases.csv"

    @property
    def predictions(self) -> Path:
        """Folder of the predicted files."""
        return self.path / "predictions"

    @property
    def pictures(self) -> Path:
        """Folder of the pictures of scored cases, a folder for each split."""
        return self.path / "pictures"

    def picture(self, split: str, case: str) -> Path:
        """Return where the picture of a scored case is."""
        return self.pictures / split / f"{case}.png"

    @property
    def progress(self) -> Path:
        """Folder of the progress pictures, one for each validation."""
        return self.path / "progress"

    @property
    def frames(self) -> list[Path]:
        """The progress pictures in the order of their epochs."""
        return sorted(self.progress.glob("epoch_*.png"))

    @property
    def gif(self) -> Path:
        """The progress pictures as an animation."""
        return self.path / "progress.gif"

    @property
    def emissions(self) -> Path:
        """Table of energy and CO2, with a row for each part of the training."""
        return self.path / "emissions.csv"

    @property
    def report(self) -> Path:
        """The report."""
        return self.path / "report.html"

    @property
    def classification_report(self) -> Path:
        """Table of the figures of each class, of a classification."""
        return self.path / "classification_report.csv"

    @property
    def debug(self) -> Path:
        """Folder of what `fit --debug` found."""
        return self.path / "debug"

    @property
    def snapshot(self) -> Path:
        """Folder with all that is needed to repeat the run."""
        return self.path / "snapshot"


def create(config: Config) -> RunFolder:
    """Make the folder of a new run; a name that is taken gets the next free number.

    Raises:
        ConfigError: The folder cannot be made, or `run.overwrite` would delete something that is no run.
    """
    wanted = Path(config.run.root) / config.run.name
    if config.run.overwrite and wanted.exists():
        _delete(wanted)
    return RunFolder(unique_folder(wanted))


def unique_folder(wanted: Path) -> Path:
    """Make the folder `wanted`, or `wanted_2`, `wanted_3`, ... where it exists."""
    number, path = 1, wanted
    while True:
        try:
            path.mkdir(parents=True)
            return path
        except FileExistsError:
            number += 1
            path = wanted.with_name(f"{wanted.name}_{number}")
        except OSError as error:
            raise ConfigError(f"{path}: the folder cannot be made ({error.strerror}).") from None


def _delete(path: Path) -> None:
    if not RunFolder(path).config.is_file():
        raise ConfigError(
            f"run.overwrite: {path} exists and is no run folder (it has no config.yaml), so it is not deleted. "
            "Choose another run.name."
        )
    try:
        shutil.rmtree(path)
    except OSError as error:
        reason = error.strerror or error
        raise ConfigError(f"run.overwrite: {path} cannot be deleted ({reason}). Choose another run.name.") from None


def folder_of(checkpoint: Path) -> RunFolder | None:
    """Return the run folder that a checkpoint lies in, None for one that lies elsewhere."""
    folder = RunFolder(checkpoint.absolute().parent.parent)
    return folder if checkpoint.absolute().parent == folder.checkpoints and folder.config.is_file() else None


def _name_of(folder: RunFolder) -> str | None:
    """Read the name that a run was given; `heart_2` may be the second run of `heart` or a run of its own."""
    try:
        name: str = yaml.safe_load(folder.config.read_text(encoding="utf-8"))["run"]["name"]
    except (OSError, yaml.YAMLError, KeyError, TypeError):
        return None
    return name


def latest(config: Config) -> RunFolder | None:
    """Find the run of the config's name that was started or continued last, None where there is none yet."""
    root, name = Path(config.run.root), config.run.name
    if not root.is_dir():
        return None
    named = [path for path in root.iterdir() if re.fullmatch(rf"{re.escape(name)}(_[0-9]+)?", path.name)]
    runs = [folder for folder in map(RunFolder, named) if _name_of(folder) == name]
    return max(runs, key=lambda folder: folder.config.stat().st_mtime_ns, default=None)
