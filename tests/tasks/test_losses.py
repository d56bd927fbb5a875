"""The training loss of an epoch: the mean over its cases, of whole and of broken epochs, and of none."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from trainlib import fit, load_config
from trainlib.tasks.losses import MeanLoss

# Notes each loss of a training step, and of how many cases.
SCRIPT = """
import torch
from monai.losses import DiceCELoss

noted = []

class Noted(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = DiceCELoss(to_onehot_y=True, softmax=True)

    def forward(self, logits, label):
        loss = self.inner(logits, label)
        if loss.requires_grad:
            with open({file!r}, "a") as file:
                print(repr(float(loss.detach())), len(logits), file=file)
        return loss

def get_loss(config):
    return Noted()
"""


def test_batches_count_as_often_as_they_have_cases() -> None:
    mean = MeanLoss()
    assert math.isnan(mean.value)
    mean.add(2.0, 3)
    mean.add(4.0, 1)
    assert (mean.value, mean.cases) == (2.5, 4)


@pytest.mark.parametrize(
    ("batch_size", "trainer", "cases"),
    [(4, {"max_epochs": 1}, [4, 2]), (2, {"max_epochs": 5, "max_steps": 2}, [2, 2])],
    ids=["whole", "broken off"],
)
def test_each_case_of_an_epoch_counts(
    write_config: Callable[..., Path], tmp_path: Path, batch_size: int, trainer: dict[str, int], cases: list[int]
) -> None:
    losses, script = tmp_path / "losses.txt", tmp_path / "loss.py"
    script.write_text(SCRIPT.format(file=str(losses)))
    path = write_config(trainer=trainer, patch={"loss": str(script)}, data={"batch_size": batch_size})
    run = fit(load_config(path))
    noted = [line.split() for line in losses.read_text().splitlines()]
    assert [int(count) for _, count in noted] == cases
    mean = sum(float(loss) * int(count) for loss, count in noted) / sum(cases)
    assert run.metrics["train/loss"].tolist() == pytest.approx([mean], rel=1e-6)
