"""A case that fails is named by its row and file, and so are the transform's place and the shape that went in."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import LightningModule, Trainer

from tests.data.helpers import CROP, LOAD, make_cases, make_config, ready, save, volume
from trainlib.build.pipelines import build_pipeline
from trainlib.config.schema import Config
from trainlib.data.dataset import CaseFailure
from trainlib.data.failures import explain_failure, wrong_result
from trainlib.data.module import CSVDataModule
from trainlib.errors import DataError
from trainlib.memory import memory_remedy, ran_out_of_memory

PATCH = """
import numpy as np
import torch
from monai.transforms import MapTransform

class Fails(MapTransform):
    # For one case alone, told by a voxel that the test put there.
    def __call__(self, data):
        if data["image"].max() > 99:
            raise ValueError("the contrast is wrong\\nand more lines")
        return data

class FailsSecond(MapTransform):
    def __call__(self, data):
        if data["image"].shape[-1] == 4:
            raise ValueError("too thin")
        return data | {"image": data["image"][..., :4]}

class Returns(MapTransform):
    def __init__(self, keys, what):
        super().__init__(keys)
        self.what = what
    def __call__(self, data):
        if self.what == "mapping":
            return {"label": data["label"]}
        return {"none": None, "tensor": data["image"], "string": data | {"image": "x"}, "empty": []}[self.what]

class Allocates(MapTransform):
    def __init__(self, keys, library):
        super().__init__(keys)
        self.library = library
    def __call__(self, data):
        (np if self.library == "numpy" else torch).zeros((10**6, 10**6, 100))
