"""Do the voxels of the images hold anything to learn from, and are the images alike?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from trainlib.check.base import Base
from trainlib.check.finding import Finding, counted
from trainlib.check.grids import number
from trainlib.check.outliers import far
from trainlib.check.survey import Survey
from trainlib.check.trial import Trial
from trainlib.check.voxels import Range
from trainlib.data.splits import Case

_FACTOR = np.log(10.0)  # a range is far from the others if it is ten times as wide, at least
_SHIFT = 3.0  # or lies three times its width off


def not_finite(survey: Survey, trial: Trial) -> Iterator[Finding]:
    """Name the images that hold NaN or infinity; a warning where the base transforms replace them."""
    found = [(case, path, voxels.nonfinite) for case, path, voxels in survey.voxels() if voxels.nonfinite]
    cleaned = bool(found) and trial.cleans(found[0][0])
    for case, path, count in found:
        text = f"{counted(count, 'voxel')} {'is' if count == 1 else 'are'} NaN or infinite."
        remedy = "Replace them by the value of the background: one of them spoils all weights of a network."
        if cleaned:
            remedy = "Nothing: transforms.base replaces them."
        yield survey.finding("warning" if cleaned else "error", "NaN or infinity", case, path, text, remedy)


def constant_images(survey: Survey) -> Iterator[Finding]:
    """Name the images that show nothing."""
    for case, path, voxels in survey.voxels():
        if voxels.constant:
            text = f"All voxels hold the value {voxels.ranges[0].median:g}." if voxels.ranges else "There is no voxel."
            remedy = "Export the file again, or take the row out: it shows nothing."
            yield survey.finding("error", "constant image", case, path, text, remedy)


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
