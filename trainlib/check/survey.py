"""What was read of a data set: the rows of all splits and the facts of their files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from trainlib.check.finding import Finding, Severity
from trainlib.check.headers import Header
from trainlib.check.parallel import read_headers, read_voxels
from trainlib.check.reading import Facts, File
from trainlib.check.voxels import Voxels
from trainlib.config.schema import Config
from trainlib.data.fingerprint import name_below
from trainlib.data.splits import Case


@dataclass(frozen=True)
class Survey:
    """Rows and files of a data set.

    Attributes:
        config: The config.
        splits: Split -> its cases.
        facts: File -> what is known of it.
    """

    config: Config
    splits: Mapping[str, list[Case]]
    facts: Mapping[File, Facts]

    @property
    def cases(self) -> list[Case]:
        """The cases of all splits."""
        return [case for cases in self.splits.values() for case in cases]

    @cached_property
    def split_of(self) -> dict[Case, str]:
        """Case -> the split that it is first listed in."""
        return {case: split for split, cases in reversed(list(self.splits.items())) for case in cases}

    def image(self, case: Case, index: int = 0) -> Facts:
        """Return what is known of an image of a case."""
        return self.facts[File(case.images[index])]

    def label(self, case: Case) -> Facts | None:
        """Return what is known of the label of a case; None where it has no label map."""
        return None if case.label is None else self.facts[File(case.label, label=True)]

    def headers(self) -> Iterator[tuple[Case, Path, Header]]:
        """Yield every image of every case that has a header."""
        for case in self.cases:
            for path in case.images:
                if (header := self.facts[File(path)].header) is not None:
                    yield case, path, header

    def voxels(self) -> Iterator[tuple[Case, Path, Voxels]]:
        """Yield every image of every case whose voxels were read."""
        for case in self.cases:
            for path in case.images:
                if (voxels := self.facts[File(path)].voxels) is not None:
                    yield case, path, voxels

    def name(self, path: Path) -> str:
        """Name a file as the CSV does, relative to `data.root` where it lies below."""
        return name_below(path, self.config.data.root)

    def finding(self, severity: Severity, kind: str, case: Case, path: Path | None, what: str, remedy: str) -> Finding:
        """Make a finding about a file of a case."""
        return Finding(severity, kind, what, remedy, case.csv, case.row, "" if path is None else self.name(path))


def files_of(case: Case) -> list[File]:
    """List the files of a case."""
    labels = [] if case.label is None else [File(case.label, label=True)]
    return [*map(File, case.images), *labels]


def take_survey(
    config: Config,
    splits: Mapping[str, list[Case]],
    *,
    voxels: bool,
    workers: int = 0,
    advance: Callable[[], Any] = lambda: None,
) -> Survey:
    """Read the files of all cases.

    Args:
        config: The config.
        splits: Split -> its cases.
        voxels: Whether to look at voxels too, or at headers alone.
        workers: Processes that read voxels; 0 reads in this one.
        advance: Called for each file whose voxels were read.
    """
    files = [file for cases in splits.values() for case in cases for file in files_of(case)]
    dims = config.data.spatial_dims
    facts = read_voxels(files, dims, workers, advance) if voxels else read_headers(files, dims)
    return Survey(config, splits, facts)
