"""Items and batches: every random number follows from the draw, and failures come as sentences."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.data.meta_obj import get_track_meta

from tests.data.helpers import CROP, LOAD, label_map, make_cases, make_config, ready, save, volume
from trainlib.build.pipelines import build_pipeline
from trainlib.config.schema import Config
from trainlib.data.dataset import CaseFailure, EvaluationDataset, FillDataset, TrainDataset, collate
from trainlib.data.module import CSVDataModule
from trainlib.seeding import derive_seed

NOISE = [*CROP, {"RandGaussianNoised": {"prob": 1.0}}]

PATCH = """
import random
import numpy as np
import torch
from monai.transforms import MapTransform, RandGaussianNoise

class Nested(MapTransform):
    # A random transform that nobody outside can seed, and draws from every global state.
    def __init__(self, keys):
        super().__init__(keys)
        self.noise = RandGaussianNoise(prob=1.0)
    def __call__(self, data):
        shift = random.random() + np.random.rand() + torch.rand(1)
        return data | {key: self.noise(data[key]) + shift for key in self.keys}

class AsNumpy(MapTransform):
    def __call__(self, data):
        return data | {key: np.asarray(data[key], dtype=np.float64) for key in self.keys}

class Faulty(MapTransform):
    def __call__(self, data):
        if data["image"].mean() > -9:
            raise ValueError("no contrast in the image")

class Cropped(MapTransform):
    def __call__(self, data):
        return data | {key: data[key][:, :8, :8, :8] for key in self.keys}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_cases(tmp_path, 3)
    for csv in ("valid.csv", "test.csv"):
        make_cases(tmp_path, 2, csv, first=3 if csv == "valid.csv" else 5)
    (tmp_path / "patch.py").write_text(PATCH)
    return tmp_path


def patched(root: Path, *train: Any, **sections: Any) -> Config:
    patch = {"transforms": str(root / "patch.py")}
    return make_config(root, transforms={"train": list(train)}, patch=patch, **sections)


def train_set(config: Config) -> TrainDataset:
    return ready(config)._datasets["train"]


def image(dataset: TrainDataset, epoch: int, index: int) -> np.ndarray:
    [item] = dataset[epoch, index]
    return item["image"].numpy()


@pytest.mark.parametrize("kind", ["monai", "patch"])
def test_draw_decides_every_random_number(root: Path, kind: str) -> None:
    train = NOISE if kind == "monai" else [{"Nested": {"keys": ["image"]}}]
    config = patched(root, *train)
    first, second = train_set(config), train_set(config)
    images = {(epoch, i): image(first, epoch, i) for epoch in range(2) for i in range(3)}
    for draw in reversed(images):
        np.testing.assert_array_equal(images[draw], image(second, *draw))
    noise = {draw: float(value.std()) for draw, value in images.items()}
    assert len(set(noise.values())) == len(noise)


def test_each_occurrence_of_a_case_in_an_epoch_is_augmented_in_its_own_way(root: Path) -> None:
    dataset = train_set(make_config(root, transforms={"train": NOISE}))
    drawn = [dataset[draw][0]["image"] for draw in ((3, 1), (3, 1, 1), (3, 1, 2))]
    assert not any(torch.equal(drawn[i], drawn[j]) for i in range(3) for j in range(i))
    assert torch.equal(dataset[3, 1, 2][0]["image"], drawn[2])


