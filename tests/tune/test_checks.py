"""Mistakes in a search are told before Ray starts, with line and the nearest right name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trainlib.config.load import read_config
from trainlib.tune.checks import quick_tune_problems, tune_problems

LR: dict[str, Any] = {"optimizer.AdamW.lr": {"loguniform": [1e-4, 1e-2]}}
BROKEN: list[tuple[dict[str, Any], str]] = [
    ({"optimizr.AdamW.lr": {"uniform": [0.1, 1]}}, "optimizr is not a setting. Did you mean optimizer?"),
    ({"optimizer.AdamW.lrr": {"uniform": [0.1, 1]}}, "optimizer.AdamW.lrr is not a keyword of AdamW. Did you mean lr?"),
    (
        {"optimizer.SGD.lr": {"uniform": [0.1, 1]}},
        "optimizer.SGD.lr is not in the config, whose optimizer is AdamW. Did you mean optimizer.AdamW.lr?",
    ),
    ({"data.batch_sise": {"choice": [1, 2]}}, "data.batch_sise is not a setting. Did you mean data.batch_size?"),
    ({"data.batch_size": {"choice": [1, 0]}}, "data.batch_size: expected a number not below 1, found 0."),
    ({"data.batch_size": {"uniform": [1, 4]}}, "data.batch_size: expected an integer, found 1.0"),
    ({"transforms.prob": {"uniform": [0.5, 2]}}, "transforms.prob: expected a number not above 1, found 2.0."),
    ({"transforms.train[9].RandFlipd.prob": {"uniform": [0, 1]}}, "so there is no item 9 to set"),
    ({"transforms.train[2].RandZoomd.prob": {"uniform": [0, 1]}}, "whose transforms.train[2] is RandFlipd"),
    ({"transforms.train[2].RandFlipd.probb": {"uniform": [0, 1]}}, "is not a keyword of RandFlipd. Did you mean prob?"),
    ({"trainer.max_epocs": {"randint": [1, 2]}}, "Did you mean trainer.max_epochs?"),
    ({"model": {"choice": ["UNet", "SegResNett"]}}, "SegResNett is not a known model. Did you mean SegResNet?"),
    ({"model.UNet.dropout": {"choice": [0.1, "much"]}}, "model.UNet.dropout: expected a number, found 'much'."),
    ({"optimizer.AdamW.lr": {"uniform": [-1, 1]}}, "AdamW refuses these keywords: ValueError: Invalid learning rate"),
    ({"patch.model": {"choice": ["nowhere.py", "there.py"]}}, "patch.model: there is no script"),
    ({"run.name": {"choice": ["a", "b"]}}, "run.name cannot be searched: the search gives each trial its own folder."),
    ({"data.test_csv": {"choice": ["a", "b"]}}, "data.test_csv cannot be searched"),
    ({"checkpoint.monitor": {"choice": ["a", "b"]}}, "checkpoint.monitor cannot be searched"),
    ({"trainer.max_epochs": {"randint": [2, 9]}}, "cannot be searched with asha, which compares trials of the same"),
    ({"not a key": {"choice": [1, 2]}}, "not a key is no setting"),
    ({"trainer.devices": {"choice": [1, 2]}}, "trainer.devices cannot be searched: each trial is trained on one"),
    ({"trainer.num_nodes": {"choice": [1, 2]}}, "trainer.num_nodes cannot be searched: each trial is trained on one"),
    ({"trainer.strategy": {"choice": ["ddp", "auto"]}}, "trainer.strategy cannot be searched: each trial is trained"),
    ({"data.spatial_dims": {"choice": [2, 3]}}, "data.spatial_dims cannot be searched: trials are compared on the"),
    ({"trainer.limit_val_batches": {"choice": [1, 2]}}, "trainer.limit_val_batches cannot be searched: trials are"),
    (
        {"transforms.base[3].Spacingd.pixdim": {"choice": [[1.5, 1.5, 2.0], [4.0, 4.0, 4.0]]}},
        "transforms.base[3].Spacingd.pixdim cannot be searched: validation scores what the base transforms make of "
        "image and label, and scores on different voxels or labels cannot be compared.",
    ),
    (
        {"transforms.base[2]": {"choice": [{"Orientationd": {"axcodes": "RAS"}}, "Flipd"]}},
        "transforms.base[2] cannot be searched: validation scores what",
    ),
]


def problems(path: Path, *overrides: str) -> list[str]:
    loaded = read_config(path, overrides)
    found = loaded.problems + quick_tune_problems(loaded)
    return [str(problem) for problem in found or tune_problems(loaded)]


@pytest.mark.parametrize(("space", "sentence"), BROKEN, ids=[next(iter(space)) for space, _ in BROKEN])
def test_a_setting_that_cannot_be_searched_is_told_with_its_line(
    write_config: Callable[..., Path], space: dict[str, Any], sentence: str
) -> None:
    path = write_config(tune={"space": LR | space})
    found = problems(path)
    assert [text for text in found if sentence in text] == found
    assert found
    lines = path.read_text().splitlines()
    line = max(i for i, text in enumerate(lines, 1) if text.strip().startswith(next(iter(space))))
    assert all(text.startswith(f"{path}:{line}: tune.space: ") for text in found)


@pytest.mark.parametrize("key", ["loss", "loss.DiceCELoss.lambda_ce", "patch.loss"])
@pytest.mark.parametrize("where", ["tune.metric", "checkpoint.monitor"])
def test_different_losses_are_not_compared(write_config: Callable[..., Path], key: str, where: str) -> None:
    values = {"loss": ["DiceCELoss", "DiceLoss"], "loss.DiceCELoss.lambda_ce": [0.5, 1], "patch.loss": [None, "l.py"]}
    path = write_config(tune={"space": {key: {"choice": values[key]}}})
    [found] = problems(path, f"{where}=valid/loss")[:1]
    assert f"{key} cannot be searched with valid/loss: different losses cannot be compared. Set tune.metric" in found
    if key != "patch.loss":
        assert problems(path) == []


def test_intensities_of_base_transforms_can_be_searched(write_config: Callable[..., Path]) -> None:
    space = {"transforms.base[4]": {"choice": ["NormalizeIntensityd", "ScaleIntensityd"]}}
    assert problems(write_config(tune={"space": space})) == []


def test_a_sound_search_is_not_refused(write_config: Callable[..., Path]) -> None:
    space = LR | {
        "model.UNet.num_res_units": {"choice": [0, 2]},
        "transforms.train[2].RandFlipd.prob": {"uniform": [0, 1]},
        "data.batch_size": {"randint": [1, 4]},
        "scheduler": {"choice": [None, {"OneCycleLR": {}}, "CosineAnnealingLR"]},
    }
    assert problems(write_config(tune={"space": space})) == []


def test_settings_that_only_fail_together_are_found(write_config: Callable[..., Path]) -> None:
    # Each depth fits the strides of the config's own channels or not; only pairs of the same length do.
    space = {"model.UNet.channels": {"choice": [[4, 8], [8, 16]]}, "model.UNet.up_kernel_size": {"choice": [3, 5]}}
    assert problems(write_config(tune={"space": space})) == []
    space = {"optimizer.AdamW.amsgrad": {"choice": [True, False]}, "optimizer.AdamW.foreach": {"choice": [True, False]},
             "optimizer.AdamW.fused": {"choice": [True, False]}}  # fmt: skip
    found = problems(write_config(tune={"space": space}))
    assert len(found) == 1
    assert "`fused` and `foreach` cannot be `True` together" in found[0]
    assert "optimizer.AdamW.foreach: True, optimizer.AdamW.fused: True" in found[0]


def test_keys_that_contain_each_other_are_refused(write_config: Callable[..., Path]) -> None:
    space = LR | {"optimizer": {"choice": ["AdamW", "SGD"]}}
    assert "optimizer.AdamW.lr is part of optimizer" in problems(write_config(tune={"space": space}))[0]


def test_a_population_is_not_told_what_to_try(write_config: Callable[..., Path]) -> None:
    path = write_config(tune={"space": LR, "scheduler": "pbt", "search": "optuna"})
    [found] = problems(path)
    assert "tune.search: pbt changes settings by itself, which optuna cannot follow." in found
    assert problems(path, "tune.search=random") == []


@pytest.mark.parametrize("key", ["model.UNet.num_res_units", "data.image_cols", "optimizer"])
def test_a_population_cannot_change_what_its_weights_depend_on(write_config: Callable[..., Path], key: str) -> None:
    values = {
        "model.UNet.num_res_units": [1, 2],
        "data.image_cols": [["image"], ["other"]],
        "optimizer": ["SGD", "Adam"],
    }
    path = write_config(tune={"space": {key: {"choice": values[key]}}, "scheduler": "pbt"})
    assert f"{key} cannot be searched with pbt" in problems(path)[0]


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("early_stopping.patience", [1, 5]),
        ("trainer.max_steps", [9, 99]),
        ("trainer.max_time", ["00:01:00:00", "00:02:00:00"]),
    ],
)
def test_a_population_cannot_change_how_long_is_trained(
    write_config: Callable[..., Path], key: str, values: list[Any]
) -> None:
    limits = {"early_stopping": {"patience": 3}, "trainer": {"max_epochs": 4, "max_steps": 50, "max_time": None}}
    path = write_config(**limits, tune={"space": {key: {"choice": values}}, "scheduler": "pbt"})
    assert f"{key} cannot be searched with pbt, for a copy may have been trained for longer" in problems(path)[0]


@pytest.mark.parametrize(
    ("metric", "sentence"),
    [
        ("valid/dce", "tune.metric: nothing is logged as valid/dce. Did you mean valid/dice?"),
        ("valid/hd95", "tune.metric: valid/hd95 is not computed in every validation. Set metrics.surface_every to 1."),
    ],
)
def test_a_metric_that_is_not_there_is_refused(write_config: Callable[..., Path], metric: str, sentence: str) -> None:
    [found] = problems(write_config(tune={"space": LR, "metric": metric}))
    assert found.endswith(sentence)


def test_a_config_without_a_search_says_how_to_write_one(write_config: Callable[..., Path]) -> None:
    [found] = problems(write_config())
    assert "tune is missing: it says what to search." in found


def test_all_mistakes_are_told_at_once(write_config: Callable[..., Path]) -> None:
    space = LR | {"run.name": {"choice": ["a", "b"]}, "optimizer.SGD.lr": {"uniform": [0, 1]}}
    space |= {"data.batch_sise": {"choice": [1, 2]}}
    found = problems(write_config(tune={"space": space, "metric": "dice", "grace": 5}))
    assert len(found) == 5


def test_a_mistake_of_the_command_line_is_told_there(write_config: Callable[..., Path]) -> None:
    path = write_config(tune={"space": LR})
    [found] = problems(path, "tune.space.data.batch_sise.choice=[1, 2]")
    assert found.startswith("command line: tune.space: data.batch_sise")
