"""Arguments of Lightning's Trainer that it refuses, or takes and cannot use."""

from __future__ import annotations

import pytest

from tests.hostile.place import Place, nothing
from tests.hostile.runner import FIT, Row, check

REFUSES = "lightning.Trainer refuses"

# Settings as they are written on the command line -> what is said of them behind `command line: trainer.`.
TOLD = {
    "acelerator=cpu": "acelerator is not an argument of lightning.Trainer. Did you mean trainer.accelerator?",
    "num_epochs=3": "num_epochs is not an argument of lightning.Trainer. Did you mean trainer.max_epochs?",
    "callbacks=[]": "callbacks is set by trainlib. Use the section callbacks.",
    "max_epochs=many": "max_epochs: expected a positive integer, found 'many'.",
    "accelerator=gpuu": f"accelerator: {REFUSES} 'gpuu': ValueError: You selected an invalid accelerator name: ...",
    "gpus=1": "gpus is not an argument of lightning.Trainer. Write `accelerator: gpu` and `devices: 1`.",
    "precision=fp16": "precision: expected 64 or 32 or 16 or ... or null, found 'fp16'. Did you mean 16-mixed?",
    "gradient_clip_val=0,5": "gradient_clip_val: expected an integer ... found '0,5'. Write a decimal point.",
    "precision=17": "precision: expected 64 or 32 or 16 or ... or null, found 17.",
    "devices=0": f"devices: {REFUSES} 0: MisconfigurationException: `Trainer(devices=0)` value is not a ...",
    "strategy=some": "strategy: expected auto, single_device, ddp or fsdp, found some: a run knows no other.",
    "profiler=some": f"profiler: {REFUSES} 'some': MisconfigurationException: ... it can only be one of ...",
    "max_time=tomorrow": f"max_time: {REFUSES} 'tomorrow': MisconfigurationException: ... DD:HH:MM:SS.",
    "max_steps=-5": f"max_steps: {REFUSES} -5: MisconfigurationException: `max_steps` must be ...",
    "max_steps=0": "max_steps: expected 1 or more, or -1 for no limit, found 0: nothing would be trained.",
    "limit_train_batches=1.5": f"limit_train_batches: {REFUSES} 1.5: MisconfigurationException: ...",
    "limit_train_batches=few": "limit_train_batches: expected an integer or a number or null, found 'few'.",
    "limit_train_batches=0": "limit_train_batches: expected more than 0, found 0: nothing would be trained. ...",
    "limit_val_batches=0": "limit_val_batches: expected more than 0, found 0: the best checkpoint is chosen by ...",
    "accumulate_grad_batches=0": "accumulate_grad_batches: expected 1 or more, found 0: ...",
    "accumulate_grad_batches=some": "accumulate_grad_batches: expected an integer, found 'some'.",
    "check_val_every_n_epoch=0": "check_val_every_n_epoch: expected 1 or more, found 0: ...",
    "val_check_interval=0": "val_check_interval: expected 1 or more batches, or a share of an epoch up to 1.0, ...",
    "val_check_interval=9": "val_check_interval: expected 1 at most, for an epoch has no more batches, found 9.",
    "gradient_clip_val=-1": "gradient_clip_val: expected 0 or more, found -1: a negative one would turn the ...",
    "gradient_clip_algorithm=some": f"gradient_clip_algorithm: {REFUSES} 'some': MisconfigurationException: ...",
    "detect_anomaly=some": "detect_anomaly: expected true or false, found 'some'.",
    "log_every_n_steps=some": "log_every_n_steps: expected an integer or null, found 'some'.",
    "fast_dev_run=true": "fast_dev_run: expected false, found true: it switches checkpoints and logs off. ...",
}

ROWS = [
    *(Row(f"trainer.{setting}", nothing, (f"command line: trainer.{told}",), (*FIT, f"trainer.{setting}"))
      for setting, told in TOLD.items()),
    Row("three arguments that are refused", nothing,
        ("command line: trainer.accelerator: lightning.Trainer refuses 'gpuu': ...",
         "command line: trainer.max_time: lightning.Trainer refuses 'tomorrow': ...",
         "command line: trainer.max_steps: lightning.Trainer refuses -5: ..."),
        (*FIT, "trainer.accelerator=gpuu", "trainer.max_time=tomorrow", "trainer.max_steps=-5")),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_wrong_argument_of_the_trainer_is_told(row: Row, place: Place) -> None:
    check(row, place)
