"""A run that is continued with another config: what can be honoured is, told and from the right moment on."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.optim.lr_scheduler import OneCycleLR

from trainlib import fit, load_config, trainer
from trainlib.build.resolve import ComponentError
from trainlib.data.dataset import TrainDataset
from trainlib.errors import CheckpointError, Interrupted
from trainlib.folders.results import Run

WriteConfig = Callable[..., Path]
Cli = Callable[..., subprocess.CompletedProcess[str]]
Continue = Callable[[dict[str, Any], dict[str, Any]], Run]

# After the first, no validation is an improvement.
NEVER = {"patience": 0, "threshold": 100.0, "threshold_mode": "abs"}
FOLLOWS = {
    "scheduler": {"ReduceLROnPlateau": {**NEVER, "factor": 0.5}},
    "checkpoint": {"monitor": "valid/loss"},
    "optimizer": {"SGD": {"lr": 0.01}},
}


@pytest.fixture
def go_on(write_config: WriteConfig) -> Continue:
    """Train with one config and continue with another; neither has a test."""

    def run(before: dict[str, Any], now: dict[str, Any]) -> Run:
        common: dict[str, Any] = {"progress": None}
        for sections in (before, now):
            sections.setdefault("data", {}).setdefault("test_csv", None)
        fit(load_config(write_config(**common | before)))
        return fit(load_config(write_config(**common | now)), ckpt_path="last")

    return run


def rates(run: Run) -> list[float]:
    """The learning rate at the beginning of each epoch, whichever optimizer it is of."""
    return run.metrics.filter(regex="^lr-").bfill(axis=1).iloc[:, 0].tolist()


def state_of(run: Run) -> dict[str, Any]:
    state: dict[str, Any] = torch.load(run.folder.last, weights_only=True)
    return state


def one_cycle(lr: float, steps: int) -> list[float]:
    """The rate before each step of torch's own schedule."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr, momentum=0.9)
    schedule = OneCycleLR(optimizer, max_lr=lr, total_steps=steps)
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return found


def test_what_differs_is_printed_line_by_line_and_honoured(write_config: WriteConfig, cli: Cli) -> None:
    fit(load_config(write_config(data={"test_csv": None}, progress=None)))
    train = [
        {"SpatialPadd": {"spatial_size": [16, 16, 8]}},
        {"RandSpatialCropd": {"roi_size": [16, 16, 8]}},
        {"RandFlipd": {"spatial_axis": 1, "prob": 0.9}},
        {"RandGaussianNoised": {"std": 0.1}},
        {"RandZoomd": {"prob": 0.3}},
    ]
    path = write_config(
        data={"test_csv": None, "batch_size": 3},
        progress=None,
        seed=7,
        loss="DiceLoss",
        optimizer={"AdamW": {"lr": 0.05}},
        early_stopping={"patience": 9},
        trainer={"max_epochs": 3},
        transforms={"train": train},
    )
    done = cli("fit", "-c", path, "--ckpt_path", "last")
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stdout.splitlines() if ", in the checkpoint " in line] == [
        "data.batch_size: now 3, in the checkpoint 2.",
        "early_stopping.min_delta: now 0.0, in the checkpoint not set.",
        "early_stopping.patience: now 9, in the checkpoint not set.",
        "loss: now DiceLoss, in the checkpoint DiceCELoss(to_onehot_y=True, softmax=True).",
        "optimizer.AdamW.lr: now 0.05, in the checkpoint 0.01.",
        "seed: now 7, in the checkpoint 42.",
        "trainer.max_epochs: now 3, in the checkpoint 2.",
        "transforms.train[2].RandFlipd.prob: now 0.9, in the checkpoint not set.",
        "transforms.train[2].RandFlipd.spatial_axis: now 1, in the checkpoint 0.",
        "transforms.train[4]: now RandZoomd(prob=0.3), in the checkpoint not set.",
    ]
    rate = one_cycle(0.05, 6)[4]  # the fifth of two steps an epoch
    assert f"from step 6 on: the rate is {rate:g}." in done.stdout


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": {"UNet": {"channels": [4, 16], "strides": [2], "num_res_units": 1, "dropout": 0.1}}},
         r"^model\.UNet\.channels is \[4, 16\], but .*last\.ckpt was trained with \[4, 8\]\. Weights cannot"),
        ({"model": {"SegResNet": {"init_filters": 8}}},
         r"^model is SegResNet\(init_filters=8\), but .* was trained with UNet\(channels=\[4, 8\], strides=\[2\], "),
        ({"data": {"classes": ["background", "organ"], "label_map": {2: 1}}},
         r"^data\.classes is \['background', 'organ'\], but .* was trained with \['background', 'organ', 'lesion'\]"),
    ],
    ids=["another width", "another network", "fewer classes"],
)  # fmt: skip
def test_another_network_or_number_of_classes_is_refused_with_the_key(
    write_config: WriteConfig, change: dict[str, Any], message: str
) -> None:
    run = fit(load_config(write_config(data={"test_csv": None}, trainer={"max_epochs": 1}, progress=None)))
    before = run.folder.last.read_bytes()
    with pytest.raises(CheckpointError, match=message):
        fit(load_config(write_config(trainer={"max_epochs": 2}, **change)), ckpt_path="last")
    assert run.folder.last.read_bytes() == before


