from __future__ import annotations

from pathlib import Path

import pytest

from trainlib.config.merge import parse_override
from trainlib.config.sources import Key, Sources, dotted

FILE = """\
# a comment
seed: 1

data:
  root: x
  classes:
    - background

    - heart
  label_map:
    255: 1
transforms:
  train:
    - LoadImaged
    # another comment
    - RandFlipd:
        prob: 1
        spatial_axis: 0
model: UNet
optimizer: {AdamW: {lr: 1,
                    eps: 2}}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "c.yaml"
    path.write_text(FILE)
    return path


@pytest.mark.parametrize(
    ("key", "written"),
    [
        ((), ""),
        (("seed",), "seed"),
        (("data", "label_map", "255"), "data.label_map.255"),
        (("transforms", "train", 1, "RandFlipd", "prob"), "transforms.train[1].RandFlipd.prob"),
    ],
)
def test_a_key_is_written_as_the_user_does(key: Key, written: str) -> None:
    assert dotted(key) == written


@pytest.mark.parametrize(
    ("key", "line"),
    [
        (("seed",), 2),
        (("data",), 4),
        (("data", "root"), 5),
        (("data", "classes"), 6),
        (("data", "classes", 0), 7),
        (("data", "classes", 1), 9),
        (("data", "classes", 5), 6),  # not there: the list
        (("data", "label_map", "255"), 11),
        (("data", "label_map", 255), 11),
        (("data", "valid_csv"), 4),  # not there: the section
        (("transforms", "train", 0), 14),
        (("transforms", "train", 0, "LoadImaged", "prob"), 14),  # a bare name
        (("transforms", "train", 1), 16),
        (("transforms", "train", 1, "RandFlipd", "prob"), 17),
        (("transforms", "train", 1, "RandFlipd", "spatial_axis"), 18),
        (("transforms", "train", 1, "RandFlipd", "keys"), 16),
        (("model", "UNet"), 19),
        (("model", "UNet", "channels"), 19),
        (("optimizer", "AdamW", "eps"), 21),
    ],
)
def test_the_line_of_a_key_is_found(file: Path, key: Key, line: int) -> None:
    assert Sources((file,)).locate(key) == f"{file}:{line}"


def test_a_section_that_stands_nowhere_points_to_the_last_file(file: Path, tmp_path: Path) -> None:
    last = tmp_path / "last.yaml"
    last.write_text("seed: 2\n")
    assert Sources((file, last)).locate(("loss",)) == str(last)
    assert Sources().locate(("loss",)) == ""


def test_the_last_file_that_has_the_key_wins(file: Path, tmp_path: Path) -> None:
    last = tmp_path / "last.yaml"
    last.write_text("data:\n  batch_size: 3\nseed: 2\n")
    sources = Sources((file, last))
    assert sources.locate(("seed",)) == f"{last}:3"
    assert sources.locate(("data", "root")) == f"{file}:5"
    assert sources.locate(("data",)) == f"{last}:1"


@pytest.mark.parametrize(
    ("override", "key", "found"),
    [
        ("seed=3", ("seed",), True),
        ("data.root=y", ("data", "root"), True),
        ("data.root=y", ("data", "classes", 1), False),
        ("transforms.train[1].RandFlipd.prob=2", ("transforms", "train", 1, "RandFlipd", "prob"), True),
        ("transforms.train[0].LoadImaged.x=2", ("transforms", "train", 1, "RandFlipd", "prob"), False),
        ("data.label_map.255=9", ("data", "label_map", "255"), True),
        ("model.UNet.norm=batch", ("model", "UNet"), True),
        ("model=SegResNet", ("model", "SegResNet", "init_filters"), True),
    ],
)
def test_an_override_that_set_the_key_wins_over_files(file: Path, override: str, key: Key, found: bool) -> None:
    where = Sources((file,), (parse_override(override),)).locate(key)
    assert (where == "command line") is found


def test_what_python_alone_cannot_read_is_located_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("s\teed: 1\nseed: 2\n")  # libyaml takes a tab inside a key
    assert Sources((path,)).locate(("seed",)) == f"{path}:2"
