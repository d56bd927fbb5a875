"""What a run folder holds, read for the report: whatever is absent is told instead of raised."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from trainlib.config.schema import Config
from trainlib.config.watching import ReportSection
from trainlib.folders.run import RunFolder
from trainlib.report.reading import Picture


@dataclass(frozen=True)
class Content:
    """The files of a run.

    Attributes:
        folder: Where they are.
        config: The config; without the settings that this version of trainlib does not read.
        config_text: ``config.yaml`` as it stands.
        problems: What in the config this version does not read.
        epochs: ``metrics.csv``, empty where it cannot be used.
        no_epochs: Why it cannot be used; empty where it can.
        cases: ``cases.csv``, empty where it cannot be used.
        no_cases: Why it cannot be used.
        emissions: ``emissions.csv``, empty where it cannot be used.
        no_emissions: Why it cannot be used.
        log: ``logs/trainlib.log``.
        gif: The animation of the progress.
        environment: Machine and versions of the last part of the training.
        components: What each component is and where it comes from.
    """

    folder: RunFolder
    config: Config
    config_text: str
    problems: list[str]
    epochs: pd.DataFrame
    no_epochs: str
    cases: pd.DataFrame
    no_cases: str
    emissions: pd.DataFrame
    no_emissions: str
    log: str
    gif: Picture | None
    environment: dict[str, Any]
    components: dict[str, str]

    @property
    def trained(self) -> bool:
        """Whether the run was trained here; a folder may hold the scores of a checkpoint alone."""
        return len(self.epochs) > 0 or self.folder.snapshot.is_dir()

    @property
    def shows_cases(self) -> bool:
        """Whether there are scores to show."""
        return len(self.cases) > 0 and bool((self.cases["split"] == self.split).any())

    @property
    def shown_cases(self) -> int:
        """Number of cases of the split whose scores come first."""
        return int(self.cases.loc[self.cases["split"] == self.split, "case"].nunique()) if len(self.cases) else 0

    @property
    def resamples(self) -> int:
        """Number of bootstrap resamples, of a run without automatic report the default."""
        return (self.config.report or ReportSection()).resamples

    @cached_property
    def split(self) -> str:
        """The split whose scores come first: the test set, or else the validation set."""
        splits = set(self.cases["split"]) if len(self.cases) else set()
        return "test" if "test" in splits else "valid"

    def tone(self, name: str) -> int:
        """Return the class value of a class, which decides its colour; classes that the config lacks come last."""
        return self._values.get(name, len(self._values))

    @cached_property
    def _values(self) -> dict[str, int]:
        names = dict.fromkeys([*self.config.data.classes, *self.cases.get("class", [])])
        return {name: value for value, name in enumerate(names)}


def latest_snapshot(folder: RunFolder) -> Path:
    """Find the snapshot of the part of the training that was started last."""
    return [folder.snapshot, *resumed_snapshots(folder)][-1]


def resumed_snapshots(folder: RunFolder) -> list[Path]:
    """List the snapshots of the times that a run was resumed, in their order."""
    numbered = {path: path.name.removeprefix("resumed").removeprefix("_") for path in folder.snapshot.glob("resumed*")}
    return sorted(
        (path for path, number in numbered.items() if path.is_dir() and (not number or number.isdigit())),
        key=lambda path: int(numbered[path] or 1),
    )
