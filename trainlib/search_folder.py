"""The folder of a search for good settings: what lies where, and what is noted of its trials."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import ValidationError

from trainlib.config.load import dump_config
from trainlib.config.schema import Config
from trainlib.errors import ConfigError
from trainlib.files import write_text
from trainlib.folder import RunFolder

State = Literal["waiting", "training", "finished", "stopped", "failed"]
ENDED: tuple[State, ...] = ("finished", "stopped", "failed")
"""States of trials that nothing is left to do for."""
_RECORD = re.compile(r"trial_(\d{5,})\.json")


@dataclass(frozen=True)
class Trial:
    """A training of a search, as it is noted.

    Attributes:
        number: Its number, counted from 0.
        parameters: Setting -> value; of a population those that it goes on with now.
        state: What has become of it; one that is `stopped` was ended early because others were better.
        error: Why it failed, in a sentence.
        inherited: Of a population: number of the trial whose weights it took over last, None where it took none.
    """

    number: int
    parameters: dict[str, Any]
    state: State = "waiting"
    error: str = ""
    inherited: int | None = None

    @property
    def name(self) -> str:
        """Its name and that of its run folder."""
        return f"trial_{self.number:05d}"

    @property
    def ended(self) -> bool:
        """Whether nothing is left to do for it."""
        return self.state in ENDED


@dataclass(frozen=True)
class SearchFolder:
    """The folder of one search, which holds a run folder for each trial.

    Attributes:
        path: The folder.
    """

    path: Path

    @property
    def settings(self) -> Path:
        """The complete config with its section ``tune``."""
        return self.path / "search.yaml"

    @property
    def records(self) -> Path:
        """Folder of what is noted of each trial."""
        return self.path / "records"

    @property
    def trials(self) -> Path:
        """Table with a row for each trial."""
        return self.path / "trials.csv"

    @property
    def best(self) -> Path:
        """Complete config with the best settings."""
        return self.path / "best.yaml"

    @property
    def report(self) -> Path:
        """The report."""
        return self.path / "report.html"

    @property
    def ray(self) -> Path:
        """Folder of Ray's own files, of no use once the search is over."""
        return self.path / ".ray"

    @property
    def lock(self) -> Path:
        """File that a running search holds."""
        return self.path / ".lock"

    def run(self, trial: Trial) -> RunFolder:
        """Return the run folder of a trial."""
        return RunFolder(self.path / trial.name)

    def note(self, trial: Trial) -> None:
        """Write down what has become of a trial."""
        write_text(self.records / f"{trial.name}.json", json.dumps(asdict(trial), indent=2) + "\n")

    def noted(self) -> list[Trial]:
        """Read what was noted of the trials, in the order of their numbers."""
        files = self.records.glob("trial_*.json") if self.records.is_dir() else ()
        trials = [_read_record(file) for file in files if _RECORD.fullmatch(file.name)]
        return sorted(trials, key=lambda trial: trial.number)

    def change(self, number: int, **changes: Any) -> Trial:
        """Write down what has changed for a trial that was noted before."""
        trial = replace(_read_record(self.records / f"{Trial(number, {}).name}.json"), **changes)
        self.note(trial)
        return trial


def _read_record(file: Path) -> Trial:
    try:
        return Trial(**json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(f"{file} cannot be read: {type(error).__name__}: {error}.") from None


@dataclass(frozen=True)
class Search:
    """A search.

    Attributes:
        folder: Where everything is.
        config: The complete config, with its section ``tune``.
        values: What else the config of each trial has, such as the folder of the cache.
    """

    folder: SearchFolder
    config: Config
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def metric(self) -> str:
        """The metric that decides."""
        assert self.config.tune is not None
        return self.config.tune.metric or self.config.checkpoint.monitor

    @property
    def mode(self) -> Literal["min", "max"]:
        """Whether a smaller or a larger value of the metric is better."""
        return judged(self.config).monitor_mode

    @property
    def epochs(self) -> int:
        """Epochs of a trial that is not ended early."""
        return int(self.config.trainer["max_epochs"])

    def write(self) -> None:
        """Write the settings."""
        write_text(self.folder.settings, dump_config(self.config))


def judged(config: Config) -> Config:
    """Return the config with the search's metric in the place of the monitored one."""
    assert config.tune is not None
    mode = config.tune.mode if config.tune.metric or config.tune.mode != "auto" else config.checkpoint.mode
    update = {"monitor": config.tune.metric or config.checkpoint.monitor, "mode": mode}
    return config.model_copy(update={"checkpoint": config.checkpoint.model_copy(update=update)})


def is_search(path: str | Path) -> bool:
    """Tell whether a folder is that of a search."""
    return SearchFolder(Path(path)).settings.is_file()


def read_search(path: str | Path) -> Search:
    """Read the settings of a search.

    Raises:
        ConfigError: The folder is that of no search, or its settings cannot be read.
    """
    folder = SearchFolder(Path(path).absolute())
    if not folder.settings.is_file():
        raise ConfigError(f"{path} is not the folder of a search: it has no search.yaml.")
    from trainlib.config.load import load_config

    try:
        config = load_config(folder.settings)
    except (ValidationError, yaml.YAMLError, OSError) as error:
        raise ConfigError(f"{folder.settings} cannot be read: {error}.") from None
    if config.tune is None:
        raise ConfigError(f"{folder.settings} has no section tune.")
    return Search(folder, config)


def wanted_folder(config: Config) -> Path:
    """Return the folder that a search of the config's name gets, unless it is taken."""
    return Path(config.run.root) / f"{config.run.name}_tune"


def latest_search(config: Config) -> SearchFolder | None:
    """Find the search of the config's name that was begun last, None where there is none yet."""
    wanted = wanted_folder(config)
    if not wanted.parent.is_dir():
        return None
    pattern = re.compile(rf"{re.escape(wanted.name)}(_[0-9]+)?")
    named = [SearchFolder(path) for path in wanted.parent.iterdir() if pattern.fullmatch(path.name)]
    begun = [folder for folder in named if folder.settings.is_file()]
    return max(begun, key=lambda folder: folder.settings.stat().st_mtime_ns, default=None)
