"""Caches: what is prepared once, what makes it void, and what it costs."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests.data.helpers import LOAD, batches, label_map, make_cases, make_config, ready, save, volume
from trainlib.config.schema import Config
from trainlib.data.cache import DiskCache, MemoryCache, make_cache
from trainlib.data.prepare import Preparation
from trainlib.data.splits import Case, read_split
from trainlib.errors import DataError, DiskFullError

COUNTING = """
from monai.transforms import MapTransform

class Countd(MapTransform):
    # A line for each call, so that calls in workers count too.
    def __call__(self, data):
        with open({log!r}, "a") as file:
            file.write("x\\n")
        return data

class Doubled(MapTransform):
    def __call__(self, data):
        for key in self.keys:
            data[key].mul_(2)
        return data
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_cases(tmp_path, 3)
    make_cases(tmp_path, 1, "valid.csv", first=3)
    (tmp_path / "patch.py").write_text(COUNTING.format(log=str(tmp_path / "calls")))
    return tmp_path


def counting(root: Path, cache: str, workers: int = 0, prepare: str = "beforehand", **transforms: Any) -> Config:
    return make_config(
        root,
        {"cache": cache, "num_workers": workers, "prepare": prepare},
        transforms={"base": [*LOAD, {"Countd": {"keys": ["image"]}}]} | transforms,
        patch={"transforms": str(root / "patch.py")},
    )


def calls(root: Path) -> int:
    noted = root / "calls"
    return len(noted.read_text().splitlines()) if noted.exists() else 0


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("cache", ["memory", "disk"])
def test_base_transforms_run_once_for_each_case(root: Path, cache: str, workers: int) -> None:
    module = ready(counting(root, cache, workers))
    assert calls(root) == 4
    module.setup("fit")
    for epoch in range(2):
        list(batches(module, epoch))
        list(batches(module, epoch, "valid"))
    module.setup("validate")
    list(batches(module, 0, "valid"))
    assert calls(root) == 4


@pytest.mark.parametrize("workers", [0, 2])
def test_on_demand_a_case_is_prepared_when_a_loader_first_comes_to_it(root: Path, workers: int) -> None:
    module = ready(counting(root, "disk", workers, prepare="on_demand"))
    assert calls(root) == 0
    first = [batch["image"] for batch in batches(module, 0)]
    assert calls(root) == 3
    list(batches(module, 0, "valid"))
    again = [batch["image"] for batch in batches(module, 0)]
    assert calls(root) == 4
    beforehand = [batch["image"] for batch in batches(ready(counting(root, "none")), 0)]
    assert all(map(torch.equal, first, beforehand))
    assert all(map(torch.equal, again, beforehand))


def test_modules_share_a_disk_cache(root: Path) -> None:
    first, second = ready(counting(root, "disk")), ready(counting(root, "disk"))
    assert calls(root) == 4
    one, two = next(batches(first)), next(batches(second))
    assert torch.equal(one["image"], two["image"])


def test_folds_share_the_cases_they_have_in_common(root: Path) -> None:
    ready(counting(root, "disk"))
    (root / "train.csv").write_text("image,label\n\ni3.nii.gz,l3.nii.gz\ni1.nii.gz,l1.nii.gz\n")
    (root / "valid.csv").write_text("image,label\ni0.nii.gz,l0.nii.gz\ni2.nii.gz,l2.nii.gz\n")
    ready(counting(root, "disk"))
    assert calls(root) == 4


def test_without_a_cache_cases_are_prepared_each_time(root: Path) -> None:
    module = ready(counting(root, "none"))
    list(batches(module))
    assert calls(root) == 4 + 3
    assert not (root / "runs").exists()


@pytest.mark.parametrize("kind", ["none", "memory", "disk"])
def test_all_caches_give_the_same_case(root: Path, kind: str) -> None:
    config = make_config(root)
    case = read_split(config, "train")[1]
    cache = make_cache(Preparation(config, with_label=True), kind, root / "cache")
    for _ in range(2):
        prepared = cache.get(case)
        np.testing.assert_array_equal(prepared["image"][0], volume(1))
        np.testing.assert_array_equal(prepared["label"][0], label_map(1))
        assert prepared["spacing"].tolist() == [1, 1, 1]


