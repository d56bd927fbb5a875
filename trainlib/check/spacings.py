"""Is the spacing of an image far from that of the others?"""

from __future__ import annotations

from collections.abc import Iterator

import nibabel as nib
import numpy as np

from trainlib.check.finding import Finding
from trainlib.check.grids import sizes
from trainlib.check.headers import Header
from trainlib.check.outliers import far
from trainlib.check.survey import Survey

_FACTOR = np.log(2.0)  # off by a factor of two, at least


def far_spacings(survey: Survey) -> Iterator[Finding]:
    """Name the images whose voxels have another size than those of the others."""
    dims = survey.config.data.spatial_dims
    images = [
        (case, path, header)
        for case, path, header in survey.headers()
        if header.affine is not None and header.usable and len(header.shape) == dims
    ]
    if not images:
        return
    spacings = np.array([_along_body(header) for _, _, header in images])
    usual = np.median(spacings, axis=0)
    odd = np.any([far(np.log(axis), _FACTOR) for axis in spacings.T], axis=0)
    for (case, path, _), spacing, is_odd in zip(images, spacings, odd, strict=True):
        if is_odd:
            found, others = sizes(tuple(spacing.tolist())), sizes(tuple(usual.tolist()))
            text = f"The spacing is {found} mm; usual are {others} mm."
            remedy = "Look whether the header is right; else resample with Spacingd in transforms.base."
            yield survey.finding("warning", "spacing far off", case, path, text, remedy)


def _along_body(header: Header) -> list[float]:
    """Return the spacing from left to right, back to front and down to up, however the file orders its axes."""
    order = np.argsort(nib.orientations.io_orientation(header.matrix)[: len(header.shape), 0])
    return [header.spacing[axis] for axis in order]