def test_another_rate_of_dropout_is_another_setting_and_not_another_network(
    go_on: Continue, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "trainlib")
    network = {"channels": [4, 8], "strides": [2], "num_res_units": 1}
    run = go_on(
        {"model": {"UNet": network | {"dropout": 0.1}}, "trainer": {"max_epochs": 1}},
        {"model": {"UNet": network | {"dropout": 0.4}}, "trainer": {"max_epochs": 2}},
    )
    assert "model.UNet.dropout: now 0.4, in the checkpoint 0.1." in caplog.messages
    assert len(run.metrics) == 2


def test_another_precision_is_told_though_nobody_has_asked_for_it(
    write_config: WriteConfig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "trainlib")
    path = write_config(data={"test_csv": None}, progress=None)
    fit(load_config(path, ["trainer.max_epochs=1"]))
    fit(load_config(path, ["trainer.max_epochs=2"]), ckpt_path="last")
    assert not any(text.startswith("Precision: ") for text in caplog.messages)
    monkeypatch.setattr(trainer, "precision", lambda _: "bf16-mixed")  # as on a GPU
    fit(load_config(path, ["trainer.max_epochs=3"]), ckpt_path="last")
    assert "Precision: now bf16-mixed, in the checkpoint 32-true." in caplog.messages


@pytest.mark.parametrize(("size", "steps"), [(1, 6), (6, 1)], ids=["smaller batches", "larger batches"])
def test_a_schedule_over_steps_is_where_it_had_been_with_the_batch_size_of_now(
    go_on: Continue, size: int, steps: int
) -> None:
    sgd = {"optimizer": {"SGD": {"lr": 0.01}}, "scheduler": "OneCycleLR"}
    run = go_on(
        {**sgd, "trainer": {"max_epochs": 2}},
        {**sgd, "trainer": {"max_epochs": 4}, "data": {"batch_size": size}},
    )
    planned = one_cycle(0.01, 4 * steps)
    assert rates(run)[2:] == pytest.approx([planned[2 * steps], planned[3 * steps]])
    [schedule] = state_of(run)["lr_schedulers"]
    assert (schedule["last_epoch"], schedule["total_steps"]) == (4 * steps, 4 * steps)


def test_with_a_limit_of_steps_the_steps_that_were_made_count(go_on: Continue) -> None:
    sgd = {"optimizer": {"SGD": {"lr": 0.01}}, "scheduler": "OneCycleLR"}
    run = go_on(
        {**sgd, "trainer": {"max_epochs": 2}},
        {**sgd, "trainer": {"max_epochs": 50, "max_steps": 9}},
    )
    assert rates(run)[2:] == pytest.approx([one_cycle(0.01, 9)[6]])


def test_a_schedule_that_ends_before_the_training_is_refused_at_its_beginning(write_config: WriteConfig) -> None:
    config = load_config(write_config(scheduler={"OneCycleLR": {"total_steps": 5}}))
    with pytest.raises(ComponentError, match=r"^scheduler\.OneCycleLR: the schedule ends after 5 steps, .* 6\. Leave"):
        fit(config)


