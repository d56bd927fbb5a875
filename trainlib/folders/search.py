"""The folder of a search for good settings: what lies where, and what is noted of its trials."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from trainlib.errors import ConfigError
from trainlib.folders.run import RunFolder
from trainlib.system.files import write_text

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
    def hashes(self) -> Path:
        """Hashes of the files that the trials rest on, as they were when the search was begun."""
        return self.records / "files.json"

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


def is_search(path: str | Path) -> bool:
    """Tell whether a folder is that of a search."""
    return SearchFolder(Path(path)).settings.is_file()
