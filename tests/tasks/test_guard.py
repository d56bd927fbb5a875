"""A training loss that is not finite: skipped as often as the config says, then the end; never learned from."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch.plugins import MixedPrecision
from monai.losses import DiceCELoss

from trainlib import fit, load_config
from trainlib.checkpoints.checkpoint import AtomicCheckpointIO
from trainlib.data.module import CSVDataModule
from trainlib.errors import ConfigError
from trainlib.folders.results import Run
from trainlib.tasks import SegmentationTask
from trainlib.tasks.guard import NonFiniteError

WriteConfig = Callable[..., Path]
Cli = Callable[..., subprocess.CompletedProcess[str]]

# Training batches are counted from 1, over the life of a process; the loss of those in BAD is not finite.
LOSS = """
import torch
from monai.losses import DiceCELoss

class Spoiled(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.inner, self.calls = DiceCELoss(to_onehot_y=True, softmax=True), 0

    def forward(self, logits, label):
        loss = self.inner(logits, label)
        if loss.requires_grad:
            self.calls += 1
            if self.calls in {bad}:
                return loss * float("{value}")
            losses.append(float(loss.detach()))
        return loss

losses = []

def get_loss(config):
    return Spoiled()
"""
SGD = {"optimizer": {"SGD": {"lr": 0.1}}, "scheduler": None}


@pytest.fixture
def spoiled(write_config: WriteConfig, tmp_path: Path) -> Callable[..., Path]:
    """Write a config whose loss is not finite for some training batches; three batches an epoch."""

    def write(bad: set[int], value: str = "nan", skip: int = 0, **sections: Any) -> Path:
        script = tmp_path / f"loss_{'_'.join(map(str, sorted(bad)))}_{value}.py"
        script.write_text(LOSS.format(bad=bad, value=value))
        common = {"data": {"test_csv": None}, "patch": {"loss": str(script)}, "progress": None}
        return write_config(**common | {"trainer_guard": {"max_nonfinite": skip}} | sections)

    return write


def state_of(run: Run) -> dict[str, Any]:
    """The content of the last checkpoint."""
    state: dict[str, Any] = torch.load(run.folder.last, weights_only=True)
    return state


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was told of batches that were skipped."""
    return [record.getMessage() for record in caplog.records if "The batch is skipped" in record.getMessage()]


def cases(epoch: int, batch: int) -> str:
    """The cases of a training batch of two, for seed 42, as they are told."""
    order = np.random.default_rng((42, epoch)).permutation(6)[2 * batch : 2 * batch + 2]
    return ", ".join(f"train.csv:{i + 2} (case_{i:03}.nii.gz)" for i in order)


def test_by_default_the_first_loss_that_is_not_finite_ends_the_run(spoiled: Callable[..., Path], cli: Cli) -> None:
    path = spoiled({5}, optimizer={"AdamW": {"lr": 0.02}})
    done = cli("fit", "-c", path)
    last = path.parent / "runs" / "tiny" / "checkpoints" / "last.ckpt"
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1] == (
        f"epoch 2/2, step 4: the loss is nan for {cases(1, 1)}. Lower optimizer.AdamW.lr (now 0.02), set "
        "trainer.gradient_clip_val (to 1.0, say), or look for faults in the images with `trainlib check`. The last "
        f"good checkpoint is in place: go on from it with other settings and `--ckpt_path {last}`."
    )
    state = torch.load(last, weights_only=True)
    assert state["epoch"] == 0
    assert all(bool(value.isfinite().all()) for value in state["state_dict"].values())


def test_without_a_finished_epoch_no_checkpoint_is_named(spoiled: Callable[..., Path]) -> None:
    trainer = {"gradient_clip_val": 0.5, "precision": "bf16-mixed"}
    config = load_config(spoiled({1}, "inf", scheduler={"OneCycleLR": {"max_lr": 0.1}}, trainer=trainer))
    with pytest.raises(NonFiniteError) as caught:
        fit(config)
    assert str(caught.value) == (
        f"epoch 1/2, step 0: the loss is inf for {cases(0, 0)}. Lower scheduler.OneCycleLR.max_lr (now 0.1), lower "
        "trainer.gradient_clip_val (now 0.5), set trainer.precision to 32-true (now bf16-mixed), or look for faults in "
        "the images with `trainlib check`. No epoch was finished, so that there is no checkpoint to continue from."
    )


def test_skipped_batches_are_told_and_leave_the_mean_and_the_schedule_alone(
    spoiled: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "trainlib")
    run = fit(load_config(spoiled({2, 6}, skip=2)))
    assert messages(caplog) == [
        f"epoch 1/2, step 1: the loss is nan for {cases(0, 1)}. The batch is skipped (1 of 2).",
        f"epoch 2/2, step 5: the loss is nan for {cases(1, 2)}. The batch is skipped (2 of 2).",
    ]
    [losses] = [
        module.losses for module in sys.modules.values() if getattr(module, "__file__", "") == run.config.patch.loss
    ]
    assert len(losses) == 4
    assert run.metrics["train/loss"].tolist() == pytest.approx([np.mean(losses[:2]), np.mean(losses[2:])])
    planned = fit(load_config(spoiled(set(), skip=2)))
    assert run.metrics["lr-AdamW"].tolist() == planned.metrics["lr-AdamW"].tolist()
    assert run.metrics["step"].tolist() == [3, 6]
    assert state_of(run)["trainlib"]["nonfinite"] == 2