def test_fewer_epochs_than_there_are_leave_nothing_to_train(go_on: Continue, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "trainlib")
    run = go_on({"trainer": {"max_epochs": 3}}, {"trainer": {"max_epochs": 2}})
    assert "3 epochs are trained, and trainer.max_epochs is 2: none is left." in caplog.messages
    assert len(run.metrics) == 3
    assert state_of(run)["epoch"] == 2


def test_a_schedule_that_follows_a_metric_continues_to_the_bit(
    write_config: WriteConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    get = TrainDataset.__getitem__
    seen: list[Any] = []

    def interrupted(self: TrainDataset, draw: Any) -> Any:
        seen.append(draw)
        if len(seen) == 15:  # in the third epoch of six cases
            raise Interrupted(15)
        return get(self, draw)

    config = load_config(write_config(**FOLLOWS, data={"test_csv": None}, trainer={"max_epochs": 5}, progress=None))
    monkeypatch.setattr(TrainDataset, "__getitem__", interrupted)
    with pytest.raises(Interrupted):
        fit(config)
    monkeypatch.setattr(TrainDataset, "__getitem__", get)
    resumed = fit(config, ckpt_path="last")
    # The first validation is better than none, and none after it is better than that.
    assert rates(resumed) == pytest.approx([0.01, 0.01, 0.005, 0.0025, 0.00125], rel=1e-6)
    straight = fit(config)
    theirs = state_of(straight)["state_dict"]
    assert all(torch.equal(value, theirs[name]) for name, value in state_of(resumed)["state_dict"].items())


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"trainer": {"max_epochs": 5}}, [0.0025, 0.00125]),
        ({"scheduler": {"ReduceLROnPlateau": {**NEVER, "factor": 0.1}}}, [0.0025, 0.00025]),
        ({"optimizer": {"SGD": {"lr": 0.2}}}, [0.2, 0.1]),
        ({"optimizer": {"AdamW": {"lr": 0.2}}}, [0.2, 0.2]),
        ({"scheduler": None}, [0.01, 0.01]),
        ({"loss": "DiceLoss"}, [0.0025, 0.0025]),
    ],
    ids=["longer", "another factor", "another rate", "another optimizer", "none", "another loss"],
)
def test_a_schedule_that_follows_a_metric_goes_on_from_the_rate_it_has_reached(
    go_on: Continue, change: dict[str, Any], expected: list[float]
) -> None:
    run = go_on({**FOLLOWS, "trainer": {"max_epochs": 3}}, {**FOLLOWS, "trainer": {"max_epochs": 5}, **change})
    assert rates(run)[:3] == pytest.approx([0.01, 0.01, 0.005], rel=1e-6)
    assert rates(run)[3:] == pytest.approx(expected, rel=1e-6)


def test_a_schedule_that_follows_a_metric_waits_for_the_epochs_that_have_one(write_config: WriteConfig) -> None:
    settings = {"max_epochs": 6, "check_val_every_n_epoch": 2}
    config = load_config(write_config(**FOLLOWS, data={"test_csv": None}, trainer=settings, progress=None))
    assert rates(fit(config)) == pytest.approx([0.01] * 4 + [0.005] * 2, rel=1e-6)


