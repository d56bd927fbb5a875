"""All checks of a data set, in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from trainlib.check.base import Base
from trainlib.check.cache_size import CacheSize, cache_size, too_large
from trainlib.check.channels import labels_of_channels, odd_channels
from trainlib.check.duplicates import equal_images, repeated_cases, repeated_files, shared_patients
from trainlib.check.files import unreadable_files
from trainlib.check.finding import Finding, ranked
from trainlib.check.geometry import apart_columns, apart_labels, doubtful_labels, impossible_grids
from trainlib.check.intensities import constant_images, far_intensities, not_finite
from trainlib.check.labels import absent_classes, empty_labels, undeclared_values
from trainlib.check.parallel import size_of
from trainlib.check.rows import read_rows, refused_rows
from trainlib.check.spacings import far_spacings
from trainlib.check.step_memory import StepMemory, step_memory, too_much
from trainlib.check.summary import Learned, learned
from trainlib.check.survey import Survey, files_of, take_survey
from trainlib.check.trial import Trial
from trainlib.check.windows import cut_windows
from trainlib.config.schema import Config
from trainlib.data.machine import available_memory, usable_cores
from trainlib.data.splits import SPLITS_OF, Case, csv_of

_COMPRESSED, _PLAIN = 32, 10  # bytes that reading takes for a byte of a file
_PLAIN_SUFFIXES = (".nii", ".img", ".npy", ".bmp")


@dataclass(frozen=True)
class Report:
    """What came of checking a data set.

    Attributes:
        findings: What is wrong, the worst first.
        cases: Number of rows that were read.
        learned: What the data are like.
        cache: What the cache will take; None where it cannot be told.
        step: What a training step will take; None where it cannot be told.
    """

    findings: list[Finding]
    cases: int
    learned: Learned
    cache: CacheSize | None
    step: StepMemory | None


def check_data(config: Config, *, progress: Callable[[int], Callable[[], Any]] = lambda _: lambda: None) -> Report:
    """Read every row of every split, and find everything that is wrong with the files.

    Args:
        config: A complete config.
        progress: Called with the number of files; what it returns is called for each that was read.
    """
    splits, findings = read_rows(config)
    files = {file for cases in splits.values() for case in cases for file in files_of(case)}
    advance = progress(len(files))
    survey = take_survey(config, splits, voxels=True, workers=_workers(config, splits), advance=advance)
    base, trial = Base(config), Trial(survey)
    findings += [*header_findings(survey, base), *_voxel_findings(survey, base, trial)]
    findings += refused_rows(config, {found.where for found in findings if found.severity == "error"})
    known = {(found.csv, found.row) for found in findings if found.severity == "error"}
    findings += trial.failures(known, set(doubtful_labels(survey, base)))
    windows = cut_windows(survey, base)
    cache = cache_size(survey, base, trial.growth)
    step = step_memory(config, windows.size, config.data.batch_size * windows.per_case) if windows else None
    findings += [
        *(windows.findings if windows else ()),
        *(too_large(cache) if cache else ()),
        *(too_much(step) if step else ()),
    ]
    return Report(ranked(_weighed(config, findings)), len(survey.cases), learned(survey), cache, step)


def _weighed(config: Config, findings: Iterable[Finding]) -> Iterator[Finding]:
    """Soften what was found in the CSV of the prediction, which no training reads."""
    trained = {csv_of(config, split) for split in SPLITS_OF["fit"]}
    for found in findings:
        harmless = found.csv and found.csv == config.data.predict_csv and found.csv not in trained
        yield replace(found, severity="warning") if harmless else found


def header_findings(survey: Survey, base: Base) -> Iterator[Finding]:
    """Make the checks that need no voxel."""
    yield from unreadable_files(survey, base)
    yield from impossible_grids(survey, base)
    yield from apart_columns(survey)
    yield from odd_channels(survey, base)
    yield from labels_of_channels(survey, base)
    yield from apart_labels(survey, base)


def _voxel_findings(survey: Survey, base: Base, trial: Trial) -> Iterator[Finding]:
    yield from shared_patients(survey)
    yield from repeated_cases(survey)
    yield from repeated_files(survey)
    yield from equal_images(survey)
    yield from undeclared_values(survey, base)
    yield from not_finite(survey, trial)
    yield from constant_images(survey)
    yield from absent_classes(survey)
    yield from empty_labels(survey)
    yield from far_spacings(survey)
    yield from far_intensities(survey, base)


def _workers(config: Config, splits: dict[str, list[Case]]) -> int:
    """Choose the processes that read: as many as the config says, else one for each core that memory allows."""
    if config.data.num_workers != "auto":
        return config.data.num_workers
    files = {file for cases in splits.values() for case in cases for file in files_of(case)}
    needed = max((size_of(file) * (_PLAIN if _is_plain(file.path) else _COMPRESSED) for file in files), default=0)
    return max(1, min(usable_cores(), available_memory() // (needed + 100 * 2**20)))


def _is_plain(path: Path) -> bool:
    return path.name.lower().endswith(_PLAIN_SUFFIXES)
