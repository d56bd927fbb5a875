"""The folder of an ensemble: what lies where, and what its ``ensemble.yaml`` says of its members."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import ValidationError

from trainlib.config.schema import Config
from trainlib.errors import ConfigError
from trainlib.folders.run import RunFolder
from trainlib.system.files import write_text

Kind = Literal["folds", "seeds"]
POOLED = "all folds"
"""Model of the figures of all held-out cases together, whichever fold they are of."""
OVER_FOLDS = "mean of folds"
"""Model of the means of what each fold comes to by itself, where cases of different folds cannot be put together."""


@dataclass(frozen=True)
class EnsembleFolder:
    """The folder of one ensemble, which holds a run folder for each member.

    Attributes:
        path: The folder.
    """

    path: Path

    @property
    def settings(self) -> Path:
        """Kind and members of the ensemble, and the complete config that all of them share."""
        return self.path / "ensemble.yaml"

    @property
    def folds(self) -> Path:
        """Folder of the CSVs of the folds."""
        return self.path / "folds"

    @property
    def pooled(self) -> Path:
        """CSV of all cases that are divided into folds, one fold after the other."""
        return self.folds / "pooled.csv"

    @property
    def test_csv(self) -> Path:
        """The first test cases, where `data.limit_cases` leaves the others out."""
        return self.folds / "test.csv"

    def fold_csv(self, member: str, split: str) -> Path:
        """Return the CSV of the training or validation cases of a fold."""
        return self.folds / f"{member}_{split}.csv"

    def member(self, name: str) -> RunFolder:
        """Return the run folder of a member."""
        return RunFolder(self.path / name)

    def held_out(self, name: str) -> RunFolder:
        """Return the folder of a fold's scores on the cases that it was not trained on."""
        return RunFolder(self.path / name / "held_out")

    @property
    def cv(self) -> Path:
        """Table with a row for each pooled case and class, scored by the model that was not trained on it."""
        return self.path / "cv.csv"

    @property
    def scores(self) -> Path:
        """Table with a row for each model, test case and class."""
        return self.path / "ensemble.csv"

    @property
    def summary(self) -> Path:
        """Table of the figures of each model with their confidence intervals."""
        return self.path / "summary.csv"

    @property
    def test(self) -> RunFolder:
        """Folder of scores, predictions and pictures of the test cases, by the mean of the members."""
        return RunFolder(self.path / "test")

    @property
    def predictions(self) -> Path:
        """Folder of the files that `predict` writes unless it is told where."""
        return self.path / "predictions"

    @property
    def report(self) -> Path:
        """The report."""
        return self.path / "report.html"


@dataclass(frozen=True)
class Ensemble:
    """An ensemble, as its settings say.

    Attributes:
        folder: Where everything is.
        kind: What its members differ in: ``folds`` or ``seeds``.
        members: Names of the members and of their run folders.
        config: The complete config that they share.
        files: Setting that names a file -> hash of its content when the ensemble was begun.
    """

    folder: EnsembleFolder
    kind: Kind
    members: tuple[str, ...]
    config: Config
    files: dict[str, str]

    def write(self, path: Path) -> None:
        """Write the settings."""
        content = {"kind": self.kind, "members": list(self.members), "files": self.files}
        content["config"] = self.config.model_dump(mode="json")
        write_text(path, yaml.safe_dump(content, sort_keys=False, allow_unicode=True))


def is_ensemble(path: str | Path) -> bool:
    """Tell whether a folder is that of an ensemble."""
    return EnsembleFolder(Path(path)).settings.is_file()


def full_name(path: Path) -> str:
    """Name a run folder, one that belongs to an ensemble with the name of that, such as ``heart / fold_1``."""
    depth = next((depth for depth in (1, 2) if is_ensemble(path.parents[depth - 1])), 0)
    return " / ".join(path.parts[-depth - 1 :])


def read_ensemble(path: str | Path) -> Ensemble:
    """Read the settings of an ensemble.

    Raises:
        ConfigError: The folder is that of no ensemble, or its settings cannot be read.
    """
    folder = EnsembleFolder(Path(path).absolute())
    if not folder.settings.is_file():
        raise ConfigError(f"{path} is not the folder of an ensemble: it has no ensemble.yaml.")
    try:
        content: dict[str, Any] = yaml.safe_load(folder.settings.read_text(encoding="utf-8"))
        config = Config.model_validate(content["config"])
        return Ensemble(folder, content["kind"], tuple(content["members"]), config, dict(content["files"]))
    except ValidationError as error:
        [first, *_] = error.errors()
        key = ".".join(map(str, first["loc"]))
        text = f"{folder.settings}: this version of trainlib does not read {key} of the config ({first['msg']})."
        raise ConfigError(text) from None
    except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError) as error:
        what = " ".join(str(error).split())
        raise ConfigError(f"{folder.settings} cannot be read: {type(error).__name__}: {what}.") from None
