"""The part of the check that a training makes by itself: CSVs were read, headers are, voxels are not."""

from __future__ import annotations

import logging

from trainlib.check.base import Base
from trainlib.check.checks import header_findings
from trainlib.check.finding import Finding, first_of_kind, ranked
from trainlib.check.survey import take_survey
from trainlib.config.schema import Config
from trainlib.data.splits import SPLITS_OF, read_split
from trainlib.errors import Problem

log = logging.getLogger(__name__)


def quick_check(config: Config) -> list[Problem]:
    """Read the headers of all files that a training is about to use.

    What is worth a look, but breaks nothing, is logged.

    Args:
        config: A complete config whose CSVs were found to be right.

    Returns:
        What breaks the training, or spoils it in silence.

    Raises:
        DataError: A CSV cannot be read.
    """
    most = config.data.limit_cases
    splits = {split: read_split(config, split)[:most] for split in SPLITS_OF["fit"]}
    survey = take_survey(config, splits, voxels=False)
    findings = ranked(header_findings(survey, Base(config)))
    for problem in _told([finding for finding in findings if finding.severity == "warning"]):
        log.warning("%s", problem)
    return _told([finding for finding in findings if finding.severity == "error"])


def _told(findings: list[Finding]) -> list[Problem]:
    """Write findings as sentences, the first few of each kind."""
    problems: list[Problem] = []
    for finding, more in first_of_kind(findings):
        problems.append(finding.problem())
        if more:
            problems.append(Problem(f"... and the same in {more} more rows; `trainlib check` lists them all.", "data"))
    return problems