"""
FAILS = {"Fails": {"keys": ["image"]}}
SHAPES = r"image \(1, 12, 10, 9\), label \(1, 12, 10, 9\)"


class Nothing(LightningModule):
    """Learns nothing from the batches it is given."""

    def training_step(self, batch: Any, batch_idx: int) -> None:
        return None

    def configure_optimizers(self) -> None:
        return None


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Lightning's notes on its environment are no concern of these tests."""
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    logger.setLevel(logging.ERROR)
    yield
    logger.setLevel(level)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three training cases, of which the second has a voxel that makes `Fails` fail; one validation case."""
    make_cases(tmp_path, 3)
    make_cases(tmp_path, 1, "valid.csv", first=3)
    image = volume(1)
    image[2, 3, 4] = 100
    save(tmp_path / "i1.nii.gz", image)
    (tmp_path / "patch.py").write_text(PATCH)
    return tmp_path


def patched(root: Path, data: dict[str, Any] | None = None, **transforms: list[Any]) -> Config:
    return make_config(root, data, transforms=transforms, patch={"transforms": str(root / "patch.py")})


def train(config: Config) -> None:
    """Run an epoch of Lightning over the cases."""
    trainer = Trainer(
        max_epochs=1, logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False
    )
    trainer.fit(Nothing(), datamodule=CSVDataModule(config))


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore:.*:lightning.fabric.utilities.warnings.PossibleUserWarning")
@pytest.mark.parametrize("cache", ["none", "memory", "disk"])
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("section", ["base", "train"])
def test_the_case_that_failed_is_named_with_transform_and_shape(
    root: Path, section: str, workers: int, cache: str
) -> None:
    pipelines = {"base": [*LOAD, FAILS], "train": CROP} if section == "base" else {"train": [FAILS, *CROP]}
    config = patched(root, {"num_workers": workers, "cache": cache, "batch_size": 1}, **pipelines)
    place = {"base": r"transforms\.base\[2\]", "train": r"transforms\.train\[0\]"}[section]
    script = str(root / "patch.py").replace(".", r"\.")
    with pytest.raises(DataError) as caught:
        train(config)
    assert [problem.text for problem in caught.value.problems] == [str(caught.value)]
    assert caught.match(
        rf"^train\.csv:3 \(i1\.nii\.gz\): {place}\.Fails failed \({script}:10\) on {SHAPES}: "
        r"ValueError: the contrast is wrong\.$"
    )


def failure_of(config: Config, index: int = 0) -> str:
    """What is said of a training case whose augmentation fails."""
    failure = ready(config)._datasets["train"][0, index]
    assert isinstance(failure, CaseFailure)
    return failure.sentence


def test_a_transform_that_comes_twice_is_told_apart(root: Path) -> None:
    twice = {"FailsSecond": {"keys": ["image"]}}
    sentence = failure_of(patched(root, train=[twice, twice]))
    assert f"transforms.train[1].FailsSecond failed ({root / 'patch.py'}:16) on image (1, 12, 10, 4), " in sentence
    assert sentence.endswith("label (1, 12, 10, 9): ValueError: too thin.")


def test_one_of_several_crops_is_told_with_its_own_shape(root: Path) -> None:
    crops = {"RandCropByPosNegLabeld": {"spatial_size": [4, 4, 4], "num_samples": 3}}
    sentence = failure_of(patched(root, train=[crops, {"FailsSecond": {"keys": ["image"]}}]))
    assert "transforms.train[1].FailsSecond failed" in sentence
    assert "on image (1, 4, 4, 4), label (1, 4, 4, 4): ValueError: too thin." in sentence


def test_transforms_of_the_label_alone_count_where_there_is_none(root: Path) -> None:
    label_alone = {"Lambdad": {"keys": ["label"], "func": "builtins.abs"}}
    config = patched(root, base=[*LOAD, label_alone, FAILS])
    pipeline = build_pipeline(config, "base", with_label=False)
    with pytest.raises(RuntimeError) as caught:
        pipeline({"image": str(root / "i1.nii.gz")})
    assert explain_failure(caught.value, config).startswith("transforms.base[3].Fails failed (")
    assert explain_failure(RuntimeError("unseen"), config) == "transforms.base failed: RuntimeError: unseen."


@pytest.mark.parametrize(
    ("what", "found"),
    [
        ("none", "NoneType"),
        ("tensor", "MetaTensor|Tensor"),
        ("mapping", "a mapping without 'image'"),
        ("string", "str as 'image'"),
        ("empty", "list"),
    ],
)
def test_a_pipeline_that_returns_something_else_is_a_sentence(root: Path, what: str, found: str) -> None:
    sentence = failure_of(patched(root, train=[*CROP, {"Returns": {"keys": ["image"], "what": what}}]))
    begin = (
        "train.csv:2 (i0.nii.gz): expected a mapping with tensors 'image' and 'label' after transforms.train, found "
    )
    assert sentence.startswith(begin)
    assert sentence.removeprefix(begin).split(". ")[0] in found.split("|")


def test_what_a_pipeline_must_return_has_nothing_wrong() -> None:
    item = {"image": torch.zeros(1), "label": torch.zeros(1)}
    assert wrong_result(item, "base", with_label=True) == ""
    assert wrong_result([item, item], "train", with_label=True) == ""
    assert wrong_result({"image": torch.zeros(1)}, "base", with_label=False) == ""


@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_a_lack_of_memory_says_which_settings_help(root: Path, library: str) -> None:
    hungry = {"Allocates": {"keys": ["image"], "library": library}}
    data = {"num_workers": 0, "batch_size": 4, "cache": "memory"}
    sentence = failure_of(patched(root, data, train=[hungry, *CROP]))
    assert sentence.startswith("train.csv:2 (i0.nii.gz): transforms.train[0].Allocates failed (")
    remedy = "Lower data.batch_size (now 4) or set data.cache to disk, which keeps no case in memory."
    assert sentence.endswith(f". Memory ran out. {remedy}")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"num_workers": 3, "batch_size": 4, "cache": "memory"},
         "Lower data.num_workers (now 3), lower data.batch_size (now 4) or set data.cache to disk, which keeps no case "
         "in memory."),
        ({"num_workers": "auto", "batch_size": 1, "cache": "disk"}, "Lower data.num_workers (now auto)."),
        ({"num_workers": 0, "batch_size": 1, "cache": "none"},
         "Make the images smaller in transforms.base (Spacingd) or use a machine with more memory."),
    ],
)  # fmt: skip
def test_only_settings_that_can_help_are_named(tmp_path: Path, data: dict[str, Any], expected: str) -> None:
    assert memory_remedy(make_config(tmp_path, data)) == expected


def test_the_cause_of_an_error_may_be_memory() -> None:
    outer = RuntimeError("applying transform")
    outer.__cause__ = MemoryError()
    assert ran_out_of_memory(outer)
    assert not ran_out_of_memory(RuntimeError("CUDA out of memory."))
