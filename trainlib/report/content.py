"""What a run folder holds, read for the report: whatever is absent is told instead of raised."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from trainlib.config.load import read_config
from trainlib.config.schema import Config
from trainlib.errors import ConfigError
from trainlib.folder import RunFolder
from trainlib.report.formats import METRICS, SIZES
from trainlib.report.reading import Picture, UnreadableError, read_mapping, read_picture, read_table, read_text
from trainlib.results import Run


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


def read_content(path: Path) -> Content:
    """Read a run folder.

    Raises:
        ConfigError: It is no run folder, or its ``config.yaml`` is no config at all.
    """
    folder = RunFolder(path.absolute())
    if not folder.config.is_file():
        raise ConfigError(f"{path} is not a run folder: it has no config.yaml.")
    loaded = read_config(folder.config)
    if loaded.config is None:
        raise ConfigError(loaded.problems)
    run = Run(folder, loaded.config)
    epochs, no_epochs = _table(lambda: run.metrics, "logs/metrics.csv", ("epoch",), _is_logged)
    scores = {*METRICS, *SIZES}
    needed = ("split", "case", "class", "dice", "outcome")
    cases, no_cases = _table(lambda: run.cases, folder.cases.name, needed, lambda name: name in scores, finite=True)
    texts = [name for name in ("split", "case", "class", "outcome") if name in cases]
    cases[texts] = cases[texts].fillna("")
    sums = ("total_duration_s", "total_energy_kwh", "total_emissions_kg")
    emissions, no_emissions = _table(lambda: run.emissions, folder.emissions.name, sums, lambda name: name in sums)
    latest = latest_snapshot(folder)
    components = {str(kind): str(origin) for kind, origin in read_mapping(latest / "components.json").items()}
    return Content(
        folder=folder,
        config=loaded.config,
        config_text=read_text(folder.config),
        problems=[problem.text for problem in loaded.problems],
        epochs=epochs,
        no_epochs=no_epochs,
        cases=cases,
        no_cases=no_cases,
        emissions=emissions,
        no_emissions=no_emissions,
        log=read_text(folder.log),
        gif=read_picture(folder.gif, folder.path, "image/gif"),
        environment=read_mapping(latest / "environment.json"),
        components=components,
    )


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


def _is_logged(column: str) -> bool:
    return column in ("epoch", "step", "seconds") or column.startswith(("train/", "valid/", "lr-"))


def _table(
    read: Callable[[], pd.DataFrame],
    name: str,
    needed: tuple[str, ...],
    numbers: Callable[[str], bool],
    *,
    finite: bool = False,
) -> tuple[pd.DataFrame, str]:
    """Read a table, or say why there is none."""
    try:
        return read_table(read, name, needed, numbers, finite=finite), ""
    except UnreadableError as error:
        return pd.DataFrame(), str(error)
