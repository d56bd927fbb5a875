"""All segmentation scores of one case, a row per class."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from trainlib.metrics.boxes import bounding_box
from trainlib.metrics.overlap import check_shapes, dice_score
from trainlib.metrics.surface import SurfaceScores, check_spacing, surface_scores

NOT_COMPUTED = SurfaceScores(math.nan, math.nan, math.nan, math.nan)


def score_case(
    prediction: NDArray[np.integer[Any]],
    label: NDArray[np.integer[Any]],
    classes: Sequence[str],
    spacing: Sequence[float],
    *,
    surface: bool = True,
    nsd_tolerance: float = 1.0,
    include_background: bool = False,
) -> list[dict[str, float | str]]:
    """Score the predicted label map of one case against its label.

    Args:
        prediction: Integer label map, 2-D or 3-D, with values from 0 to len(classes) - 1.
        label: Integer label map of the same shape, with the same values.
        classes: Names of the classes in the order of their values; the first is the background.
        spacing: Size of a voxel along each axis in mm.
        surface: Whether to compute the surface scores, which cost far more than the rest; else they are nan.
        nsd_tolerance: Distance in mm up to which a surface voxel counts as right in nsd.
        include_background: Whether the background gets a row as well.

    Returns:
        One row per class: class, dice, hd, hd95, asd, nsd, label_ml and prediction_ml (volumes in ml; for a
        2-D image areas, label_mm2 and prediction_mm2) and outcome: "found" (in both), "missed" (in the label
        only), "false_positive" (in the prediction only) or "absent" (in neither).

    Raises:
        ValueError: The label maps differ in shape, are not 2-D or 3-D, are not integers or hold a value that
            is no class; the spacing does not fit them; or the tolerance is not a distance.
    """
    _check_label_maps(prediction, label, len(classes))
    check_spacing(spacing, label.ndim)
    rows = []
    for value, (name, box) in enumerate(zip(classes, _boxes(prediction, label, len(classes)), strict=True)):
        if value == 0 and not include_background:
            continue
        # Most structures are a small part of the image, and all that follows takes as long as what it looks at is big.
        predicted, labelled = prediction[box] == value, label[box] == value
        distances = NOT_COMPUTED
        if surface:
            distances = surface_scores(predicted, labelled, spacing, nsd_tolerance, label.shape)
        row: dict[str, float | str] = {"class": name, "dice": dice_score(predicted, labelled)}
        row |= distances._asdict()
        row |= _sizes(predicted, labelled, spacing)
        row["outcome"] = _outcome(predicted, labelled)
        rows.append(row)
    return rows


def _boxes(
    prediction: NDArray[np.integer[Any]], label: NDArray[np.integer[Any]], class_count: int
) -> list[tuple[slice, ...]]:
    """Find for each class the smallest box that holds it in both label maps, in one pass; the background's is all.

    Args:
        prediction: Label map.
        label: Label map of the same shape.
        class_count: Number of classes, background included.

    Returns:
        One slice per axis for each class; empty ones for a class that is in neither.
    """
    found = [_objects(values, class_count) for values in (prediction, label)]
    boxes = [tuple(slice(0, size) for size in label.shape)]
    for both in zip(*found, strict=True):
        there = [box for box in both if box is not None]
        boxes.append(
            tuple(
                slice(min(part.start for part in parts), max(part.stop for part in parts))
                for parts in zip(*there, strict=True)
            )
            or (slice(0, 0),) * label.ndim
        )
    return boxes


def _objects(values: NDArray[np.integer[Any]], class_count: int) -> list[tuple[slice, ...] | None]:
    """Find the smallest box of each class but the background; None for a class that is not there."""
    foreground = values != 0
    if not foreground.any():
        return [None] * (class_count - 1)
    # Far cheaper to find than the boxes of the classes in it.
    whole = bounding_box(foreground)
    inside = values[whole]
    inside = inside.view(np.uint8) if inside.dtype == np.bool_ else inside
    found = ndimage.find_objects(inside, max_label=class_count - 1)
    return [
        box
        and tuple(
            slice(outer.start + part.start, outer.start + part.stop) for outer, part in zip(whole, box, strict=True)
        )
        for box in found
    ]


def _check_label_maps(prediction: NDArray[np.integer[Any]], label: NDArray[np.integer[Any]], class_count: int) -> None:
    """Check that two label maps fit each other and the classes.

    Args:
        prediction: Label map.
        label: Label map.
        class_count: Number of classes, background included.

    Raises:
        ValueError: They differ in shape, are not 2-D or 3-D, are not integers or hold a value that is no
            class.
    """
    check_shapes(prediction.shape, label.shape)
    if label.ndim not in (2, 3):
        raise ValueError(f"Expected label maps with 2 or 3 dimensions, but got shape {label.shape}.")
    for name, values in (("prediction", prediction), ("label", label)):
        if values.dtype.kind not in "iub":
            raise ValueError(f"Expected {name} to hold integers, but got dtype {values.dtype}.")
        # A value that is no class would be left out of every score in silence.
        if values.size and not 0 <= values.min() <= values.max() < class_count:
            wrong = np.unique(values[(values < 0) | (values >= class_count)])
            raise ValueError(
                f"Expected {name} to hold class values from 0 to {class_count - 1}, but found {wrong.tolist()}."
            )


def _sizes(
    predicted: NDArray[np.bool_], labelled: NDArray[np.bool_], spacing: Sequence[float]
) -> dict[str, float | str]:
    """Measure the volume of both masks in ml; in 2-D the area in mm2."""
    unit, per_unit = ("mm2", 1.0) if len(spacing) == 2 else ("ml", 1000.0)
    voxel = math.prod(float(step) for step in spacing)
    return {
        f"label_{unit}": int(np.count_nonzero(labelled)) * voxel / per_unit,
        f"prediction_{unit}": int(np.count_nonzero(predicted)) * voxel / per_unit,
    }


def _outcome(predicted: NDArray[np.bool_], labelled: NDArray[np.bool_]) -> str:
    """Name which of the two masks hold the structure."""
    if labelled.any():
        return "found" if predicted.any() else "missed"
    return "false_positive" if predicted.any() else "absent"
