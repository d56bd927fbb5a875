"""The config of a debug run."""

from __future__ import annotations

from typing import Any

from trainlib.config.debug import debug_config
from trainlib.config.load import dump_config
from trainlib.config.schema import Config


def config(**sections: Any) -> Config:
    data = {"train_csv": "a", "valid_csv": "b", "classes": ["a", "b"]}
    return Config.model_validate({"data": data | sections.pop("data", {})} | sections)


def probs(train: list[Any], prob: float = 0.2) -> list[Any]:
    changed = debug_config(config(transforms={"train": train, "prob": prob}))
    return [component.model_dump() for component in changed.transforms.train]


def test_two_epochs_on_five_cases_under_a_name_of_its_own() -> None:
    changed = debug_config(config(run={"name": "heart"}))
    assert changed.trainer == {"max_epochs": 2, "check_val_every_n_epoch": 1}
    assert changed.data.limit_cases == 5
    assert changed.run.name == "heart_debug"


def test_what_shortens_or_lengthens_epochs_is_dropped_and_the_rest_of_the_trainer_stays() -> None:
    lengths = {"limit_train_batches": 3, "limit_val_batches": 0.1, "max_steps": 9, "min_epochs": 7, "max_time": "1"}
    lengths |= {"fast_dev_run": True, "overfit_batches": 1, "val_check_interval": 0.5}
    changed = debug_config(config(trainer={"max_epochs": 300, "precision": "16-mixed", **lengths}))
    assert changed.trainer == {"max_epochs": 2, "check_val_every_n_epoch": 1, "precision": "16-mixed"}


def test_every_random_transform_happens() -> None:
    assert debug_config(config(transforms={"prob": 0.1})).transforms.prob == 1
    flip, crop = {"RandFlipd": {"prob": 0.3, "spatial_axis": 0}}, {"RandSpatialCropd": {"roi_size": [8, 8, 8]}}
    assert probs([flip, crop]) == [{"RandFlipd": {"prob": 1.0, "spatial_axis": 0}}, crop]


def test_transforms_within_transforms_happen_too() -> None:
    inner = {"transforms": [{"MyNoised": {"prob": 0.3}}, {"MyFlipd": {"prob": 0.1, "axes": [0, 1]}}]}
    assert probs([{"OneOf": inner}]) == [
        {"OneOf": {"transforms": [{"MyNoised": {"prob": 1.0}}, {"MyFlipd": {"prob": 1.0, "axes": [0, 1]}}]}}
    ]


def test_what_is_switched_off_stays_off() -> None:
    assert probs([{"RandFlipd": {"prob": 0}}], prob=0) == [{"RandFlipd": {"prob": 0}}]
    assert debug_config(config(transforms={"prob": 0})).transforms.prob == 0


def test_nothing_is_sent_measured_or_reported() -> None:
    changed = debug_config(config(pushover={"credentials": "secret.yaml"}, early_stopping={"patience": 3}))
    assert (changed.pushover, changed.emissions, changed.early_stopping, changed.report) == (None, None, None, None)


def test_all_else_stays() -> None:
    before = config(data={"batch_size": 7}, optimizer={"SGD": {"lr": 0.1}}, scheduler=None, seed=3)
    after = debug_config(before)
    same = ("seed", "task", "model", "loss", "optimizer", "scheduler", "inferer", "metrics", "checkpoint", "patch")
    assert {name: getattr(after, name) for name in same} == {name: getattr(before, name) for name in same}
    assert after.data == before.data.model_copy(update={"limit_cases": 5})
    assert after.transforms.base == before.transforms.base


def test_a_smaller_number_of_cases_is_kept_and_the_config_is_a_fixed_point() -> None:
    once = debug_config(config(data={"limit_cases": 2}, run={"name": "heart"}))
    assert once.data.limit_cases == 2
    assert debug_config(once) == once


def test_the_config_is_a_valid_one() -> None:
    changed = debug_config(config(transforms={"train": [{"RandFlipd": {"prob": 0.3}}]}))
    assert Config.model_validate(changed.model_dump()) == changed
    assert "limit_cases: 5" in dump_config(changed)
