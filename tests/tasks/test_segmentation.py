"""The segmentation task on tensors made by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from trainlib import load_config
from trainlib.tasks import TASKS, SegmentationTask

WriteConfig = Callable[..., Path]


def make_task(path: Path) -> SegmentationTask:
    task = SegmentationTask(load_config(path))
    task.configure_model()
    return task


def test_the_task_is_found_by_its_name() -> None:
    assert TASKS["segmentation"] is SegmentationTask


def test_the_initial_weights_follow_from_the_seed_alone(write_config: WriteConfig) -> None:
    one = make_task(write_config()).state_dict()
    torch.manual_seed(99)
    same = make_task(write_config()).state_dict()
    other = make_task(write_config(seed=43)).state_dict()
    assert all(torch.equal(value, same[name]) for name, value in one.items())
    assert not all(torch.equal(value, other[name]) for name, value in one.items())


def test_building_twice_keeps_the_network(write_config: WriteConfig) -> None:
    task = make_task(write_config())
    network = task.network
    task.configure_model()
    assert task.network is network


def test_each_voxel_gets_the_class_with_the_highest_score(write_config: WriteConfig) -> None:
    scores = torch.zeros(3, 1, 2, 2)
    scores[2, 0, 0, 1] = 5.0
    scores[1, 0, 1, 0] = 1.0
    label_map = make_task(write_config())._label_map(scores)
    assert label_map.tolist() == [[[0, 2], [1, 0]]]
    assert label_map.dtype == np.int16


def test_post_processing_acts_on_the_label_map(write_config: WriteConfig) -> None:
    task = make_task(write_config(transforms={"post": ["KeepLargestConnectedComponentd"]}))
    scores = torch.zeros(3, 7, 1, 1)
    scores[1, [0, 1, 2, 5]] = 1.0  # a piece of three voxels and one of one
    assert task._label_map(scores)[:, 0, 0].tolist() == [1, 1, 1, 0, 0, 0, 0]


def test_cross_entropy_of_torch_gets_indices_without_a_channel(write_config: WriteConfig) -> None:
    task = make_task(write_config(loss="CrossEntropyLoss"))
    logits, label = torch.randn(2, 3, 4, 4, 4), torch.randint(0, 3, (2, 1, 4, 4, 4), dtype=torch.uint8)
    log_probabilities = logits - logits.exp().sum(dim=1, keepdim=True).log()
    expected = -log_probabilities.gather(1, label.long()).mean()
    assert isinstance(task.loss, nn.CrossEntropyLoss)
    assert float(task._loss(logits, label)) == pytest.approx(float(expected), rel=1e-5)


def test_the_default_loss_takes_the_label_map_as_it_is(write_config: WriteConfig) -> None:
    task = make_task(write_config())
    label = torch.randint(0, 3, (2, 1, 4, 4, 4), dtype=torch.uint8)
    right = torch.nn.functional.one_hot(label[:, 0].long(), 3).movedim(-1, 1) * 100.0
    assert float(task._loss(right, label)) == pytest.approx(0, abs=1e-3)
    assert float(task._loss(-right, label)) > 1
