"""Generated phantom volumes, so that a demo and the tests need no download.

Every case is a body with one organ, one lesion in the organ, and distractors: a layer of muscle and small
blobs as bright as the organ, a rim and small blobs as bright as the lesion. Intensity alone therefore does
not separate the classes, while size and surroundings do.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nib
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage

CLASSES = ["background", "organ", "lesion"]
"""Class names in the order of the label values."""

Floats = NDArray[np.float64]


class Tissue(NamedTuple):
    """One kind of tissue: the range its intensity is drawn from, and its label value."""

    low: float
    high: float
    label: int


# Muscle, rim and blobs share the ranges of organ and lesion on purpose: they are what defeats a threshold.
TISSUES = {
    "air": Tissue(0.00, 0.05, 0),
    "body": Tissue(0.15, 0.25, 0),
    "muscle": Tissue(0.50, 0.75, 0),
    "rim": Tissue(1.10, 1.50, 0),
    "organ": Tissue(0.50, 0.70, 1),
    "lesion": Tissue(1.10, 1.40, 2),
    "dim blob": Tissue(0.50, 0.75, 0),
    "bright blob": Tissue(1.00, 1.50, 0),
}
INDEX = {name: i for i, name in enumerate(TISSUES)}

SHAPES = {2: (64, 64), 3: (40, 40, 24)}
SPACINGS = {2: (1.0, 1.25), 3: (1.0, 1.0, 1.8)}
ORIENTATIONS = {2: ("RA", "LP", "AR"), 3: ("RAS", "LPS", "SRA", "PIR")}
ORGAN_RADII = {2: (0.50, 0.66), 3: (0.60, 0.74)}
LESION_RADII = {2: (0.28, 0.40), 3: (0.38, 0.50)}
"""Smallest and largest semi-axis over half the shortest side of the field of view. A volume shrinks with the
cube of the radius, so that in 3-D a lesion must be larger to hold enough voxels to learn from quickly."""

MIN_SIZE = 12
"""Fewest voxels along an axis with which both classes show in every case."""


def make_dataset(
    folder: Path,
    *,
    spatial_dims: int = 3,
    cases: tuple[int, int, int] = (24, 6, 6),
    channels: int = 1,
    shape: tuple[int, ...] | None = None,
    seed: int = 0,
) -> Path:
    """Write phantom images, their labels and the three CSV files of a segmentation data set.

    Args:
        folder: where to write; must be absent or empty.
        spatial_dims: 3 for volumes, 2 for single slices of shape (H, W).
        cases: how many cases train.csv, valid.csv and test.csv hold.
        channels: images per case; with more than one the CSV columns are image_0, image_1, ...
        shape: voxels along right, anterior (and superior), the same for every case, though the stored
            axes may be permuted. By default 40 x 40 x 24 or 64 x 64, give or take a few voxels a case.
        seed: the same seed writes the same voxels; a case depends on the seed and its number alone.

    Returns:
        The folder.

    Raises:
        FileExistsError: if the folder is not empty.
        ValueError: if an argument is outside what a phantom can be made of.
    """
    folder = Path(folder)
    _check_arguments(spatial_dims, cases, channels, shape)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(f"{folder} holds files already")
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True)
    columns = [*(["image"] if channels == 1 else [f"image_{i}" for i in range(channels)]), "label"]
    first = 0
    for split, count in zip(("train", "valid", "test"), cases, strict=True):
        rows = [_write_case(folder, i, spatial_dims, channels, shape, seed) for i in range(first, first + count)]
        table = pd.DataFrame(rows, columns=columns)
        table.to_csv(folder / f"{split}.csv", index=False, lineterminator="\n")
        first += count
    return folder


def _check_arguments(spatial_dims: int, cases: tuple[int, ...], channels: int, shape: tuple[int, ...] | None) -> None:
    if spatial_dims not in SHAPES:
        raise ValueError(f"Expected `spatial_dims` to be 2 or 3, but got {spatial_dims}")
    if len(cases) != 3 or min(cases) < 0:
        raise ValueError(f"Expected `cases` to be three counts (train, valid, test), but got {cases}")
    if channels < 1:
        raise ValueError(f"Expected `channels` to be a positive integer, but got {channels}")
    if shape is not None and (len(shape) != spatial_dims or min(shape) < MIN_SIZE):
        raise ValueError(f"Expected `shape` to be {spatial_dims} sizes of at least {MIN_SIZE} voxels, but got {shape}")


def _write_case(
    folder: Path, index: int, dims: int, channels: int, shape: tuple[int, ...] | None, seed: int
) -> list[str]:
    """Write the images and the label of one case; return their paths relative to the folder."""
    rng = np.random.default_rng((seed, index))
    if shape is None:
        shape = tuple(int(size + rng.integers(-3, 4)) for size in SHAPES[dims])
    spacing = np.array(SPACINGS[dims]) * rng.uniform(0.9, 1.1, dims)
    affine = np.diag([*spacing, *np.ones(4 - dims)])
    affine[:dims, 3] = rng.uniform(-90, -30, dims)
    # Cycled rather than drawn, so that even a handful of cases holds every orientation.
    axcodes = ORIENTATIONS[dims][index % len(ORIENTATIONS[dims])]

    tissue = _draw_anatomy(shape, spacing, rng)
    label = np.array([t.label for t in TISSUES.values()], dtype=np.uint8)[tissue]
    paths = []
    for channel in range(channels):
        image = _scan(tissue, spacing, channel, rng)
        suffix = "" if channels == 1 else f"_{channel}"
        paths.append(f"images/case_{index:03d}{suffix}.nii.gz")
        _save(folder / paths[-1], _quantise(image, index, rng), affine, axcodes)
    paths.append(f"labels/case_{index:03d}.nii.gz")
    _save(folder / paths[-1], label, affine, axcodes)
    return paths


def _draw_anatomy(shape: tuple[int, ...], spacing: Floats, rng: np.random.Generator) -> NDArray[np.intp]:
    """Draw which tissue every voxel holds, as indices into TISSUES, on a grid in RAS order."""
    dims, size = len(shape), np.array(shape)
    half = size * spacing / 2
    unit = float(half.min())
    points = (np.moveaxis(np.indices(shape), 0, -1) - (size - 1) / 2) * spacing

    body = _distance(points, np.zeros(dims), half * rng.uniform(0.9, 0.98, dims))
    layers = np.array([INDEX[name] for name in ("body", "muscle", "rim", "air")])
    tissue = layers[np.digitize(body, (0.82, 0.9, 1.0))]

    # Like a liver, the organ lies towards the right, the first axis in RAS.
    organ_centre = rng.uniform(-0.12, 0.12, dims) * half
    organ_centre[0] += 0.15 * half[0]
    organ_radii = unit * rng.uniform(*ORGAN_RADII[dims], dims)
    for name in ("dim blob", "dim blob", "bright blob", "bright blob", "bright blob"):
        radii = unit * rng.uniform(0.12, 0.2, dims)
        centre = _outside(organ_centre, float(organ_radii.max() + radii.max()), 0.75 * half, rng)
        tissue[_distance(points, centre, radii, rng) < 1] = INDEX[name]
    tissue[_distance(points, organ_centre, organ_radii, rng) < 1] = INDEX["organ"]

    direction = rng.normal(size=dims)
    offset = direction / np.linalg.norm(direction) * organ_radii.min() * rng.uniform(0.1, 0.4)
    lesion_radii = unit * rng.uniform(*LESION_RADII[dims], dims)
    tissue[_distance(points, organ_centre + offset, lesion_radii, rng) < 1] = INDEX["lesion"]
    return tissue


def _distance(points: Floats, centre: Floats, radii: Floats, rng: np.random.Generator | None = None) -> Floats:
    """Measure the distance of points from an ellipsoid's centre, 1 on its surface.

    Args:
        points: (..., dims) positions in mm.
        centre: (dims,) in mm.
        radii: (dims,) semi-axes in mm.
        rng: turns the ellipsoid at random; without it the semi-axes lie along the grid.
    """
    offsets = points - centre
    if rng is not None:
        # An orthogonal matrix may mirror as well as turn, which an ellipsoid does not show.
        offsets = offsets @ np.linalg.qr(rng.normal(size=(len(radii), len(radii))))[0]
    distances: Floats = np.linalg.norm(offsets / radii, axis=-1)
    return distances


def _outside(avoid: Floats, gap: float, reach: Floats, rng: np.random.Generator) -> Floats:
    """Draw a position within `reach` mm of the middle, `gap` mm or more from `avoid` if one is found."""
    draws: Floats = rng.uniform(-1, 1, (256, len(reach)))
    draws = draws[np.linalg.norm(draws, axis=1) < 1] * reach
    gaps = np.linalg.norm(draws - avoid, axis=1)
    # The farthest draw stands in where the organ fills the body; the organ is painted over it.
    found: Floats = draws[np.argmax(gaps >= gap) if (gaps >= gap).any() else np.argmax(gaps)]
    return found


def _scan(tissue: NDArray[np.intp], spacing: Floats, channel: int, rng: np.random.Generator) -> Floats:
    """Image the anatomy: intensities, soft edges, a smooth multiplicative bias field and noise."""
    levels = np.array([rng.uniform(t.low, t.high) for t in TISSUES.values()])
    if channel % 2:
        # Like T1 and T2: every other channel shows bright tissue dark. Air stays dark in both.
        levels[1:] = 1.6 - levels[1:]
    image = ndimage.gaussian_filter(levels[tissue], sigma=0.6 / spacing)
    grid = np.meshgrid(*(np.linspace(-1, 1, n) for n in tissue.shape), indexing="ij")
    slopes, bends = rng.uniform(-0.2, 0.2, (2, tissue.ndim))
    bias = np.exp(sum(s * x + b * x**2 for s, b, x in zip(slopes, bends, grid, strict=True)))
    scanned: Floats = np.clip(image * bias + rng.normal(0, 0.1, tissue.shape), 0, None)
    return scanned


def _quantise(image: Floats, index: int, rng: np.random.Generator) -> NDArray[Any]:
    """Scale the image as a scanner of its own would; every third case is stored as integers."""
    scale = rng.uniform(0.5, 2.0)
    scaled: Floats = image * 500 * scale
    if index % 3 != 2:
        return scaled.astype(np.float32)
    if image.ndim == 2:
        return np.rint(scaled / np.max(scaled) * 255).astype(np.uint8)
    return np.rint(scaled).astype(np.int16)


def _save(path: Path, array: NDArray[Any], affine: Floats, axcodes: str) -> None:
    """Write an array given in RAS order as NIfTI whose stored axes run along `axcodes`."""
    dims = array.ndim
    target = nib.orientations.axcodes2ornt(axcodes + "RAS"[dims:])
    turn = nib.orientations.ornt_transform(nib.orientations.axcodes2ornt("RAS"), target)
    stored = nib.orientations.apply_orientation(array, turn[:dims])
    shape = (*array.shape, 1)[:3]
    image = nib.Nifti1Image(stored, affine @ nib.orientations.inv_ornt_aff(turn, shape))
    image.header.set_xyzt_units("mm")
    nib.save(image, path)
