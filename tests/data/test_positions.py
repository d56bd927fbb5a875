"""A crop that is told where the voxels are makes the same choice as one that searches the volume."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from monai.transforms import (
    Compose,
    FgBgToIndicesd,
    Lambdad,
    MapTransform,
    OneOf,
    RandCropByLabelClassesd,
    RandCropByPosNegLabeld,
    RandFlipd,
    SpatialPadd,
    Transposed,
)

from trainlib.data.positions import VoxelIndices, count_voxels, insert_positions, needs_wide_label

KEYS = ["image", "label"]


def case(shape: tuple[int, ...], classes: int = 3, seed: int = 0) -> dict[str, Any]:
    """A case as the cache gives it, with rows that are full, empty and mixed."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, classes, (1, *shape)).astype(np.uint8)
    label[0, 1] = 0
    label[0, 2] = classes - 1
    tensor = torch.from_numpy(label)
    image = torch.from_numpy(rng.random((1, *shape), dtype=np.float32))
    return {"image": image, "label": tensor, "positions": count_voxels(tensor, classes)}


@pytest.mark.parametrize("shape", [(7, 5), (6, 5, 4), (4, 3, 1), (16, 16, 12), (16, 16, 16)])
def test_indices_are_those_of_a_search(shape: tuple[int, ...]) -> None:
    prepared = case(shape)
    label, ends = prepared["label"], prepared["positions"]
    flat = label.numpy().ravel()
    for value in range(3):
        for others, expected in ((False, flat == value), (True, flat != value)):
            indices = VoxelIndices(label, ends[value], value, others=others)
            assert [indices[k] for k in range(len(indices))] == np.flatnonzero(expected).tolist()


def crops(step: Any, prepared: dict[str, Any], *before: Any, told: bool) -> list[Any]:
    """Crop with several seeds; MONAI searches a map of floats, in which it finds the background."""
    pipeline = Compose([*before, step])
    steps = insert_positions(pipeline) if told else []
    if not told:
        prepared = prepared | {"label": prepared["label"].float()}
    found = []
    for seed in range(8):
        pipeline.set_random_state(seed)
        for known in steps:
            known.tell(prepared)
        result = pipeline({key: prepared[key] for key in KEYS})
        found += result if isinstance(result, list) else [result]
    return found


STEPS = [
    {"pos": 2, "neg": 1, "num_samples": 2},
    {"pos": 1, "neg": 0},
    {"num_classes": 3, "ratios": [1, 2, 3], "num_samples": 2},
    {"num_classes": 2},
]


def made(keywords: dict[str, Any], **others: Any) -> Any:
    kind = RandCropByLabelClassesd if "num_classes" in keywords else RandCropByPosNegLabeld
    return kind(keys=KEYS, label_key="label", spatial_size=[4, 4, 3], **keywords, **others)


def assert_equal(found: list[Any], expected: list[Any]) -> None:
    assert len(found) == len(expected) > 0
    for crop, other in zip(found, expected, strict=True):
        assert crop.keys() == other.keys()
        for key in KEYS:
            assert torch.equal(torch.as_tensor(crop[key]), torch.as_tensor(other[key]))


@pytest.mark.parametrize("keywords", STEPS, ids=str)
@pytest.mark.parametrize("pad", [[6, 6, 6], [14, 12, 10]], ids=["large enough", "padded"])
def test_crops_are_those_of_a_search_also_behind_steps_that_change_the_label(
    keywords: dict[str, Any], pad: list[int]
) -> None:
    prepared = case((12, 10, 8))
    before = [SpatialPadd(keys=KEYS, spatial_size=pad), RandFlipd(keys=KEYS, prob=0.5, spatial_axis=0)]
    assert_equal(
        crops(made(keywords), prepared, *before, told=True), crops(made(keywords), prepared, *before, told=False)
    )


