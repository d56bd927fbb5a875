"""Segmentation data sets: bodies and their label maps."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from trainlib.data.phantom.anatomy import MIN_SIZE, SHAPES, draw_anatomy, label_of, scan_anatomy
from trainlib.data.phantom.scanner import quantise
from trainlib.data.phantom.storage import Layout
from trainlib.data.phantom.tables import check_arguments, write_dataset


def make_dataset(
    folder: Path,
    *,
    spatial_dims: int = 3,
    cases: tuple[int, int, int] = (24, 6, 6),
    channels: int = 1,
    shape: tuple[int, ...] | None = None,
    seed: int = 0,
    file_format: str = "nifti",
    rgb: bool = False,
) -> Path:
    """Write phantom images, their labels and the three CSV files of a segmentation data set.

    The classes are `CLASSES`; the columns are image (image_0, image_1, ... with several channels) and label.

    Args:
        folder: where to write; must be absent or empty.
        spatial_dims: 3 for volumes, 2 for single slices of shape (H, W).
        cases: how many cases train.csv, valid.csv and test.csv hold.
        channels: images per case; with more than one the CSV columns are image_0, image_1, ...
        shape: voxels along right, anterior (and superior), the same for every case, though the stored
            axes may be permuted. By default 40 x 40 x 24 or 64 x 64, give or take a few voxels a case.
        seed: the same seed writes the same voxels; a case depends on the seed and its number alone.
        file_format: ``nifti``, or ``png`` for 2-D: 8-bit gray images, and masks of the class values with a palette.
        rgb: whether a PNG image is a colour picture.

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
        grid = layout.draw_grid(index, shape or SHAPES[spatial_dims], vary=shape is None, rng=rng)
        tissue = draw_anatomy(grid.shape, grid.spacing, rng)
        scans = [
            quantise(scan_anatomy(tissue, grid.spacing, channel, rng), index, rng, picture=layout.picture)
            for channel in range(layout.scans)
        ]
        paths = layout.save_images(folder, f"case_{index:03d}", scans, grid)
        return [*paths, layout.save_label(folder, f"case_{index:03d}", label_of(tissue), grid)]

    return write_dataset(folder, ("images", "labels"), cases, [*layout.columns, "label"], write_case)
