"""What the voxels of an image or label are like."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, Any]

_SAMPLE = 100_000  # voxels that percentiles are computed of
_MOST_VALUES = 512  # different values of a label that are counted one by one


class Range(NamedTuple):
    """The finite values of a channel: extremes, and percentiles 1, 50 and 99."""

    minimum: float
    low: float
    median: float
    high: float
    maximum: float


@dataclass(frozen=True)
class Voxels:
    """What was seen of the voxels of a file.

    Attributes:
        digest: Hash of shape and values, equal for equal images whatever type and format they are stored in; empty
            for a label.
        ranges: The values of each channel; none where no voxel is finite, and for a label.
        values: Value -> voxels that hold it, of a label; the most frequent ones where there are very many.
        nan: How many voxels are NaN.
        above: How many are infinite.
        below: How many are negative and infinite.
    """

    digest: str
    ranges: tuple[Range, ...]
    values: Mapping[float, int]
    nan: int = 0
    above: int = 0
    below: int = 0

    @property
    def infinite(self) -> int:
        """How many voxels are infinite."""
        return self.above + self.below

    @property
    def nonfinite(self) -> int:
        """How many voxels are NaN or infinite."""
        return self.nan + self.infinite

    @property
    def constant(self) -> bool:
        """Whether all voxels hold one and the same value, in each channel."""
        return self.nonfinite == 0 and all(found.minimum == found.maximum for found in self.ranges)


def describe_voxels(array: Array, *, label: bool) -> Voxels:
    """Describe an image or a label.

    Args:
        array: Shape (channels, ...).
        label: Whether to count its values, and nothing else.
    """
    if array.dtype == np.bool_:
        array = array.astype(np.uint8)
    finite = np.isfinite(array) if array.dtype.kind in "fc" else None
    whole = None if finite is None or finite.all() else finite
    rest = array[:0] if whole is None else array[~whole]
    counts = [int(np.count_nonzero(kind)) for kind in (np.isnan(rest), np.isposinf(rest), np.isneginf(rest))]
    if label:
        return Voxels("", (), _count(array if whole is None else array[whole]), *counts)
    ranges = [_range(channel, None if whole is None else whole[i]) for i, channel in enumerate(array)]
    return Voxels(_digest(array), tuple(found for found in ranges if found is not None), {}, *counts)


def _digest(array: Array) -> str:
    digest = hashlib.blake2b(repr(array.shape).encode(), digest_size=16)
    for channel in array:
        digest.update(np.ascontiguousarray(channel, dtype=np.float32).data)
    return digest.hexdigest()


def _range(channel: Array, finite: Array | None) -> Range | None:
    """Measure a channel; percentiles of voxels taken at equal distances, which is close enough for millions."""
    values = channel.ravel() if finite is None else channel[finite]
    if values.size == 0:
        return None
    step = max(1, values.size // _SAMPLE) | 1  # odd, so as not to stay in one column of an image of even width
    low, median, high = (float(value) for value in np.percentile(values[::step], (1, 50, 99)))
    return Range(float(values.min()), low, median, high, float(values.max()))


def _count(array: Array) -> dict[float, int]:
    values = array.ravel()
    if values.size == 0:
        return {}
    low, high = float(values.min()), float(values.max())
    # Counting is many times quicker than sorting; whole numbers that are stored as floats are counted as well.
    if low >= 0 and high < 2**16 and (values.dtype.kind in "iu" or bool((values == np.rint(values)).all())):
        counts = np.bincount(values.astype(np.intp, copy=False))
        found = np.flatnonzero(counts)
        return {float(value): int(counts[value]) for value in found}
    found, counts = np.unique(values, return_counts=True)
    if len(found) > _MOST_VALUES:
        kept = np.sort(np.argsort(-counts, kind="stable")[:_MOST_VALUES])
        found, counts = found[kept], counts[kept]
    return {float(value): int(number) for value, number in zip(found, counts, strict=True)}