@pytest.mark.parametrize("keywords", STEPS, ids=str)
def test_a_volume_that_no_step_has_changed_is_not_searched(
    keywords: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = case((12, 10, 8))
    searched: list[Any] = []
    for name in ("map_binary_to_indices", "map_classes_to_indices"):
        monkeypatch.setattr(f"monai.transforms.croppad.array.{name}", lambda *a, **k: searched.append(a))
    monkeypatch.setattr("trainlib.data.positions._counted", lambda *a: searched.append(a))
    assert crops(made(keywords), prepared, told=True)
    assert searched == []


def test_a_crop_around_background_has_background_in_its_middle() -> None:
    prepared = case((12, 10, 8))
    prepared["label"][0, :, 5:] = 0
    prepared["positions"] = count_voxels(prepared["label"], 3)
    step = made({"pos": 0, "neg": 1})
    step.cropper.spatial_size = (1, 1, 1)
    for crop in crops(step, prepared, told=True):
        assert int(crop["label"].max()) == 0


def emptied(label: torch.Tensor) -> torch.Tensor:
    label[:, 3:] = 0
    return label


def emptied_by_numpy(label: torch.Tensor) -> torch.Tensor:
    label.numpy()[:, 3:] = 0
    return label


class Emptied(MapTransform):
    """A transform of a patch script that writes to what it gets."""

    def __call__(self, data: Any) -> Any:
        return {**data, "label": emptied_by_numpy(data["label"])}


@pytest.mark.parametrize("keywords", STEPS, ids=str)
@pytest.mark.parametrize(
    "before",
    [
        Lambdad(keys="label", func=emptied),
        Lambdad(keys="label", func=emptied_by_numpy),
        Compose([Lambdad(keys="label", func=emptied_by_numpy)]),
        Emptied(keys="label"),
        Transposed(keys=KEYS, indices=(0, 3, 2, 1)),
        Lambdad(keys=KEYS, func=lambda values: values.transpose(1, 3)),
    ],
    ids=["torch", "numpy", "nested", "patch", "transposed", "a view"],
)
def test_a_label_that_a_step_has_written_to_or_turned_is_counted_anew(keywords: dict[str, Any], before: Any) -> None:
    found, searched = (crops(made(keywords), case((10, 10, 10)), before, told=told) for told in (True, False))
    assert_equal(found, searched)


def test_a_map_that_other_steps_search_is_one_in_which_they_find_the_background() -> None:
    crop = made({"pos": 1}, fg_indices_key="label_fg_indices", bg_indices_key="label_bg_indices")
    assert needs_wide_label(Compose([FgBgToIndicesd(keys="label"), crop]))
    assert needs_wide_label(Compose([OneOf([Compose([made({"pos": 1})]), made({"num_classes": 3})])]))
    assert not needs_wide_label(Compose([made({"pos": 1}), OneOf([made({"num_classes": 3})])]))
    label = case((12, 10, 8))["label"]
    found = FgBgToIndicesd(keys="label")({"label": label.to(torch.int16)})
    assert len(found["label_bg_indices"]) == int((label == 0).sum())


def test_voxels_of_an_image_above_a_threshold_are_those_of_a_search() -> None:
    prepared, keywords = case((12, 10, 8)), {"image_key": "image", "image_threshold": 0.9}
    searched = crops(made({"pos": 1, "neg": 2}, **keywords), prepared, told=False)
    assert_equal(crops(made({"pos": 1, "neg": 2}, **keywords), prepared, told=True), searched)


@pytest.mark.parametrize(
    "step",
    [
        made({"pos": 1}, fg_indices_key="fg", bg_indices_key="bg"),
        made({"num_classes": 3}, max_samples_per_class=5),
        made({"num_classes": 3}, image_key="image"),
        RandFlipd(keys=KEYS),
    ],
    ids=["given", "thinned", "image and classes", "no crop"],
)
def test_what_is_told_in_another_way_is_left_alone(step: Any) -> None:
    pipeline = Compose([step])
    assert insert_positions(pipeline) == []
    assert pipeline.transforms == (step,) or list(pipeline.transforms) == [step]


def test_of_many_classes_only_the_background_is_counted() -> None:
    prepared = case((12, 10, 8), classes=20)
    assert prepared["positions"].shape == (1, 1)
    for keywords in ({"pos": 1}, {"num_classes": 20}):
        assert_equal(crops(made(keywords), prepared, told=True), crops(made(keywords), prepared, told=False))


def test_a_class_that_is_nowhere_is_not_chosen() -> None:
    prepared = case((12, 10, 8))
    prepared["label"].zero_()
    prepared["positions"] = count_voxels(prepared["label"], 3)
    with pytest.warns(UserWarning, match="Num foregrounds 0"):
        assert_equal(crops(made({"pos": 1}), prepared, told=True), crops(made({"pos": 1}), prepared, told=False))


def test_nothing_is_known_of_a_case_without_counts() -> None:
    prepared = case((12, 10, 8))
    del prepared["positions"]
    assert_equal(crops(made({"pos": 1}), prepared, told=True), crops(made({"pos": 1}), prepared, told=False))
