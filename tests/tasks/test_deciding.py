"""Classes in the geometry of the files are the same however little of the probabilities is kept on the way."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from torch import nn

from tests.data.helpers import LOAD, batches, make_cases, make_config, ready, save, volume
from trainlib.data.geometry import Geometry
from trainlib.tasks import SegmentationTask
from trainlib.tasks.deciding import Highest, decide, highest

SHAPE = (29, 22, 18)
AFFINE = np.array([[0, -1.0, 0, 5], [1.5, 0, 0, -9], [0, 0, 2.5, 30], [0, 0, 0, 1]])
ORIENT: dict[str, Any] = {"Orientationd": {"axcodes": "LPI"}}
PIPELINES: dict[str, tuple[list[Any], bool]] = {
    "nothing": ([], True),
    "flipped": ([ORIENT, {"Flipd": {"spatial_axis": 1}}, {"Rotate90d": {"spatial_axes": [0, 2]}}], True),
    "padded": ([ORIENT, {"SpatialPadd": {"spatial_size": [40, 10, 30], "mode": "reflect"}}], True),
    "cropped": ([{"CropForegroundd": {"margin": 1}}, ORIENT, {"DivisiblePadd": {"k": 8}}], True),
    "cut out": (
        [{"CenterSpatialCropd": {"roi_size": [12, 30, 9]}}, {"ResizeWithPadOrCropd": {"spatial_size": 16}}],
        True,
    ),
    "spacing as it is": ([{"Spacingd": {"pixdim": [1.5, 1.0, 2.5]}}, ORIENT], True),
    "resampled": ([ORIENT, {"Spacingd": {"pixdim": [1.0, 1.3, 1.9]}}], False),
    "resized": ([{"Resized": {"spatial_size": [20, 20, 20]}}, ORIENT], False),
    "resampled and cropped": ([{"CropForegroundd": {}}, {"Spacingd": {"pixdim": [2.0, 2.0, 2.0]}}], False),
}


def make_task(root: Path, base: list[Any], *, kept: bool = False, post: Any = ()) -> tuple[SegmentationTask, Any]:
    """Make a task whose network is a random convolution, and a test batch."""
    make_cases(root, 1)
    image = volume(3, SHAPE)
    image[:4], image[:, 17:] = 0, 0
    save(root / "i.nii.gz", image, AFFINE)
    if not (root / "l.nii.gz").exists():
        save(root / "l.nii.gz", (image > 1).astype(np.uint8), AFFINE)
    (root / "test.csv").write_text("image,label\ni.nii.gz,l.nii.gz\n")
    config = make_config(root, transforms={"base": [*LOAD, *base], "post": list(post)})
    task = SegmentationTask(config, Geometry(config), keep_probabilities=kept)
    task.configure_model()
    torch.manual_seed(0)
    task.network = nn.Sequential(nn.Conv3d(1, 3, 3, padding=1), nn.InstanceNorm3d(3))
    [batch] = batches(ready(config, "test"), split="test")
    return task.eval(), batch


def plainly(task: SegmentationTask, batch: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bring the probabilities of all classes back, and decide at the end: on the grids of image and label."""
    geometry: Any = task.geometry
    probabilities = task.inferer(batch["image"], task.network).float().softmax(dim=1)
    restored = geometry.to_image(probabilities[0], batch, 0)
    on_label = geometry.to_label(restored, batch, 0)
    maps = [
        torch.as_tensor(found).argmax(dim=0).numpy() for found in (restored, restored if on_label is None else on_label)
    ]
    return maps[0], maps[1], restored.numpy()


@pytest.mark.parametrize("pipeline", PIPELINES)
@torch.inference_mode()
def test_classes_are_those_of_all_probabilities_brought_back(tmp_path: Path, pipeline: str) -> None:
    base, moves = PIPELINES[pipeline]
    task, batch = make_task(tmp_path, base)
    geometry: Any = task.geometry
    assert geometry.only_moves(batch, 0, with_label=True) is moves
    expected, _, restored = plainly(task, batch)
    assert len(np.unique(expected)) == 3
    outputs = task._predict(batch, with_scores=True)
    [prediction] = outputs["predictions"]
    np.testing.assert_array_equal(prediction["label_map"], expected)
    assert prediction["label_map"].dtype == np.int16
    np.testing.assert_array_equal(
        prediction["affine"], geometry.to_image(torch.zeros_like(batch["image"][0]), batch, 0).affine
    )
    assert "probabilities" not in prediction
    assert restored.shape == (3, *SHAPE)


