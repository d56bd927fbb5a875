"""The data module: loaders that give the same whatever prepares them, and failures told before the first epoch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn

from tests.data.helpers import CROP, SHAPE, batches, items, make_cases, make_config, ready, save
from trainlib.data.dataset import CaseFailure
from trainlib.data.module import CSVDataModule
from trainlib.errors import DataError

TRAIN = [
    *CROP,
    {"RandFlipd": {"prob": 0.5, "spatial_axis": 0}},
    {"RandAffined": {"prob": 0.5, "rotate_range": [0.3] * 3}},
    {"RandGaussianNoised": {"prob": 1.0}},
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_cases(tmp_path, 5)
    make_cases(tmp_path, 3, "valid.csv", first=5)
    make_cases(tmp_path, 2, "test.csv", first=8)
    return tmp_path


def config(root: Path, workers: int = 0, **data: Any):
    return make_config(root, {"num_workers": workers, **data}, transforms={"train": TRAIN})


@pytest.mark.parametrize("cache", ["none", "memory", "disk"])
def test_batches_do_not_depend_on_the_number_of_workers_or_the_cache(root: Path, cache: str) -> None:
    reference = ready(config(root))
    module = ready(config(root, 2 if cache != "memory" else 1, cache=cache))
    for epoch in range(2):
        for expected, batch in zip(batches(reference, epoch), batches(module, epoch), strict=True):
            assert batch["case"] == expected["case"]
            assert torch.equal(batch["image"], expected["image"])
            assert torch.equal(batch["label"], expected["label"])


def test_draws_do_not_depend_on_the_batch_size(root: Path) -> None:
    one, two = items(ready(config(root, batch_size=1))), items(ready(config(root, batch_size=4)))
    assert one.keys() == two.keys()
    assert all(np.array_equal(one[case], two[case]) for case in one)


def test_epoch_does_not_depend_on_those_before_it(root: Path) -> None:
    module = ready(config(root))
    items(module, 0)
    resumed, fresh = items(module, 1), items(ready(config(root)), 1)
    assert list(resumed) == list(fresh)
    assert all(np.array_equal(resumed[case], fresh[case]) for case in fresh)


def test_epochs_differ_in_order_and_augmentation(root: Path) -> None:
    module = ready(config(root))
    first, second = items(module, 0), items(module, 1)
    assert list(first) != list(second)
    assert not any(np.array_equal(first[case], second[case]) for case in first)


@pytest.mark.parametrize("split", ["valid", "test"])
def test_evaluation_keeps_the_order_of_the_csv_one_case_at_a_time(root: Path, split: str) -> None:
    module = ready(config(root, batch_size=4), "test" if split == "test" else "fit")
    expected = {"valid": ["i5", "i6", "i7"], "test": ["i8", "i9"]}[split]
    for epoch in range(2):
        assert [batch["case"] for batch in batches(module, epoch, split)] == [[case] for case in expected]


def test_prediction_needs_no_label(root: Path) -> None:
    (root / "new.csv").write_text("image\ni8.nii.gz\n")
    module = CSVDataModule(config(root, predict_csv="new.csv"))
    module.setup("predict")
    [batch] = module.predict_dataloader()
    assert "label" not in batch
    assert "original_label" not in batch


def test_validation_after_training_reads_nothing_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = ready(config(root))
    before = module.cases["valid"]
    (root / "valid.csv").unlink()
    module.setup("validate")
    assert module.cases["valid"] is before


def test_stage_of_lightning_is_understood(root: Path) -> None:
    module = CSVDataModule(config(root))
    module.setup(TrainerFn.FITTING)
    assert set(module.cases) == {"train", "valid", "test"}


def test_what_is_wrong_with_a_test_case_is_told_before_the_training(root: Path) -> None:
    make_cases(root, 1, "test.csv", first=20)
    save(root / "l20.nii.gz", np.full(SHAPE, 7, dtype=np.uint8))
    with pytest.raises(DataError, match=r"test\.csv:2 .*the label l20\.nii\.gz holds 7 "):
        CSVDataModule(config(root)).setup("fit")


def test_constructor_touches_no_file(tmp_path: Path) -> None:
    CSVDataModule(make_config(tmp_path / "absent"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("cache", ["none", "memory", "disk"])
def test_all_bad_cases_are_told_before_the_first_epoch(root: Path, cache: str, workers: int) -> None:
    (root / "i1.nii.gz").write_bytes((root / "i1.nii.gz").read_bytes()[:500])
    save(root / "l2.nii.gz", np.full((12, 10, 9), 9, dtype=np.uint8))
    save(root / "l6.nii.gz", np.zeros((12, 10, 8), dtype=np.uint8))
    with pytest.raises(DataError) as caught:
        ready(config(root, workers, cache=cache))
    lines = str(caught.value).splitlines()
    assert [line.partition(":")[2].partition(":")[0] for line in lines] == [
        "3 (i1.nii.gz)",
        "4 (i2.nii.gz)",
        "3 (i6.nii.gz)",
    ]
    for line, told in zip(lines, ["i1.nii.gz cannot be read", "holds 9 (1080 voxels)", "differ in shape"], strict=True):
        assert told in line


@pytest.mark.parametrize("cache", ["none", "disk"])
def test_on_demand_a_bad_case_is_told_with_its_row_when_a_loader_comes_to_it(root: Path, cache: str) -> None:
    (root / "i1.nii.gz").write_bytes((root / "i1.nii.gz").read_bytes()[:500])
    module = ready(config(root, cache=cache, prepare="on_demand"))
    [failure] = [batch for batch in module.train_dataloader() if isinstance(batch, CaseFailure)]
    with pytest.raises(DataError, match=r"train\.csv:3 \(i1\.nii\.gz\): .*cannot be read"):
        module.on_before_batch_transfer(failure, 0)


def test_many_bad_cases_are_shortened_and_counted(root: Path) -> None:
    rows = "i0.nii.gz,bad.nii.gz\n" * 30
    (root / "bad.nii.gz").write_bytes(b"bad")
    (root / "train.csv").write_text("image,label\n" + rows)
    with pytest.raises(DataError, match=r"\.\.\. and 10 more cases\.$") as caught:
        ready(config(root))
    assert len(caught.value.problems) == 21


def test_mistakes_in_a_csv_come_as_data_errors(root: Path) -> None:
    (root / "valid.csv").write_text("image,label\n")
    with pytest.raises(DataError, match=r"valid\.csv: lists no case"):
        ready(config(root))


class Task(LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.seen: dict[int, list[str]] = {}

    def training_step(self, batch: dict[str, Any]) -> torch.Tensor:
        self.seen.setdefault(self.current_epoch, []).extend(batch["case"])
        return (self.weight * batch["image"]).mean()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def fit(module: CSVDataModule, epochs: int = 2) -> Task:
    task = Task()
    Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,
    ).fit(task, datamodule=module)
    return task


def test_lightning_sets_the_epoch_of_the_draws(root: Path) -> None:
    seen = fit(CSVDataModule(config(root))).seen
    module = ready(config(root))
    assert seen == {epoch: list(items(module, epoch)) for epoch in range(2)}


PATCH = """
from monai.transforms import MapTransform