def test_a_rate_that_was_changed_inside_a_patch_script_is_honoured(
    write_config: WriteConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "optimizer.py"
    text = "import torch\ndef get_optimizer(config, parameters):\n    return torch.optim.SGD(parameters, lr={})\n"
    script.write_text(text.format(0.01))
    sections = {"patch": {"optimizer": str(script)}, "scheduler": None, "data": {"test_csv": None}, "progress": None}
    fit(load_config(write_config(**sections, trainer={"max_epochs": 1})))
    script.write_text(text.format(0.3))
    for name in [name for name in sys.modules if name.startswith("trainlib_patch_")]:
        monkeypatch.delitem(sys.modules, name)  # as in a new process
    run = fit(load_config(write_config(**sections, trainer={"max_epochs": 2})), ckpt_path="last")
    assert rates(run) == pytest.approx([0.01, 0.3])


def test_early_stopping_that_was_added_counts_from_now_on(go_on: Continue) -> None:
    frozen = {"optimizer": {"SGD": {"lr": 1e-12}}, "scheduler": None}
    run = go_on(
        {**frozen, "trainer": {"max_epochs": 2}},
        {**frozen, "trainer": {"max_epochs": 9}, "early_stopping": {"patience": 2}},
    )
    assert len(run.metrics) == 2 + 1 + 2  # the first one there is to compare with, and two that are no better


def test_early_stopping_that_was_taken_out_stops_nothing(go_on: Continue) -> None:
    frozen = {"optimizer": {"SGD": {"lr": 1e-12}}, "scheduler": None}
    run = go_on(
        {**frozen, "trainer": {"max_epochs": 9}, "early_stopping": {"patience": 1}},
        {**frozen, "trainer": {"max_epochs": 4}},
    )
    assert len(run.metrics) == 4


def test_scores_by_another_loss_are_not_compared(go_on: Continue, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "trainlib")
    by_loss = {"checkpoint": {"monitor": "valid/loss"}, "early_stopping": {"patience": 1}, "scheduler": None}
    frozen = {"optimizer": {"SGD": {"lr": 1e-12}}}
    run = go_on(
        {**by_loss, **frozen, "loss": "DiceLoss", "trainer": {"max_epochs": 9}},
        {**by_loss, **frozen, "loss": {"DiceCELoss": {"lambda_ce": 50.0}}, "trainer": {"max_epochs": 9}},
    )
    assert "valid/loss is computed in another way than before: the best checkpoint is chosen anew." in caplog.messages
    assert len(run.metrics) == 2 + 2
    assert run.metrics["valid/loss"].diff().tolist()[2] > 10  # which would never have been the best
    assert torch.load(run.folder.best, weights_only=True)["epoch"] == 2


def test_another_seed_draws_other_augmentation_from_the_next_epoch_on(go_on: Continue) -> None:
    same = go_on({"trainer": {"max_epochs": 1}}, {"trainer": {"max_epochs": 2}})
    other = go_on({"trainer": {"max_epochs": 1}}, {"trainer": {"max_epochs": 2}, "seed": 43})
    first, second = (run.metrics["train/loss"].to_numpy() for run in (same, other))
    assert first[0] == second[0]
    assert not np.isclose(first[1], second[1], rtol=1e-4)


WITH_NUMPY = """
import numpy as np, torch
class Cosine(torch.optim.lr_scheduler.LambdaLR):
    def __init__(self, optimizer, T=10):
        super().__init__(optimizer, lambda epoch: 0.5 * (1 + np.cos(np.pi * epoch / T)))
def get_optimizer(config, parameters):
    return torch.optim.AdamW(parameters, lr=np.sqrt(1e-4))
"""


def test_numpy_in_optimizer_and_schedule_is_no_obstacle(
    go_on: Continue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "with_numpy.py").write_text(WITH_NUMPY)
    monkeypatch.syspath_prepend(tmp_path)
    sections = {"scheduler": "with_numpy.Cosine", "patch": {"optimizer": str(tmp_path / "with_numpy.py")}}
    run = go_on(sections, {**sections, "trainer": {"max_epochs": 4}})
    expected = [0.01 * (1 + np.cos(np.pi * epoch / 10)) / 2 for epoch in range(4)]
    assert rates(run) == pytest.approx(expected, rel=1e-6)
    assert run.scores("valid")
    assert type(state_of(run)["optimizer_states"][0]["param_groups"][0]["lr"]) is float


SELDOM = {"max_epochs": 6, "val_check_interval": 5, "check_val_every_n_epoch": None}  # in the 2nd, 4th and 5th epoch
MOVES = {**FOLLOWS, "scheduler": {"ReduceLROnPlateau": {**NEVER, "factor": 0.5}}}


def test_a_schedule_that_follows_a_metric_is_stepped_only_in_epochs_with_a_validation(
    go_on: Continue, write_config: WriteConfig
) -> None:
    sections: dict[str, Any] = {**MOVES, "progress": None, "data": {"test_csv": None}, "trainer": SELDOM}
    straight = fit(load_config(write_config(run={"name": "straight"}, **sections)))
    assert straight.metrics["valid/loss"].notna().tolist() == [False, True, False, True, True, False]
    assert rates(straight) == pytest.approx([0.01, 0.01, 0.01, 0.01, 0.005, 0.0025])
    resumed = go_on({**sections, "trainer": {**SELDOM, "max_epochs": 3}}, sections)
    assert rates(resumed) == rates(straight)
