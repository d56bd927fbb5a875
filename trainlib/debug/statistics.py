"""Statistics of images and labels, of files, after the base transforms and after the augmentation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch

_MOST_VALUES = 20  # label values that are listed


@dataclass(frozen=True)
class Statistics:
    """Statistics of one tensor.

    Attributes:
        shape: Its shape.
        dtype: Its type, as in ``float32``.
        count: Number of values.
        min: Least value.
        max: Greatest value.
        mean: Mean.
        std: Standard deviation.
        zeros: Share of values that are zero.
        values: The different values of a label, sorted; None for an image.
    """

    shape: tuple[int, ...]
    dtype: str
    count: int
    min: float
    max: float
    mean: float
    std: float
    zeros: float
    values: tuple[float, ...] | None = None


Row = tuple[str, str, str, Statistics]
"""Stage (``file``, ``base`` or ``train``), key, case and statistics."""


def describe(tensor: torch.Tensor, *, label: bool = False) -> Statistics:
    """Describe a tensor; values that are not finite make mean and standard deviation nan.

    Args:
        tensor: Any shape, with at least one value.
        label: Whether to list its different values.
    """
    values = tensor.detach().reshape(-1).to("cpu", torch.float64)
    return Statistics(
        shape=tuple(tensor.shape),
        dtype=str(tensor.dtype).removeprefix("torch."),
        count=values.numel(),
        min=float(values.min()),
        max=float(values.max()),
        mean=float(values.mean()),
        std=float(values.std(correction=0)),
        zeros=float((values == 0).double().mean()),
        values=tuple(values.unique().tolist()) if label else None,
    )


def pooled(parts: Sequence[Statistics]) -> Statistics:
    """Describe several tensors as if they were one; the shape is that of the first."""
    count = sum(part.count for part in parts)
    mean = sum(part.count * part.mean for part in parts) / count
    square = sum(part.count * (part.std**2 + part.mean**2) for part in parts) / count
    found = sorted({value for part in parts for value in part.values or ()})
    return Statistics(
        shape=parts[0].shape,
        dtype=", ".join(dict.fromkeys(part.dtype for part in parts)),
        count=count,
        min=min(part.min for part in parts),
        max=max(part.max for part in parts),
        mean=mean,
        std=max(square - mean**2, 0.0) ** 0.5,
        zeros=sum(part.count * part.zeros for part in parts) / count,
        values=tuple(found) if parts[0].values is not None else None,
    )


def table(rows: Iterable[Row]) -> list[Mapping[str, str]]:
    """Write statistics as the rows of a CSV."""
    return [{"stage": stage, "key": key, "case": case, **_cells(found)} for stage, key, case, found in rows]


def overview(rows: Sequence[Row]) -> list[str]:
    """Write the statistics of all cases together as lines for the console, one for each stage and key."""
    groups: dict[tuple[str, str], list[Statistics]] = {}
    for stage, key, _, found in rows:
        groups.setdefault((stage, key), []).append(found)
    cells = [["stage", "key", *_HEADINGS]]
    for (stage, key), parts in groups.items():
        various = len({part.shape for part in parts}) > 1
        shape, *others = _cells(pooled(parts)).values()
        cells.append([stage, key, f"{shape}{' ...' if various else ''}", *others])
    widths = [max(len(line[i]) for line in cells) for i in range(len(cells[0]))]
    return ["  " + "  ".join(map(str.ljust, line, widths)).rstrip() for line in cells]


_HEADINGS = ("shape", "dtype", "min", "max", "mean", "std", "zeros", "values")


def _cells(found: Statistics) -> dict[str, str]:
    numbers = [f"{value:.4g}" for value in (found.min, found.max, found.mean, found.std)]
    share = f"{100 * found.zeros:.1f} %"
    cells = [" x ".join(map(str, found.shape)), found.dtype, *numbers, share, _listed(found.values)]
    return dict(zip(_HEADINGS, cells, strict=True))


def _listed(values: tuple[float, ...] | None) -> str:
    if values is None:
        return ""
    shown = " ".join(f"{value:.7g}" for value in values[:_MOST_VALUES])
    return shown + (f" ... ({len(values)} values)" if len(values) > _MOST_VALUES else "")