class Faulty(MapTransform):
    def __call__(self, data):
        raise ValueError("no contrast")
"""


@pytest.mark.parametrize("workers", [0, 2])
def test_failure_in_a_worker_is_a_sentence_in_the_training_process(root: Path, workers: int) -> None:
    (root / "patch.py").write_text(PATCH)
    faulty = make_config(
        root,
        {"num_workers": workers},
        transforms={"train": [{"Faulty": {"keys": ["image"]}}]},
        patch={"transforms": str(root / "patch.py")},
    )
    sentence = r"^train\.csv:\d \(i\d\.nii\.gz\): transforms\.train\[0\]\.Faulty failed .*: no contrast\.$"
    with pytest.raises(DataError, match=sentence) as caught:
        fit(CSVDataModule(faulty))
    assert "Traceback" not in str(caught.value)


def test_good_batch_passes_unchanged_and_a_failure_is_raised(root: Path) -> None:
    module = CSVDataModule(config(root))
    batch = {"image": torch.zeros(1)}
    assert module.on_before_batch_transfer(batch, 0) is batch
    with pytest.raises(DataError, match="what went wrong"):
        module.on_before_batch_transfer(CaseFailure("what went wrong"), 0)


def test_loader_leaves_the_random_state_of_the_network_alone(root: Path) -> None:
    module = ready(config(root))
    before = torch.get_rng_state()
    list(batches(module))
    assert torch.equal(torch.get_rng_state(), before)
