"""Places that results cannot be written to, and a name that is taken."""

from __future__ import annotations

import pytest

from tests.hostile.conditions import permissions_count, proc_exists, small_disk
from tests.hostile.place import Damage, Place, added, both, folder, nothing, replaced, written
from tests.hostile.runner import FIT, Row, check

CACHE = "Choose another data.cache_dir, or set data.cache to memory or none."
overwriting = replaced("root: runs}", "root: runs, overwrite: true}")


def cache_dir(name: str) -> Damage:
    return replaced("num_workers: 0", f"num_workers: 0\n  cache_dir: {name}")


def read_only(name: str) -> Damage:
    def damage(place: Place) -> None:
        (place.path / name).mkdir()
        (place.path / name).chmod(0o555)

    return damage


def dangling(place: Place) -> None:
    (place.path / "runs").symlink_to(place.path / "gone/away")


def earlier_results(place: Place) -> None:
    path = place.path / "runs/broken"
    path.mkdir(parents=True)
    (path / "config.yaml").write_text("theirs")


def next_name_is_taken(place: Place, output: str) -> None:
    assert (place.path / "runs/broken/config.yaml").read_text() == "theirs"
    assert [path.name for path in (place.path / "runs/broken").iterdir()] == ["config.yaml"]
    assert (place.path / "runs/broken_2/checkpoints/best.ckpt").is_file()
    assert f"{place.path}/runs/broken_2" in output


def training_began_anew(place: Place, output: str) -> None:
    assert "There is no checkpoint of a run broken yet; training starts from the beginning." in output
    assert (place.path / "runs/broken/checkpoints/best.ckpt").is_file()


ROWS = [
    Row("a file for run.root", written("runs", ""),
        ("config.yaml:1: run.root: .../runs is no folder. Choose another run.root.",)),
    Row("run.root below a file", both(written("file", ""), replaced("root: runs", "root: file/runs")),
        ("config.yaml:1: run.root: .../file is no folder. Choose another run.root.",)),
    Row("a link to nowhere", dangling, ("config.yaml:1: run.root: .../runs is no folder. Choose another run.root.",)),
    Row("run.root where nothing can be written", replaced("root: runs", "root: /proc/runs"),
        ("config.yaml:1: run.root: /proc/runs cannot be written (...). Choose another run.root.",), under=proc_exists),
    Row("run.root that may not be written", read_only("runs"),
        ("config.yaml:1: run.root: .../runs cannot be written (Permission denied). Choose another run.root.",),
        under=permissions_count),
    Row("a disk that is full", folder("runs"),
        ("config.yaml:1: run.root: the disk of .../runs is full. Free some space. Choose another run.root.",),
        under=small_disk("runs", "64k")),
    Row("a disk that is full for the cache", both(folder("cache"), cache_dir("cache")),
        (f"config.yaml:9: data.cache_dir: the disk of .../cache is full. Free some space. {CACHE}",),
        under=small_disk("cache", "64k")),
    Row("a file for the cache", both(written("cache", ""), cache_dir("cache")),
        (f"config.yaml:9: data.cache_dir: .../cache is no folder. {CACHE}",)),
    Row("a cache that may not be written", both(read_only("cache"), cache_dir("cache/of/mine")),
        (f"config.yaml:9: data.cache_dir: .../cache/of/mine cannot be written (Permission denied). {CACHE}",),
        under=permissions_count),
    Row("a name that is too long", replaced("name: broken", f"name: {'x' * 300}"),
        ("config.yaml:1: run.name: no folder can have this name (File name too long). Choose another run.name.",)),
    Row("overwriting what is no run", both(overwriting, folder("runs/broken")),
        ("config.yaml:1: run.overwrite: .../runs/broken exists and is no run folder (it has no config.yaml), so it is "
         "not deleted. Choose another run.name.",)),
    Row("a name that is taken", earlier_results, then=next_name_is_taken),
    Row("no run to continue", nothing, words=(*FIT, "--ckpt_path", "last"), then=training_began_anew),
    Row("no run to test", nothing, ("--ckpt_path last: there is no run broken in .../runs.",),
        ("test", "-c", "config.yaml", "--ckpt_path", "last")),
    Row("no credentials", added("pushover: {credentials: pushover.yaml}\n"),
        ("config.yaml:24: pushover.credentials: there is no file .../pushover.yaml. Write one with the keys app_token "
         "and user_key.",)),
    Row("generated data where there are files", nothing, ("data holds files already. Choose another folder.",),
        ("phantom", "data")),
    Row("generated data where nothing can be written", nothing,
        ("/proc/data cannot be written (...). Choose another folder.",), ("phantom", "/proc/data"), under=proc_exists),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_place_that_cannot_be_written_is_told(row: Row, place: Place) -> None:
    check(row, place)
