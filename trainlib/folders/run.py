"""The run folder: what lies where."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


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
    def lock(self) -> Path:
        """File that a training holds as long as it writes into the folder."""
        return self.path / ".lock"

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
