from __future__ import annotations

from typing import Any

import pytest

from tests.build.helpers import config
from trainlib.build.check import check_trainer
from trainlib.build.trainer import trainer_mistakes


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("strategy", "ddp_spawn", "expected auto, single_device, ddp or fsdp, found ddp_spawn: a run knows no other."),
        ("strategy", "ddp_notebook", "expected auto, single_device, ddp or fsdp, found ddp_notebook: "),
        ("strategy", "deepspeed_stage_2", "expected auto, single_device, ddp or fsdp, found deepspeed_stage_2: "),
        ("fast_dev_run", True, "expected false, found true: it switches checkpoints and logs off. "),
        ("fast_dev_run", 3, "expected false, found 3: it switches checkpoints and logs off. "),
        ("overfit_batches", 1, "expected 0, found 1: it replaces the order of the cases. "),
        ("overfit_batches", 0.5, "expected 0, found 0.5: it replaces the order of the cases. "),
        ("limit_val_batches", 0, "expected more than 0, found 0: the best checkpoint is chosen by the validation. "),
        ("limit_val_batches", 0.0, "expected more than 0, found 0.0: the best checkpoint is chosen by"),
        ("limit_test_batches", 0, "expected more than 0, found 0: there would be no scores. "),
    ],
)
def test_a_value_that_a_run_cannot_use_is_refused_with_its_remedy(name: str, value: Any, expected: str) -> None:
    [(key, text)] = check_trainer(config(trainer={"max_epochs": 1, name: value}))
    assert key == ("trainer", name)
    assert text.startswith(f"trainer.{name}: {expected}")


@pytest.mark.parametrize(
    "arguments",
    [
        {"devices": 1, "num_nodes": 1, "strategy": "auto"},
        {"devices": "auto"},
        {"devices": "1"},
        {"devices": [1]},
        {"devices": "1,"},
        {"devices": None, "strategy": "single_device"},
        {"devices": -1, "strategy": "fsdp"},
        {"devices": [0, 1], "num_nodes": 2, "strategy": "ddp_find_unused_parameters_true"},
        {"fast_dev_run": False, "overfit_batches": 0, "limit_predict_batches": 0},
        {"limit_train_batches": 1, "limit_val_batches": 1, "limit_test_batches": 0.5},
    ],
)
def test_values_for_any_number_of_processes_and_a_whole_run_are_accepted(arguments: dict[str, Any]) -> None:
    assert list(trainer_mistakes(arguments)) == []