def test_the_first_occurrence_is_augmented_from_seed_epoch_and_index(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset, seeds = train_set(make_config(root, transforms={"train": NOISE}, seed=9)), []
    monkeypatch.setattr(dataset, "_seed", seeds.append)
    dataset[3, 1]
    assert seeds == [derive_seed(9, 3, 1)]


def test_augmentation_differs_between_cases_that_are_equal(root: Path) -> None:
    for i in range(3):
        save(root / f"i{i}.nii.gz", volume(0))
    dataset = train_set(make_config(root, transforms={"train": NOISE}))
    assert not np.array_equal(image(dataset, 0, 0), image(dataset, 0, 1))


def test_augmentation_follows_the_seed_of_the_config(root: Path) -> None:
    one, two = (train_set(make_config(root, transforms={"train": NOISE}, seed=seed)) for seed in (1, 2))
    assert not np.array_equal(image(one, 0, 0), image(two, 0, 0))


def states() -> list[Any]:
    return [random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()]


def test_global_random_states_are_left_alone(root: Path) -> None:
    module = ready(patched(root, {"Nested": {"keys": ["image"]}}, *NOISE))
    module.setup("test")
    before = states()
    for split in ("train", "valid", "test"):
        assert isinstance(module._datasets[split][0, 0], list)
    assert states() == before
    assert get_track_meta()


def test_random_state_and_tracking_are_restored_after_a_failure(root: Path) -> None:
    dataset = train_set(patched(root, {"Faulty": {"keys": ["image"]}}))
    before = states()
    assert isinstance(dataset[0, 0], CaseFailure)
    assert states() == before
    assert get_track_meta()


def test_item_is_plain_tensors_of_fixed_types_whatever_the_transforms_return(root: Path) -> None:
    [item] = train_set(patched(root, {"AsNumpy": {"keys": ["image", "label"]}}))[0, 0]
    assert [type(item[key]) for key in ("image", "label")] == [torch.Tensor, torch.Tensor]
    assert (item["image"].dtype, item["label"].dtype) == (torch.float32, torch.uint8)
    assert item["case"] == "i0"
    np.testing.assert_array_equal(item["label"][0], label_map(0))


def test_crop_takes_image_and_label_at_the_same_place(root: Path) -> None:
    for i in range(3):
        save(root / f"i{i}.nii.gz", label_map(i).astype(np.float32))
    flip = {"RandFlipd": {"prob": 0.5, "spatial_axis": 0}}
    affine = {"RandAffined": {"prob": 0.5, "rotate_range": [0.3] * 3, "mode": "nearest"}}
    dataset = train_set(make_config(root, transforms={"train": [*CROP, flip, affine]}))
    for epoch in range(4):
        [item] = dataset[epoch, 0]
        np.testing.assert_array_equal(item["image"], item["label"])


def test_several_crops_of_a_case_become_items_of_a_batch(root: Path) -> None:
    crops = {"RandCropByPosNegLabeld": {"spatial_size": [8, 8, 8], "num_samples": 3}}
    dataset = train_set(make_config(root, transforms={"train": [crops]}))
    batch = collate([dataset[0, 0], dataset[0, 1]])
    assert batch["image"].shape == batch["label"].shape == (6, 1, 8, 8, 8)
    assert batch["case"] == ["i0"] * 3 + ["i1"] * 3


def test_a_pipeline_may_serve_several_data_sets(root: Path) -> None:
    affine = {"RandAffined": {"rotate_range": [0.3, 0.3, 0.3], "prob": 0.9}}
    config = make_config(root, transforms={"train": [affine, *NOISE]})
    first = train_set(config)
    pipeline = build_pipeline(config, "train")
    for _ in range(2):
        other = TrainDataset(first.cases, first.cache, pipeline, config)
        np.testing.assert_array_equal(image(other, 0, 1), image(first, 0, 1))


def test_failing_augmentation_becomes_a_sentence_with_case_transform_and_line(root: Path) -> None:
    failure = train_set(patched(root, {"Faulty": {"keys": ["image"]}}))[0, 1]
    assert failure == CaseFailure(
        f"train.csv:3 (i1.nii.gz): transforms.train[0].Faulty failed ({root / 'patch.py'}:23) on image (1, 12, 10, 9), "
        "label (1, 12, 10, 9): ValueError: no contrast in the image."
    )


def test_failing_monai_transform_is_named(root: Path) -> None:
    crop = {"RandSpatialCropd": {"roi_size": [50, 50, 50], "random_size": False}}
    crops = {"RandCropByPosNegLabeld": {"spatial_size": [50, 50, 50]}}
    failure = train_set(make_config(root, transforms={"train": [crop, crops]}))[0, 0]
    assert isinstance(failure, CaseFailure)
    begin = "train.csv:2 (i0.nii.gz): transforms.train[1].RandCropByPosNegLabeld failed on image (1, 12, 10, 9), "
    assert failure.sentence.startswith(begin)
    assert "ValueError: The size of the proposed random crop ROI is larger than the image size" in failure.sentence


def test_a_leaner_transform_is_named_as_that_of_monai(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainlib.data.lean.affine._scaled", None)
    affine = {"RandAffined": {"rotate_range": [0.3, 0.3, 0.3], "prob": 1.0}}
    failure = train_set(make_config(root, transforms={"train": [affine]}))[0, 0]
    assert isinstance(failure, CaseFailure)
    begin = "train.csv:2 (i0.nii.gz): transforms.train[0].RandAffined failed on image (1, 12, 10, 9), "
    assert failure.sentence.startswith(begin)


def test_crop_of_the_image_alone_is_told(root: Path) -> None:
    failure = train_set(patched(root, {"Cropped": {"keys": ["image"]}}))[0, 0]
    assert isinstance(failure, CaseFailure)
    assert "differ in shape after transforms.train: (8, 8, 8) and (12, 10, 9)" in failure.sentence


def test_file_that_vanished_becomes_a_sentence(root: Path) -> None:
    module = ready(make_config(root))
    (root / "i0.nii.gz").unlink()
    (root / "i3.nii.gz").unlink()
    for split, row in (("train", "train.csv:2 (i0.nii.gz)"), ("valid", "valid.csv:2 (i3.nii.gz)")):
        failure = module._datasets[split][0, 0]
        assert isinstance(failure, CaseFailure)
        assert failure.sentence.startswith(f"{row}: {row[-10:-1]} cannot be read: No such file or directory")
        assert failure.sentence.count(row) == 1


def test_evaluation_gives_whole_cases_with_what_leads_back(root: Path) -> None:
    module = ready(make_config(root, transforms={"base": [*LOAD, {"SpatialPadd": {"spatial_size": [16, 16, 16]}}]}))
    [item] = module._datasets["valid"][7, 1]
    assert item.keys() == {"image", "label", "spacing", "affine", "operations", "case", "where", "index"}
    assert item["image"].shape == item["label"].shape == (1, 16, 16, 16)
    assert (item["case"], item["where"], item["index"]) == ("i4", "valid.csv:3 (i4.nii.gz)", 1)
    assert [operation["class"] for operation in item["operations"]] == ["SpatialPad"]


def test_test_gives_the_label_as_it_is_in_its_file(root: Path) -> None:
    module = ready(make_config(root, transforms={"base": [*LOAD, {"Flipd": {"spatial_axis": 0}}]}), "test")
    [item] = module._datasets["test"][0, 1]
    assert "label" not in item
    np.testing.assert_array_equal(item["original_label"][0], label_map(6))
    np.testing.assert_array_equal(item["original_affine"], np.eye(4))


def test_wrong_test_label_becomes_a_sentence_with_row_and_file(root: Path) -> None:
    save(root / "l6.nii.gz", np.full((12, 10, 9), 9, dtype=np.uint8))
    module = ready(make_config(root), "test")
    assert isinstance(module._datasets["test"], EvaluationDataset)
    failure = module._datasets["test"][0, 1]
    assert isinstance(failure, CaseFailure)
    assert failure.sentence.startswith("test.csv:3 (i6.nii.gz): the label l6.nii.gz holds 9 (1080 voxels)")


def test_fill_returns_a_failure_instead_of_raising(root: Path) -> None:
    module = CSVDataModule(make_config(root))
    module.setup("fit")
    dataset = FillDataset(module.cases["train"], module._cache(True))
    (root / "l1.nii.gz").write_bytes(b"")
    assert dataset[0] is None
    assert isinstance(dataset[1], CaseFailure)


def item(shape: tuple[int, ...], case: str) -> dict[str, Any]:
    names = {"case": case, "where": f"train.csv:2 ({case}.nii.gz)"}
    return {"image": torch.zeros(1, *shape), "label": torch.zeros(1, *shape, dtype=torch.uint8), **names}


def test_collate_stacks_tensors_and_lists_the_rest() -> None:
    batch = collate([[item((4, 4), "a")], [item((4, 4), "b")]])
    assert batch["image"].shape == (2, 1, 4, 4)
    assert batch["label"].dtype == torch.uint8
    assert batch["case"] == ["a", "b"]
    assert not isinstance(batch["image"], MetaTensor)


def test_collate_passes_the_first_failure_on() -> None:
    failures = [CaseFailure("first"), CaseFailure("second")]
    assert collate([[item((4, 4), "a")], *failures]) == failures[0]


def test_cases_of_different_shape_are_told_with_the_remedy() -> None:
    failure = collate([[item((4, 4), "a")], [item((4, 5), "b")]])
    assert isinstance(failure, CaseFailure)
    assert "train.csv:2 (a.nii.gz) (1, 4, 4), train.csv:2 (b.nii.gz) (1, 4, 5). End" in failure.sentence
    assert "End transforms.train with a crop or pad to one size" in failure.sentence
