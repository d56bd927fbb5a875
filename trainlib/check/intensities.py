"""Do the voxels of the images hold anything to learn from, and are the images alike?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from trainlib.check.base import Base
from trainlib.check.finding import Finding, Severity, counted
from trainlib.check.grids import number
from trainlib.check.outliers import far
from trainlib.check.reading import File
from trainlib.check.survey import Survey
from trainlib.check.trial import Trial
from trainlib.check.voxels import Range
from trainlib.data.splits import Case

_FACTOR = np.log(10.0)  # a range is far from the others if it is ten times as wide, at least
_SHIFT = 3.0  # or lies three times its width off
_SPOILS = "Replace them by the value of the background: one of them spoils all weights of a network."
_CLEANED = "Nothing: transforms.base replaces them."

Counts = tuple[tuple[int, int, int], ...]
"""Voxels that are NaN, infinite, and negative and infinite, of each image of a case."""


def not_finite(survey: Survey, trial: Trial) -> Iterator[Finding]:
    """Name the images that hold NaN or infinity; a warning where the base transforms replace them."""
    counts = {case: _not_finite(survey, case) for case in survey.cases}
    # What replaces infinity, as clipping does, may leave NaN, and what cleans one column another: of each kind the
    # case with the most of it is tried.
    worst: dict[Counts, Case] = {}
    for case, found in sorted(counts.items(), key=lambda item: -np.sum(item[1])):
        if np.any(found):
            worst.setdefault(_kind(found), case)
    cleaned = {kind: trial.cleans(case) for kind, case in worst.items()}
    for case, found in counts.items():
        for path, (nan, above, below) in zip(case.images, found, strict=True):
            if nan or above or below:
                numbers = [(nan, "NaN"), (above + below, "infinite")]
                parts = [f"{counted(n, 'voxel')} {'is' if n == 1 else 'are'} {what}" for n, what in numbers if n]
                severity: Severity = "warning" if cleaned[_kind(found)] else "error"
                remedy = _CLEANED if cleaned[_kind(found)] else _SPOILS
                text = f"{' and '.join(parts)}."
                yield survey.finding(severity, "NaN or infinity", case, path, text, remedy)


def _not_finite(survey: Survey, case: Case) -> Counts:
    """Count the voxels of each image that are NaN, infinite, and negative and infinite."""
    found = [survey.facts[File(path)].voxels for path in case.images]
    return tuple((voxels.nan, voxels.above, voxels.below) if voxels else (0, 0, 0) for voxels in found)


def _kind(counts: Counts) -> Counts:
    return tuple((min(nan, 1), min(above, 1), min(below, 1)) for nan, above, below in counts)


def constant_images(survey: Survey) -> Iterator[Finding]:
    """Name the images that show nothing: one of several may stand for a modality that is missing."""
    for case in survey.cases:
        found = [survey.facts[File(path)].voxels for path in case.images]
        nothing = all(voxels is not None and voxels.constant for voxels in found)
        for path, voxels in zip(case.images, found, strict=True):
            if voxels is None or not voxels.constant:
                continue
            text = f"All voxels hold the value {voxels.ranges[0].median:g}." if voxels.ranges else "There is no voxel."
            remedy = "Nothing, where it stands for an image that was not taken; else export the file again."
            if nothing:
                remedy = "Export the file again, or take the row out: it shows nothing."
            yield survey.finding("error" if nothing else "warning", "constant image", case, path, text, remedy)


def far_intensities(survey: Survey, base: Base) -> Iterator[Finding]:
    """Name the images whose values lie in another range than those of the others."""
    remedy = (
        "Look at it; transforms.base brings it to the scale of the others."
        if base.normalises
        else "Correct it, or normalise each image in transforms.base (NormalizeIntensityd)."
    )
    for channel, members in sorted(_channels(survey).items()):
        lows, highs = (np.array([getattr(found, name) for _, _, found in members]) for name in ("low", "high"))
        widths = highs - lows
        usual = float(np.median(widths)) or 1.0
        odd = far(np.log(np.where(widths > 0, widths, np.nan)), _FACTOR) | far(lows / usual, _SHIFT)
        for (case, index, found), is_odd in zip(members, odd, strict=True):
            if is_odd:
                where = f" in channel {channel[1]}" if channel[1] else ""
                usually = f"{number(np.median(lows))} to {number(np.median(highs))}"
                text = f"Values{where} from {number(found.low)} to {number(found.high)}; usual are {usually}."
                yield survey.finding("warning", "intensities far off", case, case.images[index], text, remedy)


def _channels(survey: Survey) -> dict[tuple[int, int], list[tuple[Case, int, Range]]]:
    """Collect the ranges of each channel of each image column."""
    found: dict[tuple[int, int], list[tuple[Case, int, Range]]] = defaultdict(list)
    for case in survey.cases:
        for index in range(len(case.images)):
            voxels = survey.image(case, index).voxels
            if voxels is not None and not voxels.constant:
                for channel, values in enumerate(voxels.ranges):
                    found[index, channel].append((case, index, values))
    return found
