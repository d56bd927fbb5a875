"""Prepare a case of each kind as a training does: it tells what no header tells."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from typing import Any

import torch

from trainlib.build.roles import IMAGE
from trainlib.check.finding import Finding, counted
from trainlib.check.geometry import TRANSFORMED
from trainlib.check.survey import Survey, files_of
from trainlib.config.defaults import SEGMENTATION
from trainlib.data.prepare import Preparation
from trainlib.data.splits import Case
from trainlib.errors import DataError, InputError


class Trial:
    """Runs the base transforms on a few cases.

    Args:
        survey: What was read.
    """

    def __init__(self, survey: Survey) -> None:
        self.survey = survey
        self._preparations: dict[bool, Preparation] = {}
        self.growth: float | None = None
        """Voxels of the last prepared case for each voxel of its file."""

    def prepared(self, case: Case) -> dict[str, Any]:
        """Prepare a case.

        Raises:
            InputError: The case, or the pipeline, is wrong.
        """
        with_label = self._with_label(case)
        if with_label not in self._preparations:
            self._preparations[with_label] = Preparation(self.survey.config, with_label=with_label)
        prepared = self._preparations[with_label](case)
        header = self.survey.image(case).header
        if header is not None:
            before = torch.Size(header.shape).numel()
            self.growth = prepared[IMAGE].shape[1:].numel() / max(before, 1)
        return prepared

    def cleans(self, case: Case) -> bool:
        """Tell whether the transforms replace the NaN and infinite voxels of a case."""
        try:
            return bool(torch.isfinite(self.prepared(case)[IMAGE]).all())
        except InputError:
            return False

    def failures(
        self, known: Container[tuple[str, int | None]], doubtful: Container[Case] = frozenset()
    ) -> Iterator[Finding]:
        """Name the cases that cannot be prepared.

        Args:
            known: CSV and row of the cases of which an error is known already.
            doubtful: Cases that are tried each; of the others one of each kind is.
        """
        kinds: dict[tuple[Any, ...], list[Case]] = {}
        for case in self.survey.cases:
            if (case.csv, case.row) not in known:
                kind = (case,) if case in doubtful else self._kind(case)
                kinds.setdefault(kind, []).append(case)
        for cases in kinds.values():
            case = min(cases, key=self._size)
            try:
                self.prepared(case)
            except DataError as error:
                yield self._failure(case, str(error), cases)
            except InputError:
                return  # the pipeline itself is wrong, as was told

    def _failure(self, case: Case, text: str, alike: Sequence[Case]) -> Finding:
        text = text.removeprefix(f"{case}: ")
        others = f" So may {counted(len(alike) - 1, 'more case')} of its kind." if len(alike) > 1 else ""
        what = f"Cannot be prepared: {text}{others}"
        remedy = "Correct the file, or transforms.base."
        return self.survey.finding("error", "transforms.base", case, case.images[0], what, remedy)

    def _kind(self, case: Case) -> tuple[Any, ...]:
        """List what may decide on whether a pipeline can handle a case."""
        headers = [self.survey.facts[file].header for file in files_of(case)]
        grids = [(len(header.shape), header.channels) if header else None for header in headers]
        return (self._with_label(case), case.label is None, *(file.path.suffix for file in files_of(case)), *grids)

    def _with_label(self, case: Case) -> bool:
        """Tell whether the label of a case goes through the transforms."""
        return self.survey.config.task == SEGMENTATION and self.survey.split_of[case] in TRANSFORMED

    def _size(self, case: Case) -> int:
        header = self.survey.image(case).header
        return torch.Size(header.shape).numel() if header is not None else 0
