"""Do image and label of a case lie on one grid, and is it a grid at all?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainlib.check.base import Base
from trainlib.check.finding import Finding, Severity
from trainlib.check.grids import Difference, difference, sizes
from trainlib.check.headers import Header
from trainlib.check.reading import File
from trainlib.check.survey import Survey, files_of
from trainlib.data.grids import wrong_affine
from trainlib.data.splits import Case

TRANSFORMED = ("train", "valid")
"""The splits whose labels go through the base transforms."""
_CORRECT = "Correct the header of the one that is wrong, or export the label on the grid of its image."
_HARMLESS = "Less than half a voxel: harmless, but look where it comes from."
_TOGETHER = "transforms.base brings both to one grid; look whether that is meant."


def impossible_grids(survey: Survey, base: Base) -> Iterator[Finding]:
    """Name the files that have no voxels, no usable affine, or another number of dimensions than the config says."""
    dims = survey.config.data.spatial_dims
    for case in survey.cases:
        for file in files_of(case):
            header = survey.facts[file].header
            if header is None:
                continue
            if 0 in (*header.shape, header.channels):
                text = f"Has the shape {sizes(header.shape)}, and thus no voxels."
                remedy = "Export the file again, or take the row out."
                yield survey.finding("error", "no voxels", case, file.path, text, remedy)
            elif not header.usable:
                wrong = wrong_affine(header.matrix, len(header.shape))
                text = f"The affine in the header {wrong}, so that no voxel has a place."
                remedy = "Correct the header, or export the file again."
                yield survey.finding("error", "affine", case, file.path, text, remedy)
            elif len(header.shape) != dims and base.known:
                text = f"Has {len(header.shape)} dimensions ({sizes(header.shape)}), expected {dims}."
                remedy = "Correct data.spatial_dims, or save each volume or slice as a file of its own."
                yield survey.finding("error", "dimensions", case, file.path, text, remedy)


def apart_columns(survey: Survey) -> Iterator[Finding]:
    """Name the images of a case that cannot be its channels, for they do not lie on the grid of the first."""
    columns = survey.config.data.image_cols
    for case in survey.cases:
        first = survey.image(case).header
        for i in range(1, len(case.images)):
            header = survey.image(case, i).header
            if first is None or header is None:
                continue
            if header.shape != first.shape:
                what = f"shape {sizes(header.shape)} and {sizes(first.shape)}"
            elif not np.allclose(header.matrix, first.matrix):  # as MONAI compares them
                what = "affine"
            else:
                continue
            text = f"The images of the columns {columns[i]!r} and {columns[0]!r} differ in {what}."
            remedy = "Resample them to one grid: they become the channels of one image."
            yield survey.finding("error", "image columns", case, case.images[i], text, remedy)


def apart_labels(survey: Survey, base: Base) -> Iterator[Finding]:
    """Name the labels that do not lie on the grid of their image."""
    for split, cases in survey.splits.items():
        for case in cases:
            if (pair := _pair(survey, case)) is not None:
                # The label of a test case is not transformed: the prediction is brought to its grid.
                finding = _apart if split in TRANSFORMED else _outside
                yield from finding(survey, base, case, *pair)


def doubtful_labels(survey: Survey, base: Base) -> Iterator[Case]:
    """Yield the cases whose image and label lie on two grids of which only the transforms know what becomes."""
    for split in TRANSFORMED:
        for case in survey.splits.get(split, []):
            pair = _pair(survey, case)
            if pair and difference(*pair, reoriented=False) and base.fit_together(*pair) is None:
                yield case


def _pair(survey: Survey, case: Case) -> tuple[Header, Header] | None:
    """Return the headers of image and label, where both can be compared."""
    label = None if case.label is None else survey.facts[File(case.label, label=True)].header
    image = survey.image(case).header
    if image is None or label is None or not (image.usable and label.usable):
        return None
    if len(image.shape) != len(label.shape):  # which is told of the one that has not the dimensions of the config
        return None
    return (image, label) if 0 not in (*image.shape, *label.shape) else None


def _apart(survey: Survey, base: Base, case: Case, image: Header, label: Header) -> Iterator[Finding]:
    """Compare a label that is transformed like its image."""
    stored = difference(image, label, reoriented=False)
    if stored is None:
        return
    found = difference(image, label, reoriented=base.reorients)
    fit = base.fit_together(image, label)
    if fit is None:
        fit = found is None or found.apart <= min(image.spacing) / 2
        severity: Severity = "error" if base.known else "warning"
        remedy = _CORRECT if base.known else f"{_CORRECT} Nothing, where a transform of transforms.base puts it right."
    else:
        severity, remedy = "error", _CORRECT
    if fit:
        # As far as a prepared case is allowed to be off.
        prepared = base.grid_after(image)
        small = found is not None and found.apart <= min(prepared.spacing if prepared else image.spacing) / 2
        severity, remedy = "warning", _HARMLESS if small else _TOGETHER
    if found is not None or not fit:
        yield _finding(survey, case, severity, found or stored, remedy)


def _outside(survey: Survey, base: Base, case: Case, image: Header, label: Header) -> Iterator[Finding]:
    """Compare a label that predictions are brought to."""
    found = difference(image, label, reoriented=True)
    if found is None:
        return
    if found.apart <= min(image.spacing) / 2:
        yield _finding(survey, case, "warning", found, _HARMLESS)
    elif found.inside:
        remedy = "The prediction is brought to the grid of the label; look whether that is meant."
        yield _finding(survey, case, "warning", found, remedy)
    else:
        yield _finding(survey, case, "error", found, _CORRECT)


def _finding(survey: Survey, case: Case, severity: Severity, found: Difference, remedy: str) -> Finding:
    text = f"Label and image differ in {', '.join(found.texts)}."
    kind = "label shifted" if found.origin_alone else "label geometry"
    return survey.finding(severity, kind, case, case.label, text, remedy)
