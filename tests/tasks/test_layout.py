"""With `model.channels_last` the same numbers lie in another order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from trainlib import Config, fit, load_config
from trainlib.checkpoints.checkpoint import read_checkpoint
from trainlib.tasks import ClassificationTask, SegmentationTask

WriteConfig = Callable[..., Path]
DATA = {"train_csv": "train.csv", "valid_csv": "valid.csv", "classes": ["background", "organ", "lesion"]}
UNET = {"UNet": {"channels": [8, 16], "strides": [2], "norm": "instance"}}


def task(dims: int, **model: Any) -> SegmentationTask:
    config = Config.model_validate({"data": DATA | {"spatial_dims": dims}, "model": UNET | model})
    made = SegmentationTask(config)
    made.configure_model()
    return made


def weights_by_voxel(network: torch.nn.Module, dims: int) -> bool:
    wanted = torch.channels_last if dims == 2 else torch.channels_last_3d
    weights = [weight for weight in network.parameters() if weight.ndim == dims + 2]
    return bool(weights) and all(weight.is_contiguous(memory_format=wanted) for weight in weights)


@pytest.mark.parametrize("dims", [2, 3])
def test_network_and_images_lie_voxel_by_voxel_and_give_the_same(dims: int) -> None:
    plain, changed = task(dims), task(dims, channels_last=True)
    assert weights_by_voxel(changed.network, dims)
    assert not weights_by_voxel(plain.network, dims)
    seen: list[torch.Tensor] = []
    changed.network.register_forward_pre_hook(lambda _, images: seen.append(images[0]))
    image = torch.randn(2, 1, *[16] * dims)
    logits, expected = changed(image), plain(image)
    assert seen[0].is_contiguous(memory_format=torch.channels_last if dims == 2 else torch.channels_last_3d)
    assert logits.is_contiguous()
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-5)
    loss, expected_loss = (one._loss(values, torch.ones(2, 1, *[16] * dims)) for one, values in
                           ((changed, logits), (plain, expected)))  # fmt: skip
    loss.backward()
    expected_loss.backward()
    for one, other in zip(changed.network.parameters(), plain.network.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-3, atol=1e-5)


def test_a_network_for_classification_works_too() -> None:
    model = {"DenseNet121": {"init_features": 4, "growth_rate": 2, "block_config": [1, 1]}, "channels_last": True}
    config = Config.model_validate({"task": "classification", "data": DATA | {"spatial_dims": 2}, "model": model})
    made = ClassificationTask(config)
    made.configure_model()
    assert weights_by_voxel(made.network, 2)
    assert made.eval()(torch.zeros(2, 1, 32, 32)).shape == (2, 3)


def test_a_training_ends_as_without_and_its_checkpoint_is_read_either_way(write_config: WriteConfig) -> None:
    model = {"UNet": {"channels": [4, 8], "strides": [2], "dropout": 0.1}}
    steady = {"optimizer": {"SGD": {"lr": 0.01}}, "scheduler": None}  # which does not magnify small differences
    plain = fit(load_config(write_config("plain.yaml", model=model, run={"name": "plain"}, **steady)))
    voxels = write_config("last.yaml", model=model | {"channels_last": True}, run={"name": "last"}, **steady)
    changed = fit(load_config(voxels))
    one, other = (read_checkpoint(run.folder.last)["state_dict"] for run in (plain, changed))
    assert one.keys() == other.keys()
    for name in one:
        torch.testing.assert_close(one[name], other[name], rtol=1e-4, atol=1e-5)
    longer = {"max_epochs": 3}
    config = load_config(write_config("last.yaml", model=model, run={"name": "last"}, trainer=longer, **steady))
    assert fit(config, ckpt_path=changed.folder.last).folder.path == changed.folder.path
