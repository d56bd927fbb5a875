"""Channels: the odd image is named, not all the others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.check.helpers import make_dataset, save, surveyed, told, volume
from trainlib.check.channels import labels_of_channels, odd_channels


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_dataset(tmp_path)


def test_the_image_with_other_channels_is_named(root: Path) -> None:
    save(root / "i3.nii.gz", volume(3, (12, 10, 9, 2)))
    [found] = odd_channels(*surveyed(root, channels=1))
    assert (found.severity, found.where, found.file) == ("error", "train.csv:5", "i3.nii.gz")
    assert found.what == "Has 2 channels; 7 of 8 images have 1."


def test_a_config_that_expects_others_is_told_once(root: Path) -> None:
    save(root / "i0.nii.gz", volume(0, (12, 10, 9, 3)))
    config, image = odd_channels(*surveyed(root, channels=3))
    assert config.what == "7 of 8 images have 1 channel, and data.channels is 3."
    assert (config.where, image.where) == ("", "train.csv:2")


def test_images_alike_are_right(root: Path) -> None:
    assert list(odd_channels(*surveyed(root))) == []


def test_an_own_transform_may_choose_channels(root: Path) -> None:
    save(root / "i3.nii.gz", volume(3, (12, 10, 9, 2)))
    base = ["LoadImaged", "EnsureChannelFirstd", {"RepeatChanneld": {"repeats": 2}}]
    assert [found.severity for found in odd_channels(*surveyed(root, base))] == ["warning"]


def test_a_label_of_several_channels_is_named(root: Path) -> None:
    save(root / "l1.nii.gz", np.zeros((12, 10, 9, 3), np.uint8))
    found = list(labels_of_channels(*surveyed(root)))
    assert told(found) == [("error", "train.csv:3", "l1.nii.gz")]
    assert "The label has 3 channels" in found[0].what
