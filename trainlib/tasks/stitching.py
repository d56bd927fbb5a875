"""Put the windows of a network together slab by slab, so that the logits of a whole volume are never in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from monai.data.utils import compute_importance_map, dense_patch_slices
from monai.inferers import SlidingWindowInferer
from monai.utils import PytorchPadMode, ensure_tuple_rep, fall_back_tuple
from torch.nn import functional

Network = Callable[..., Any]

_VALUES = 2**22  # of a slab; what is made of it takes a few times as much memory


class Slab(NamedTuple):
    """Finished logits of some rows of a case; its first spatial axis is that of the rows.

    Attributes:
        item: Position of the case in the batch.
        start: The first of the rows.
        size: How many rows the case has.
        logits: Shape (classes, rows, ...).
    """

    item: int
    start: int
    size: int
    logits: torch.Tensor


def slabs(inferer: Any, image: torch.Tensor, network: Network) -> Iterator[Slab]:
    """Yield what `inferer(image, network)` returns, in slabs that cover every case from its first row to its last.

    MONAI's sliding window is followed step by step, so that the values are its own to the last bit: its windows come
    in the order of their first axis, and rows that no further window touches are finished. Of other inferers, and of
    networks that return something else than a map of their window, the whole result is divided.

    Args:
        inferer: The inferer.
        image: Shape (cases, channels, ...).
        network: What it calls.
    """
    if _is_followed(inferer, image):
        try:
            yield from _Windows(inferer, image).stitched(network)
            return
        except _OtherOutput:
            pass
    logits = inferer(image, network)
    for item, case in enumerate(logits):
        size = case.shape[1]
        for start, stop in _parts(0, size, _rows(case.shape)):
            yield Slab(item, start, size, case[:, start:stop])


class _OtherOutput(Exception):  # noqa: N818
    """The network does not return a map of its window."""


def _is_followed(inferer: Any, image: torch.Tensor) -> bool:
    """Tell whether an inferer is MONAI's sliding window, with settings that change nothing but where and what for."""
    if type(inferer) is not SlidingWindowInferer:
        return False
    dims = image.ndim - 2
    if isinstance(inferer.roi_size, list | tuple) and len(inferer.roi_size) != dims:
        return False
    usual = not (inferer.buffer_steps or inferer.with_coord or inferer.progress)
    return usual and all(0 <= share < 1 for share in ensure_tuple_rep(inferer.overlap, dims))