def test_one_more_than_may_be_skipped_ends_the_run_also_when_it_was_resumed(spoiled: Callable[..., Path]) -> None:
    path = spoiled({2, 5}, skip=1, trainer={"max_epochs": 3})
    with pytest.raises(NonFiniteError, match=r"epoch 2/3, step 4: .* 1 batch was skipped before"):
        fit(load_config(path))
    # In a new process the second batch that the loss sees is again the fifth of the training.
    with pytest.raises(NonFiniteError, match=r"epoch 2/3, step 4: .* 1 batch was skipped before"):
        fit(load_config(path), ckpt_path="last")
    resumed = fit(load_config(path, ["trainer_guard.max_nonfinite=3"]), ckpt_path="last")
    assert state_of(resumed)["trainlib"]["nonfinite"] == 3


def test_a_batch_that_is_skipped_changes_no_weight(spoiled: Callable[..., Path]) -> None:
    config = load_config(spoiled({1, 2, 3}, skip=3, trainer={"max_epochs": 1}, optimizer={"AdamW": {"lr": 1.0}}))
    run = fit(config)
    fresh = SegmentationTask(run.config)
    fresh.configure_model()
    after = state_of(run)["state_dict"]
    assert all(torch.equal(value, after[f"network.{name}"]) for name, value in fresh.network.state_dict().items())
    assert "train/loss" not in run.metrics


def test_an_epoch_of_which_all_is_skipped_has_no_training_loss(spoiled: Callable[..., Path]) -> None:
    config = load_config(spoiled({4, 5, 6}, skip=3, trainer={"max_epochs": 3}, checkpoint={"monitor": "train/loss"}))
    losses = fit(config).metrics["train/loss"]
    assert losses.isna().tolist() == [False, True, False]


@pytest.mark.parametrize("bad", [1, 2])
def test_of_accumulated_batches_the_others_count(spoiled: Callable[..., Path], bad: int) -> None:
    model = {"UNet": {"channels": [4, 8], "strides": [2], "num_res_units": 1}}  # no dropout
    sections = {"model": model, **SGD, "data": {"batch_size": 3, "test_csv": None}}
    config = load_config(spoiled({bad}, skip=1, trainer={"max_epochs": 1, "accumulate_grad_batches": 2}, **sections))
    after = state_of(fit(config))["state_dict"]
    by_hand = SegmentationTask(config)
    by_hand.configure_model()
    module = CSVDataModule(config)
    module.setup("fit")
    batch = [*module.train_dataloader()][2 - bad]
    loss = DiceCELoss(to_onehot_y=True, softmax=True)(by_hand.network(batch["image"]), batch["label"].long())
    (loss / 2).backward()
    for name, weight in by_hand.network.named_parameters():
        torch.testing.assert_close(after[f"network.{name}"], weight.detach() - 0.1 * weight.grad)


def test_gradients_that_overflow_under_fp16_are_no_loss_that_does(
    spoiled: Callable[..., Path], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level("INFO", "trainlib")

    def plugins(given: Any) -> list[Any]:
        """Lightning's fp16 with a GradScaler, which torch has for the CPU too."""
        return [AtomicCheckpointIO(), MixedPrecision("16-mixed", "cpu", torch.amp.GradScaler("cpu", 2.0**60))]

    monkeypatch.setattr("trainlib.trainer.precision_plugin", lambda _: True)
    monkeypatch.setattr("trainlib.trainer._plugins", plugins)
    run = fit(load_config(spoiled({2}, "inf", skip=1)))
    state = state_of(run)
    assert len(messages(caplog)) == 1
    # Of five steps that were made all gradients overflowed; the one that was skipped did not touch the scale.
    assert state["MixedPrecision"]["scale"] == 2.0**55
    assert all(bool(value.isfinite().all()) for value in state["state_dict"].values())


def test_weights_that_are_not_finite_end_the_run_whatever_may_be_skipped(
    write_config: WriteConfig, tmp_path: Path
) -> None:
    script = tmp_path / "optimizer.py"
    script.write_text(
        "import torch\n"
        "class Bad(torch.optim.SGD):\n"
        "    def step(self, closure=None):\n"
        "        value = super().step(closure)\n"
        "        self.param_groups[0]['params'][0].data[0] = float('nan')\n"
        "        return value\n"
        "def get_optimizer(config, parameters):\n"
        "    return Bad(parameters, lr=0.1)\n"
    )
    config = load_config(
        write_config(patch={"optimizer": str(script)}, scheduler=None, trainer_guard={"max_nonfinite": 100})
    )
    with pytest.raises(NonFiniteError, match=r"^epoch 1/2, step 1: the loss is nan for .* An earlier step has"):
        fit(config)
    alone = config.model_copy(update={"data": config.data.model_copy(update={"batch_size": 6})})
    with pytest.raises(NonFiniteError, match=r"^epoch 1/2, step 1: An earlier step .* in " + str(script)) as caught:
        fit(alone)
    assert "there is no checkpoint to continue from" in str(caught.value)
    assert not list((tmp_path / "runs" / "tiny_2" / "checkpoints").glob("*"))


def test_the_number_of_batches_that_may_be_skipped_is_not_negative(write_config: WriteConfig) -> None:
    with pytest.raises(ConfigError, match=r"trainer_guard\.max_nonfinite: expected a number not below 0, found -1"):
        load_config(write_config(trainer_guard={"max_nonfinite": -1}))
