"""Classification data sets: images and the findings in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from trainlib.data.phantom.findings import FINDINGS, MIN_SIZE, SHAPES, draw_findings, scan_findings
from trainlib.data.phantom.scanner import quantise
from trainlib.data.phantom.storage import Layout
from trainlib.data.phantom.tables import check_arguments, write_dataset


def make_classification_dataset(
    folder: Path,
    *,
    spatial_dims: int = 3,
    cases: tuple[int, int, int] = (48, 24, 24),
    channels: int = 1,
    shape: tuple[int, ...] | None = None,
    seed: int = 0,
    file_format: str = "nifti",
    rgb: bool = False,
    multilabel: bool = False,
) -> Path:
    """Write images of findings, and the three CSV files of a classification data set.

    The columns are image (image_0, image_1, ... with several channels) and label, which names the one finding of
    `FINDINGS` that the image shows. A multi-label data set has in place of label a column for each finding, 1 where
    the image shows it and else 0; an image shows none, some or all of them.

    Args:
        folder: as in `make_dataset`, like all that is not listed here.
        spatial_dims: 3 for volumes, 2 for single slices.
        cases: how many cases train.csv, valid.csv and test.csv hold; classes are balanced in every split whose
            count, and the counts before it, are multiples of 3, or of 8 in a multi-label data set.
        channels: images per case.
        shape: by default 28 x 28 x 16 or 40 x 40, give or take a few voxels a case.
        seed: decides everything.
        file_format: ``nifti``, or ``png`` for 2-D.
        rgb: whether a PNG image is a colour picture.
        multilabel: whether an image may show several

    Returns:
        The folder.

    Raises:
        FileExistsError: if the folder is not empty.
        ValueError: if an argument is outside what a phantom can be made of.
    """
    layout = Layout(spatial_dims, channels, file_format, rgb)
    check_arguments(spatial_dims, cases, shape, MIN_SIZE)

    def write_case(folder: Path, index: int) -> list[str]:
        rng = np.random.default_rng((seed, index))
        shown = _findings_of(index, seed, multilabel=multilabel)
        grid = layout.draw_grid(index, shape or SHAPES[spatial_dims], vary=shape is None, rng=rng)
        masks = draw_findings(shown, grid.shape, grid.spacing, rng, size=0.8 if multilabel else 1.0)
        scans = [
            quantise(
                scan_findings(masks, grid.shape, grid.spacing, channel, rng),
                index,
                rng,
                picture=layout.picture,
            )
            for channel in range(layout.scans)
        ]
        labels = [str(int(name in shown)) for name in FINDINGS] if multilabel else shown
        return [*layout.save_images(folder, f"case_{index:03d}", scans, grid), *labels]

    return write_dataset(
        folder, ("images",), cases, [*layout.columns, *(FINDINGS if multilabel else ["label"])], write_case
    )


def _findings_of(index: int, seed: int, *, multilabel: bool) -> list[str]:
    """Choose what a case shows: every kind, or combination of kinds, once in a block of cases, in a drawn order.

    The order is drawn because orientation and data type follow the number of the case, and must not tell the class.
    """
    count = 2 ** len(FINDINGS) if multilabel else len(FINDINGS)
    block, place = divmod(index, count)
    choice = int(np.random.default_rng((seed, block, count)).permutation(count)[place])
    if multilabel:
        return [name for bit, name in enumerate(FINDINGS) if choice >> bit & 1]
    return [FINDINGS[choice]]
