"""In mixed precision a network computes with half the digits; losses, sums of windows and decisions do not."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from monai.inferers import SlidingWindowInferer

from trainlib import Config, fit, load_config
from trainlib.tasks import ClassificationTask, SegmentationTask
from trainlib.tasks.precise import all_digits, in_single
from trainlib.tasks.stitching import slabs

WriteConfig = Callable[..., Path]
LOSS = """
import torch
from monai.losses import DiceCELoss
seen = set()
class Watched(DiceCELoss):
    def forward(self, logits, label):
        seen.add((logits.dtype, (logits.flatten(1) @ logits.flatten(1).T).dtype))
        return super().forward(logits, label)
def get_loss(config):
    return Watched(to_onehot_y=True, softmax=True)
"""
DATA = {"train_csv": "train.csv", "valid_csv": "valid.csv", "classes": ["background", "organ", "lesion"]}
MIXED = {"device_type": "cpu", "dtype": torch.bfloat16}


def segmentation() -> SegmentationTask:
    model = {"UNet": {"channels": [4, 8], "strides": [2]}}
    inferer = {"SlidingWindowInferer": {"roi_size": [8, 8, 8], "overlap": 0.5, "mode": "gaussian"}}
    task = SegmentationTask(Config.model_validate({"data": DATA, "model": model, "inferer": inferer}))
    task.configure_model()
    task.eval()
    return task


def test_a_training_in_mixed_precision_has_a_loss_with_all_digits(write_config: WriteConfig, tmp_path: Path) -> None:
    script = tmp_path / "watched_loss.py"
    script.write_text(LOSS)
    config = load_config(
        write_config(patch={"loss": str(script)}, trainer={"max_epochs": 1, "precision": "bf16-mixed"})
    )
    run = fit(config)
    [seen] = [module.seen for module in sys.modules.values() if getattr(module, "__file__", "") == str(script)]
    assert seen == {(torch.float32, torch.float32)}
    weights = torch.load(run.checkpoint, weights_only=True)["state_dict"].values()
    assert {value.dtype for value in weights if value.is_floating_point()} == {torch.float32}
    assert list(run.folder.predictions.glob("*.nii.gz"))


@torch.inference_mode()
def test_windows_are_summed_with_all_digits() -> None:
    task = segmentation()
    image = torch.randn(1, 1, 17, 12, 9, generator=torch.Generator().manual_seed(0))

    def rounded(window: torch.Tensor) -> torch.Tensor:
        with torch.autocast(**MIXED):
            output: torch.Tensor = task.network(window)
        assert output.dtype == torch.bfloat16
        return output.float()

    expected = SlidingWindowInferer([8, 8, 8], overlap=0.5, mode="gaussian")(image, rounded)
    with torch.autocast(**MIXED):
        stitched = torch.cat([slab.logits for slab in slabs(task.inferer, image, task.called)], dim=1)
        validated = task.inferer(image, task.called)
    assert stitched.dtype == torch.float32
    torch.testing.assert_close(stitched[None], expected, rtol=0, atol=0)
    torch.testing.assert_close(validated, expected, rtol=0, atol=0)


def test_in_full_precision_nothing_is_touched() -> None:
    half = torch.zeros(2, dtype=torch.bfloat16)
    assert in_single(half) is half  # the network of a `true` precision
    logits = segmentation()(torch.zeros(1, 1, 8, 8, 8))
    assert in_single(logits) is logits


@pytest.mark.parametrize("enabled", [False, True])
def test_a_loss_multiplies_matrices_with_all_digits(enabled: bool) -> None:
    logits = torch.rand(3, 3)
    with torch.autocast(**MIXED, enabled=enabled), all_digits(logits):
        assert (logits @ logits).dtype == torch.float32


def test_a_classification_has_logits_in_single_precision() -> None:
    model = {"DenseNet121": {"init_features": 4, "growth_rate": 2, "block_config": [1, 1]}}
    data = DATA | {"spatial_dims": 2}
    config = Config.model_validate({"task": "classification", "data": data, "model": model})
    task = ClassificationTask(config)
    task.configure_model()
    with torch.autocast(**MIXED):
        assert task.eval()(torch.zeros(2, 1, 32, 32)).dtype == torch.float32


class Named(NamedTuple):
    logits: torch.Tensor
    hidden: torch.Tensor


@pytest.mark.parametrize("made", [lambda *parts: parts, lambda *parts: [*parts], Named])
@pytest.mark.parametrize("channels_last", [False, True])
def test_of_a_network_that_returns_more_the_logits_are_in_single_precision(
    made: Callable[..., Any], channels_last: bool
) -> None:
    model = {"DenseNet121": {}, "channels_last": channels_last}
    config = Config.model_validate({"task": "classification", "data": DATA | {"spatial_dims": 2}, "model": model})
    task = ClassificationTask(config)
    layer = torch.nn.Linear(4, 3)
    task.network = Returning(lambda image: made(layer(image.mean(1).flatten(1)), image))
    with torch.autocast(**MIXED):
        logits = task(torch.zeros(2, 1, 2, 2))
    assert (logits.dtype, logits.shape) == (torch.float32, (2, 3))


class Returning(torch.nn.Module):
    def __init__(self, call: Callable[..., Any]) -> None:
        super().__init__()
        self.forward = call
