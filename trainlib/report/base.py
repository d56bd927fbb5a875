"""What each task adds to the report."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import pandas as pd

from trainlib.folders.results import Run
from trainlib.report.content import Content
from trainlib.report.curves import Plan
from trainlib.report.notices import Notice

Sections = tuple[tuple[str, str], ...]


class TaskPart(ABC):
    """The part of the report that depends on the task.

    Attributes:
        templates: Folder of its templates; ``headline.html``, ``results.html``, ``validation.html`` and ``main.html``
            stand in it.
        styles: Files of its styles.
        gif_caption: What the animation of the training shows.
        gif_description: The same for those who do not see it.

    Args:
        content: The run.
    """

    templates: str
    styles: tuple[str, ...] = ()
    gif_caption: str
    gif_description: str

    def __init__(self, content: Content) -> None:
        self.content = content

    @property
    def sections(self) -> Sections:
        """Ids and names of the sections of the page, in their order."""
        last = (("cases", "Cases"), ("resources", "Resources"), ("config", "Config"), ("reproduce", "Reproduce"))
        return (("results", "Results"), ("training", "Training"), *self.own_sections(), *last)

    @abstractmethod
    def own_sections(self) -> Sections:
        """Return ids and names of the sections that other tasks do not have."""

    @staticmethod
    @abstractmethod
    def read_cases(run: Run) -> pd.DataFrame:
        """Read ``cases.csv``, with at least the columns ``split`` and ``case``.

        Raises:
            UnreadableError: It cannot be used.
        """

    @abstractmethod
    def purpose(self) -> str:
        """Say what the network is for, as in ``the 3-D segmentation of liver``."""

    @abstractmethod
    def plans(self, logged: list[str]) -> Iterator[Plan]:
        """Choose which metrics of the validation get a chart.

        Args:
            logged: What was logged in any epoch.
        """

    @abstractmethod
    def notices(self) -> Iterator[Notice]:
        """Tell what of the task's own sections is missing."""

    @abstractmethod
    def context(self) -> dict[str, Any]:
        """Gather what its templates name."""

    @abstractmethod
    def write_tables(self) -> None:
        """Write the tables that belong to the report beside it."""
