"""What the folder of a search holds, read for its report."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from trainlib.errors import ConfigError
from trainlib.folders.searches import Outcome, Search, outcomes, ranked, read_search
from trainlib.report.content import Content
from trainlib.report.load import read_content
from trainlib.report.reading import read_text


@dataclass(frozen=True)
class SearchContent:
    """The files of a search.

    Attributes:
        search: The search.
        trials: What its trials came to, in the order of their numbers.
        example: A run of it, which tells machine and versions.
        settings: ``best.yaml`` as it stands; empty where there is none.
    """

    search: Search
    trials: list[Outcome]
    example: Content
    settings: str

    @property
    def higher(self) -> bool:
        """Whether higher is better."""
        return self.search.mode == "max"

    @cached_property
    def ranked(self) -> list[Outcome]:
        """The trials that came to anything, the best first."""
        return ranked(self.search, self.trials)

    @property
    def best(self) -> Outcome | None:
        """The best trial."""
        return self.ranked[0] if self.ranked else None

    @property
    def keys(self) -> list[str]:
        """The settings that were searched."""
        assert self.search.config.tune is not None
        return list(self.search.config.tune.space)

    def count(self, state: str) -> int:
        """Count the trials in a state."""
        return sum(outcome.trial.state == state for outcome in self.trials)

    def bests(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Return the best value of each trial that came to anything, in the order of their numbers."""
        return np.array([outcome.best for outcome in self.trials if outcome.counts])


def read_search_content(path: str | Path) -> SearchContent:
    """Read the folder of a search.

    Raises:
        ConfigError: It is none, or none of its trials has begun.
    """
    search = read_search(path)
    found = outcomes(search)
    begun = [outcome for outcome in found if outcome.link]
    if not begun:
        raise ConfigError(f"{path}: no trial of the search has begun, so there is nothing to report.")
    content = SearchContent(search, found, read_content(search.folder.path / begun[0].link), "")
    example = read_content(search.folder.path / (content.best or begun[0]).link)
    return SearchContent(search, found, example, read_text(search.folder.best))