@pytest.mark.parametrize("kind", ["memory", "disk"])
def test_case_is_not_changed_by_what_is_done_to_it(root: Path, kind: str) -> None:
    config = make_config(root)
    case = read_split(config, "train")[1]
    cache = make_cache(Preparation(config, with_label=True), kind, root / "cache")
    cache.get(case)
    cache.get(case)["image"].zero_()
    np.testing.assert_array_equal(cache.get(case)["image"][0], volume(1))


def test_transform_that_works_in_place_gives_the_same_in_every_epoch(root: Path) -> None:
    module = ready(counting(root, "memory", train=[{"Doubled": {"keys": ["image"]}}]))
    for _ in range(3):
        for batch in batches(module):
            for case, image in zip(batch["case"], batch["image"], strict=True):
                np.testing.assert_array_equal(image[0], 2 * volume(int(case[1:])))


def path_of(config: Config, root: Path, case: Case | None = None) -> Path:
    case = case or read_split(config, "train")[0]
    return DiskCache(Preparation(config, with_label=True), root / "cache").path(case)


def spaced(root: Path, step: float, **sections: Any) -> Config:
    return make_config(root, transforms={"base": [*LOAD, {"Spacingd": {"pixdim": [step] * 3}}]}, **sections)


def test_key_is_stable_and_differs_between_cases(root: Path) -> None:
    config = spaced(root, 1.0)
    assert path_of(config, root) == path_of(spaced(root, 1.0), root)
    assert len({path_of(config, root, case) for case in read_split(config, "train")}) == 3


@pytest.mark.parametrize("name", ["i0.nii.gz", "l0.nii.gz"])
def test_key_changes_with_the_content_of_a_file(root: Path, name: str) -> None:
    before = path_of(make_config(root), root)
    save(root / name, label_map(8))
    assert path_of(make_config(root), root) != before


@pytest.mark.parametrize("name", ["i0.nii.gz", "l0.nii.gz"])
def test_key_changes_with_the_time_of_a_file(root: Path, name: str) -> None:
    before = path_of(make_config(root), root)
    os.utime(root / name, ns=(0, (root / name).stat().st_mtime_ns + 1))
    assert path_of(make_config(root), root) != before


def test_key_changes_with_the_spacing_and_other_keywords(root: Path) -> None:
    assert path_of(spaced(root, 1.0), root) != path_of(spaced(root, 1.5), root)


def test_key_changes_with_the_order_of_the_transforms(root: Path) -> None:
    steps = ["NormalizeIntensityd", {"SpatialPadd": {"spatial_size": [16, 16, 16]}}]
    configs = [make_config(root, transforms={"base": [*LOAD, *order]}) for order in (steps, steps[::-1])]
    assert path_of(configs[0], root) != path_of(configs[1], root)


def test_key_changes_with_the_label_values(root: Path) -> None:
    assert path_of(make_config(root), root) != path_of(make_config(root, {"label_map": {2: 1}}), root)


def test_key_changes_with_the_label_values_also_where_labels_are_only_checked(root: Path) -> None:
    configs = make_config(root), make_config(root, {"label_map": {2: 1}})
    first, second = (Preparation(config, with_label=False).fingerprint() for config in configs)
    assert first != second


def test_key_of_a_classification_does_not_need_cells_to_be_numbers(root: Path) -> None:
    data = {"classes": ["benign", "malignant"]}
    configs = [make_config(root, data | more, task="classification") for more in ({}, {"label_map": {"B": "benign"}})]
    first, second = (Preparation(config, with_label=False).fingerprint() for config in configs)
    assert first == second


def test_cached_cases_are_checked_again_when_another_number_of_channels_is_expected(tmp_path: Path) -> None:
    (tmp_path / "valid.csv").write_text("image,label\nv.png,b\n")
    (tmp_path / "train.csv").write_text("image,label\nt.png,a\n")
    for name in ("t.png", "v.png"):
        Image.fromarray(np.zeros((8, 8, 3), dtype=np.uint8)).save(tmp_path / name)

    def cached(channels: int) -> Config:
        data = {"classes": ["a", "b"], "spatial_dims": 2, "channels": channels, "cache": "disk"}
        return make_config(tmp_path, data, task="classification", transforms={"train": []})

    ready(cached(3))
    with pytest.raises(DataError, match=r"train\.csv:2 \(t\.png\): the image has 3 channels .* expected 1"):
        ready(cached(1))


