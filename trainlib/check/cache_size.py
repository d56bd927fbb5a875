"""How large the cache will be, against memory or disk."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path

from trainlib.check.base import Base
from trainlib.check.finding import Finding
from trainlib.check.survey import Survey
from trainlib.config.defaults import SEGMENTATION
from trainlib.config.schema import Config
from trainlib.data.cache import DiskCache
from trainlib.data.machine import available_memory
from trainlib.data.prepare import Preparation
from trainlib.data.splits import SPLITS_OF, Case
from trainlib.errors import InputError

_TIGHT = 0.8  # of what is free


@dataclass(frozen=True)
class CacheSize:
    """What the prepared cases take.

    Attributes:
        kind: ``none``, ``memory`` or ``disk``, as in `data.cache`.
        bytes: All prepared cases of train, valid and test.
        missing: Those of them that are not on disk yet.
        free: What is free where they are kept: memory, or the disk of `data.cache_dir`; None without a cache.
        folder: Folder of a disk cache.
    """

    kind: str
    bytes: int
    missing: int
    free: int | None
    folder: str = ""


def cache_size(survey: Survey, base: Base, growth: float | None) -> CacheSize | None:
    """Estimate the size of the cache; image voxels take four bytes, label voxels one or two.

    Args:
        survey: What was read.
        base: The base transforms.
        growth: Prepared voxels for each voxel of a file, where the shapes cannot be told beforehand.

    Returns:
        The sizes; None where nothing is known of the shapes.
    """
    config, kind = survey.config, survey.config.data.cache
    sizes = {split: [_bytes(survey, base, growth, case, split) for case in cases] for split, cases in _used(survey)}
    if not any(sizes.values()) or None in (size for found in sizes.values() for size in found):
        return None
    total = sum(size or 0 for found in sizes.values() for size in found)
    if kind == "none":
        return CacheSize(kind, total, total, None)
    if kind == "memory":
        return CacheSize(kind, total, total, available_memory())
    missing = sum(
        size or 0
        for split, cases in _used(survey)
        for size, kept in zip(sizes[split], _kept(config, cases, split), strict=True)
        if not kept
    )
    return CacheSize(kind, total, missing, _free(config.cache_dir), str(config.cache_dir))


def too_large(size: CacheSize) -> Iterator[Finding]:
    """Tell whether the cache does not fit."""
    if size.free is None or size.missing <= _TIGHT * size.free:
        return
    place = "memory" if size.kind == "memory" else f"the disk of {size.folder}"
    text = f"The cache takes about {in_bytes(size.missing)}, and {in_bytes(size.free)} are free in {place}."
    remedy = (
        "Set data.cache to disk."
        if size.kind == "memory"
        else "Free some space, name another folder in data.cache_dir, or set data.cache to none."
    )
    yield Finding("error" if size.missing > size.free else "warning", "cache", text, remedy)


def in_bytes(number: float) -> str:
    """Write a number of bytes in a unit that suits it."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if number < 1024:
            return f"{number:.0f} {unit}" if number >= 10 or unit == "bytes" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} TiB"


def _used(survey: Survey) -> Iterator[tuple[str, list[Case]]]:
    for split in SPLITS_OF["fit"]:
        yield split, survey.splits.get(split, [])[: survey.config.data.limit_cases]


def _bytes(survey: Survey, base: Base, growth: float | None, case: Case, split: str) -> int | None:
    """Estimate what one prepared case takes; 0 for one that cannot be read."""
    config, header = survey.config, survey.image(case).header
    if header is None:
        return 0
    grid = base.grid_after(header)
    if grid is None and growth is None:
        return None
    voxels = prod(grid.shape) if grid is not None else prod(header.shape) * (growth or 0)
    with_label = config.task == SEGMENTATION and split != "test"
    return round(voxels * (4 * config.in_channels + (1 if config.out_channels <= 256 else 2) * with_label))


def _kept(config: Config, cases: list[Case], split: str) -> list[bool]:
    """Tell which cases are in the disk cache already."""
    try:
        preparation = Preparation(config, with_label=config.task == SEGMENTATION and split != "test")
        cache = DiskCache(preparation, config.cache_dir)
    except InputError:
        return [False] * len(cases)
    return [all(map(os.path.exists, filter(None, (*case.images, case.label)))) and cache.has(case) for case in cases]


def _free(folder: Path) -> int:
    """Return the free bytes of the disk that a folder, which need not exist yet, is on."""
    while not os.path.exists(folder) and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free