@pytest.mark.parametrize("pipeline", ["flipped", "resampled"])
@torch.inference_mode()
def test_scores_on_another_grid_of_the_label_are_those_of_all_probabilities(tmp_path: Path, pipeline: str) -> None:
    other = np.diag([1.2, 0.9, 2.0, 1.0])
    other[:3, 3] = [-12, -5, 32]
    save(tmp_path / "l.nii.gz", np.ones((13, 20, 15), dtype=np.uint8), other)
    task, batch = make_task(tmp_path, PIPELINES[pipeline][0])
    assert not task.geometry.only_moves(batch, 0, with_label=True)  # type: ignore[union-attr]
    on_image, on_label, _ = plainly(task, batch)
    outputs = task._predict(batch, with_scores=True)
    np.testing.assert_array_equal(outputs["predictions"][0]["label_map"], on_image)
    spacing = [1.2, 0.9, 2.0]
    expected = task._score(on_label.astype(np.int16), np.ones((13, 20, 15), dtype=np.uint8), spacing, "i", surface=True)
    found = [{**row, "case": "i"} for row in outputs["rows"]]
    for name in ("dice", "hd", "asd", "prediction_ml"):
        np.testing.assert_allclose([row[name] for row in found], [row[name] for row in expected], rtol=1e-6)


@pytest.mark.parametrize("pipeline", ["padded", "resampled"])
@torch.inference_mode()
def test_probabilities_that_are_kept_are_the_same_to_the_last_bit(tmp_path: Path, pipeline: str) -> None:
    task, batch = make_task(tmp_path, PIPELINES[pipeline][0], kept=True)
    expected, _, probabilities = plainly(task, batch)
    [prediction] = task._predict(batch, with_scores=False)["predictions"]
    np.testing.assert_array_equal(prediction["probabilities"], probabilities)
    np.testing.assert_array_equal(prediction["label_map"], expected)


@pytest.mark.parametrize("pipeline", ["flipped", "resampled"])
@torch.inference_mode()
def test_post_processing_gets_integers_of_64_bits_and_the_affine(
    tmp_path: Path, pipeline: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, batch = make_task(tmp_path, PIPELINES[pipeline][0], post=["KeepLargestConnectedComponentd"])
    seen: list[Any] = []
    keep = type(task.post.transforms[0]).__call__
    monkeypatch.setattr(
        type(task.post.transforms[0]), "__call__", lambda self, data: (seen.append(data["pred"]), keep(self, data))[1]
    )
    task._predict(batch, with_scores=False)
    [classes] = seen
    assert classes.dtype == torch.int64
    assert nib.aff2axcodes(classes.affine.numpy()) == nib.aff2axcodes(AFFINE)


def test_of_other_transforms_than_those_of_space_it_is_not_known_what_undoing_them_does(tmp_path: Path) -> None:
    task, batch = make_task(tmp_path, [ORIENT, {"ToTensord": {"keys": ["image"]}}])
    geometry: Any = task.geometry
    assert not geometry.by_channel
    assert not geometry.only_moves(batch, 0, with_label=False)


@pytest.mark.parametrize("by_channel", [True, False])
def test_where_channels_may_mix_they_are_brought_back_together(by_channel: bool) -> None:
    seen = []

    def to_image(values: torch.Tensor, *_: object) -> MetaTensor:
        seen.append(len(values))
        return MetaTensor(values.flip(0), affine=torch.eye(4))

    geometry: Any = SimpleNamespace(by_channel=by_channel, to_image=to_image)
    values = torch.rand(7, 4, 5, 6)
    found = decide(values, geometry, {}, 0, with_label=False, kept=False)
    assert (seen == [7]) is not by_channel
    assert max(seen) < 7 or not by_channel
    assert torch.equal(found.classes.long(), values.flip(0).argmax(dim=0, keepdim=True)) is not by_channel


def test_the_way_back_can_be_gone_twice(tmp_path: Path) -> None:
    task, batch = make_task(tmp_path, PIPELINES["resampled"][0])
    geometry: Any = task.geometry
    values = torch.rand(2, *batch["image"].shape[2:])
    once, twice = (geometry.to_image(values, batch, 0) for _ in range(2))
    assert torch.equal(once, twice)
    assert torch.equal(once.affine, twice.affine)


@torch.inference_mode()
def test_the_highest_of_one_class_after_the_other_is_that_of_argmax() -> None:
    generator = torch.Generator().manual_seed(0)
    values = torch.randint(0, 3, (5, 40, 33), generator=generator).float()  # of which many are equal
    values[torch.rand(values.shape, generator=generator) < 0.1] = torch.nan
    values[torch.rand(values.shape, generator=generator) < 0.1] = -torch.inf
    one_by_one, by_two = Highest(5), Highest(5)
    for channel in values.split(1):
        one_by_one.add(channel)
    for channels in values.split(2):
        by_two.add(channels)
    for found in (one_by_one.classes, by_two.classes, highest(values)):
        assert found is not None
        assert found.dtype == torch.uint8
        assert torch.equal(found.long(), values.argmax(dim=0, keepdim=True))


def test_more_classes_than_a_byte_holds_are_told_apart() -> None:
    values = torch.zeros(300, 2)
    values[299, 0], values[256, 1] = 1, 1
    assert highest(values).tolist() == [[299, 256]]
