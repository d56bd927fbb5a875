"""The size of the cache, against the files that a training writes."""

from __future__ import annotations

from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest

from tests.check.helpers import SPACED, make_config, make_dataset, survey_of
from tests.data.helpers import ready
from trainlib.check import cache_size as module
from trainlib.check.base import Base
from trainlib.check.cache_size import CacheSize, cache_size, in_bytes, too_large

Usage = namedtuple("Usage", "free")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_dataset(tmp_path)


def size(root: Path, growth: float | None = None, **data: Any) -> CacheSize:
    config = make_config(root, data, transforms={"base": SPACED})
    found = cache_size(survey_of(config, voxels=False), Base(config), growth)
    assert found is not None
    return found


def test_the_estimate_is_close_to_the_files(root: Path) -> None:
    expected = size(root, cache="disk")
    ready(make_config(root, {"cache": "disk"}, transforms={"base": SPACED}))
    files = [path.stat().st_size for path in (root / "runs" / ".cache").rglob("*.safetensors")]
    overhead = 5000 * len(files)  # what the format of torch adds to a file
    assert expected.bytes == 8 * 12 * 10 * 9 * (4 + 1)
    assert expected.bytes <= sum(files) <= expected.bytes + overhead
    assert expected.missing == expected.bytes
    assert size(root, cache="disk").missing == 0


def test_only_the_cases_that_are_used_count(root: Path) -> None:
    assert size(root, limit_cases=1).bytes == 2 * 12 * 10 * 9 * 5


def test_labels_of_test_cases_are_not_kept(root: Path) -> None:
    (root / "test.csv").write_text((root / "valid.csv").read_text())
    assert size(root).bytes == 12 * 10 * 9 * (8 * 5 + 2 * 4)


def test_without_a_cache_there_is_nothing_to_fit(root: Path) -> None:
    found = size(root, cache="none")
    assert found.free is None
    assert list(too_large(found)) == []


def test_a_crop_by_content_is_reckoned_from_a_prepared_case(root: Path) -> None:
    crop = {"base": ["LoadImaged", "EnsureChannelFirstd", {"CropForegroundd": {"source_key": "image"}}]}
    config = make_config(root, transforms=crop)
    survey, base = survey_of(config, voxels=False), Base(config)
    assert cache_size(survey, base, None) is None
    found = cache_size(survey, base, 0.5)
    assert found is not None
    assert found.bytes == 8 * 12 * 10 * 9 * 5 / 2


@pytest.mark.parametrize(("free", "severity"), [(100_000, None), (45_000, "warning"), (40_000, "error")])
def test_a_disk_that_is_too_small_is_told(
    root: Path, monkeypatch: pytest.MonkeyPatch, free: int, severity: str | None
) -> None:
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: Usage(free))
    found = list(too_large(size(root, cache="disk")))
    assert [finding.severity for finding in found] == ([severity] if severity else [])
    if severity:
        assert f"The cache takes about 42 KiB, and {in_bytes(free)} are free" in found[0].what


def test_memory_that_is_too_small_is_told(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "available_memory", lambda: 1000)
    [found] = too_large(size(root, cache="memory"))
    assert found.severity == "error"
    assert found.remedy == "Set data.cache to disk."


def test_bytes_have_a_unit_that_suits_them() -> None:
    numbers = (0, 900, 2048, 43_200, 5 * 2**20, 70 * 2**30, 2**41)
    assert [in_bytes(n) for n in numbers] == [
        "0 bytes",
        "900 bytes",
        "2.0 KiB",
        "42 KiB",
        "5.0 MiB",
        "70 GiB",
        "2.0 TiB",
    ]