def test_key_changes_with_the_source_of_the_patch_script(root: Path) -> None:
    before = path_of(counting(root, "disk"), root)
    with (root / "patch.py").open("a") as file:
        file.write("# another version\n")
    assert path_of(counting(root, "disk"), root) != before


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 7},
        {"data": {"batch_size": 1}},
        {"transforms": {"base": LOAD, "train": []}},
        {"data": {"test_csv": None}},
    ],
    ids=["seed", "batch size", "augmentation", "test set"],
)
def test_key_does_not_change_with_what_the_result_does_not_depend_on(root: Path, change: dict) -> None:
    assert path_of(make_config(root, **change), root) == path_of(make_config(root), root)


@pytest.mark.parametrize("damage", ["truncated", "empty", "text"])
def test_damaged_file_is_made_again_with_a_warning(root: Path, damage: str, caplog: pytest.LogCaptureFixture) -> None:
    config = make_config(root)
    case = read_split(config, "train")[0]
    cache = DiskCache(Preparation(config, with_label=True), root / "cache")
    cache.fill(case)
    path = cache.path(case)
    content = path.read_bytes()
    path.write_bytes({"truncated": content[: len(content) // 2], "empty": b"", "text": b"text"}[damage])
    np.testing.assert_array_equal(cache.get(case)["image"][0], volume(0))
    assert f"{path} cannot be read" in caplog.text
    assert len(path.read_bytes()) == len(content)
    caplog.clear()
    cache.get(case)
    assert not caplog.text


def test_nothing_but_finished_files_stays_in_the_folder(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = make_config(root)
    case = read_split(config, "train")[0]
    cache = DiskCache(Preparation(config, with_label=True), root / "cache")

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(
        DiskFullError, match=r"cache/.*\.safetensors cannot be written: the disk is full .*data\.cache_dir"
    ):
        cache.fill(case)
    assert [path for path in (root / "cache").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("prepare", ["beforehand", "on_demand"])
def test_what_a_killed_process_left_half_written_is_removed_after_a_day(root: Path, prepare: str) -> None:
    config = make_config(root, {"prepare": prepare, "cache": "disk", "cache_dir": str(root / "cache")})
    for name, hours in (("old", 25), ("young", 1)):
        leftover = root / "cache" / "ab" / f".writing-{name}-x.safetensors"
        leftover.parent.mkdir(parents=True, exist_ok=True)
        leftover.touch()
        os.utime(leftover, (time.time() - 3600 * hours,) * 2)
    ready(config)
    assert [path.name for path in (root / "cache" / "ab").glob(".*")] == [".writing-young-x.safetensors"]


def test_memory_cache_keeps_a_copy_of_what_a_worker_sent(root: Path) -> None:
    config = make_config(root)
    case = read_split(config, "train")[0]
    cache = MemoryCache(Preparation(config, with_label=True))
    sent = cache.fill(case)
    assert not cache.has(case)
    cache.put(case, sent)
    sent["image"].zero_()
    assert cache.has(case)
    np.testing.assert_array_equal(cache.get(case)["image"][0], volume(0))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the pages of mapped files apart")
def test_disk_cache_is_mapped_so_that_memory_does_not_grow_with_the_number_of_cases(tmp_path: Path) -> None:
    program = """
        import sys
        from pathlib import Path
        import psutil, torch
        from trainlib.data.cache import DiskCache
        from trainlib.data.splits import Case

        class Prepare:
            def __call__(self, case):
                return {"image": torch.full((1, 96, 96, 96), float(case.row))}
            def fingerprint(self):
                return ""

        cases = [Case(str(i), i, (Path(__file__),), None, None, str(i)) for i in range(40)]
        cache = DiskCache(Prepare(), Path(sys.argv[1]))
        for case in cases:
            cache._names[case] = f"{case.row:034}"
            cache.fill(case)
        def own():
            # Without the pages of mapped files, which the system takes back when it needs the memory.
            memory = psutil.Process().memory_info()
            return memory.rss - memory.shared

        kept = [cache.get(cases[0])]
        before = peak = own()
        for case in cases[1:]:
            kept.append(cache.get(case))
            assert kept[-1]["image"].max() == case.row
            peak = max(peak, own())
        print((peak - before) // 2**20)
    """
    script = tmp_path / "program.py"
    script.write_text(textwrap.dedent(program))
    done = subprocess.run(
        [sys.executable, script, tmp_path / "cache"], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    # All 40 cases of 3.4 MiB stay open and were read from end to end: 135 MiB.
    assert int(done.stdout) < 30
