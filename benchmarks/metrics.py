"""Dice, HD, HD95, ASD and NSD of a case in one pass, against MONAI's separate calls."""

from __future__ import annotations

import time
from statistics import median

import numpy as np
import torch
from monai.metrics import (
    compute_average_surface_distance,
    compute_dice,
    compute_hausdorff_distance,
    compute_surface_dice,
)

from benchmarks.harness import Row, write_section
from trainlib.metrics.case import score_case

SPACING = (1.0, 1.0, 1.2)  # mm
# Shape and number of classes, background left out.
CASES = [((128, 128, 128), 3), ((192, 192, 192), 5), ((256, 256, 256), 7)]
ROUNDS = 4
LONG = 30.0  # s; what takes longer is measured once


def ellipsoids(shape: tuple[int, ...], classes: int, shift: float) -> np.ndarray:
    """Draw a label map with one ellipsoid for each class, a few voxels off with `shift`."""
    rng = np.random.default_rng(classes)
    grid = np.indices(shape, dtype=np.float32)
    label = np.zeros(shape, np.uint8)
    for value in range(1, classes):
        centre, radii = rng.uniform(0.25, 0.75, 3) * shape, rng.uniform(0.05, 0.18, 3) * shape
        inside = sum(((grid[i] - centre[i] - shift) / radii[i]) ** 2 for i in range(3)) < 1
        label[inside] = value
    return label


def with_noise(label: np.ndarray, classes: int) -> np.ndarray:
    """Return what a network predicts in an early epoch: a fifth of all voxels at random."""
    rng = np.random.default_rng(0)
    wrong = rng.random(label.shape) < 0.2
    return np.where(wrong, rng.integers(0, classes, label.shape), label).astype(np.uint8)


def one_hot(label: np.ndarray, classes: int) -> torch.Tensor:
    """Return what MONAI takes, shape (1, classes, ...)."""
    return torch.from_numpy(label == np.arange(classes, dtype=np.uint8).reshape(-1, 1, 1, 1))[None]


def monai_scores(predicted: torch.Tensor, labelled: torch.Tensor) -> list[torch.Tensor]:
    """Call MONAI's metrics one after the other, background left out; shape (classes - 1,) each."""
    both = {"include_background": False, "spacing": list(SPACING)}
    thresholds = [1.0] * (predicted.shape[1] - 1)
    found = [
        compute_dice(predicted, labelled, include_background=False),
        compute_hausdorff_distance(predicted, labelled, **both),
        compute_hausdorff_distance(predicted, labelled, percentile=95, **both),
        compute_average_surface_distance(predicted, labelled, symmetric=True, **both),
        compute_surface_dice(predicted, labelled, thresholds, **both),
    ]
    return [scores[0] for scores in found]


def compare(rows: list[dict[str, float | str]], theirs: list[torch.Tensor]) -> None:
    """Make sure that both found the same; MONAI works in single precision."""
    for name, scores in zip(("dice", "hd", "hd95", "asd", "nsd"), theirs, strict=True):
        np.testing.assert_allclose(np.array([row[name] for row in rows]), scores, rtol=1e-4, err_msg=name)


def measure(shape: tuple[int, ...], structures: int, kind: str) -> Row:
    """Score one case both ways in turn, and compare the scores."""
    classes = structures + 1
    label = ellipsoids(shape, classes, 0.0)
    prediction = ellipsoids(shape, classes, 1.5)
    if kind == "noisy":
        prediction = with_noise(prediction, classes)
    names = [str(value) for value in range(classes)]
    tensors = one_hot(prediction, classes), one_hot(label, classes)
    score_case(label[:8, :8, :8], label[:8, :8, :8], names, SPACING)  # imports and the like
    ours: list[float] = []
    theirs: list[float] = []
    while len(ours) < ROUNDS and sum(theirs) < LONG:
        start = time.process_time()
        rows = score_case(prediction, label, names, SPACING)
        between = time.process_time()
        scores = monai_scores(*tensors)
        ours.append(between - start)
        theirs.append(time.process_time() - between)
        compare(rows, scores)
    size = " x ".join(map(str, shape))
    what = f"{size}, {structures} classes, {kind}"
    return Row(what, "MONAI, five calls", median(ours), median(theirs), "s", "<= 0.2")


def run() -> None:
    """Measure all cases."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    rows = [measure(shape, structures, kind) for shape, structures in CASES for kind in ("clean", "noisy")]
    torch.set_num_threads(threads)
    write_section("Metrics", rows, "Processor time in one thread. Noisy: a fifth of all voxels at random.")


if __name__ == "__main__":
    run()