def _rows(shape: torch.Size) -> int:
    """Tell how many rows a slab has of a case of shape (classes, rows, ...)."""
    return max(1, _VALUES * shape[1] // max(shape.numel(), 1))


def _parts(start: int, stop: int, step: int) -> Iterator[tuple[int, int]]:
    """Divide a range into parts."""
    return pairwise([*range(start, stop, step), stop])


class _Windows:
    """The windows of an image, as MONAI lays them.

    Args:
        inferer: The inferer.
        image: Shape (cases, channels, ...).
    """

    def __init__(self, inferer: SlidingWindowInferer, image: torch.Tensor) -> None:
        shape = image.shape[2:]
        self.inferer, self.shape, self.cases = inferer, shape, len(image)
        self.roi = tuple(int(side) for side in fall_back_tuple(inferer.roi_size, shape))
        lacking = [max(side - size, 0) for side, size in zip(self.roi, shape, strict=True)]
        self.before = [missing // 2 for missing in lacking]
        self.size = tuple(max(side, size) for side, size in zip(self.roi, shape, strict=True))
        self.slices = dense_patch_slices(self.size, self.roi, self._steps())
        device: Any = inferer.device
        if device is None and inferer.cpu_thresh is not None and shape.numel() > inferer.cpu_thresh:
            device = "cpu"
        self.device = torch.device(device or image.device)
        self.network_device = torch.device(inferer.sw_device or image.device)
        self.dtype = image.dtype
        self.image = self._padded(image, lacking)
        self.weights = self._weights()

    def _steps(self) -> tuple[int, ...]:
        """Return how far the windows lie apart along each axis."""
        overlaps = ensure_tuple_rep(self.inferer.overlap, len(self.roi))
        return tuple(
            side if side == size else max(int(side * (1 - share)), 1)
            for side, size, share in zip(self.roi, self.size, overlaps, strict=True)
        )

    def _padded(self, image: torch.Tensor, lacking: list[int]) -> torch.Tensor:
        """Make an image at least as large as a window."""
        if not any(lacking):
            return image
        pairs = zip(reversed(self.before), reversed(lacking), strict=True)
        widths = [width for before, missing in pairs for width in (before, missing - before)]
        mode = PytorchPadMode(self.inferer.padding_mode).value
        return functional.pad(image, widths, mode=mode, value=self.inferer.cval)

    def _weights(self) -> torch.Tensor:
        """Return how much each voxel of a window counts, shape (...)."""
        weights: Any = self.inferer.roi_weight_map
        if weights is None:
            made = {"mode": self.inferer.mode, "sigma_scale": self.inferer.sigma_scale}
            weights = compute_importance_map(self.roi, device=self.network_device, dtype=self.dtype, **made)
        return torch.as_tensor(weights).to(self.network_device, self.dtype)

    def outputs(self, network: Network) -> Iterator[Any]:
        """Yield what the network says to a few windows at a time."""
        batch, count = self.inferer.sw_batch_size, len(self.slices)
        for first in range(0, count * self.cases, batch):
            numbers = range(first, min(first + batch, count * self.cases))
            chosen = [
                self.image[(slice(n // count, n // count + 1), slice(None), *self.slices[n % count])] for n in numbers
            ]
            yield network((torch.cat(chosen) if batch > 1 else chosen[0]).to(self.network_device))

    def stitched(self, network: Network) -> Iterator[Slab]:
        """Yield the finished slabs of all cases.

        Raises:
            _OtherOutput: Before the first slab, where the outputs cannot be put together here.
        """
        sums = None
        places = iter([(case, place) for case in range(self.cases) for place in range(len(self.slices))])
        for output in self.outputs(network):
            if sums is None:
                if not isinstance(output, torch.Tensor) or output.shape[2:] != self.roi:
                    raise _OtherOutput
                sums = _Sums(self, output.shape[1])
            weighted = output.mul_(self.weights).to(self.device)
            del output  # or it would be there beside the next one
            for values in weighted:
                case, place = next(places)
                yield from self._finished(sums, case, place, values)
            del weighted, values

    def _finished(self, sums: _Sums, case: int, place: int, values: torch.Tensor) -> Iterator[Slab]:
        """Add the output of a window, and yield what no window after it touches."""
        window = self.slices[place]
        sums.add(window, values)
        following = self.slices[place + 1][0].start if place + 1 < len(self.slices) else self.size[0]
        for start, logits in sums.finished(window[0].start, following):
            yield Slab(case, start, self.shape[0], logits)


class _Sums:
    """Weighted sums of the outputs of windows, for as many rows as a window has: row after row is used again.

    Args:
        windows: The windows.
        classes: Number of classes.
    """

    def __init__(self, windows: _Windows, classes: int) -> None:
        self.windows = windows
        self.depth = windows.roi[0]
        self.weights = windows.weights.to(windows.device)
        shape = (classes, self.depth, *windows.size[1:])
        self.sums = torch.zeros(shape, dtype=windows.dtype, device=windows.device)
        self.inner = [slice(before, before + size) for before, size in zip(windows.before, windows.shape, strict=True)]

    def add(self, window: tuple[slice, ...], values: torch.Tensor) -> None:
        """Add the output of a window, shape (classes, ...)."""
        turn = window[0].start % self.depth
        for rows, part in (
            (slice(turn, None), values[:, : self.depth - turn]),
            (slice(0, turn), values[:, self.depth - turn :]),
        ):
            self.sums[(slice(None), rows, *window[1:])] += part

    def finished(self, start: int, stop: int) -> Iterator[tuple[int, torch.Tensor]]:
        """Take rows out that no further window touches.

        Args:
            start: The first.
            stop: The one after the last.

        Yields:
            The first row, counted in the image, and logits of shape (classes, rows, ...) without what was padded.
        """
        step = _rows(self.sums.shape)
        while start < stop:
            turn = start % self.depth
            end = min(stop, start + step, start + self.depth - turn)
            rows = self.sums[:, turn : turn + end - start]
            low, high = max(start, self.inner[0].start), min(end, self.inner[0].stop)
            if low < high:
                inner = (slice(low - start, high - start), *self.inner[1:])
                yield low - self.inner[0].start, rows[(slice(None), *inner)] / self._counts(start, end)[inner]
            rows.zero_()
            start = end

    def _counts(self, start: int, stop: int) -> torch.Tensor:
        """Sum the weights of all windows over some rows, shape (rows, ...)."""
        counts = torch.zeros((stop - start, *self.windows.size[1:]), dtype=self.sums.dtype, device=self.sums.device)
        for rows, *others in self.windows.slices:
            low, high = max(rows.start, start), min(rows.stop, stop)
            if low < high:
                counts[(slice(low - start, high - start), *others)] += self.weights[
                    low - rows.start : high - rows.start
                ]
        return counts
