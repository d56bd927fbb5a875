from __future__ import annotations

from typing import Any

import monai.inferers
import pytest
import torch
from torch.optim import lr_scheduler

from tests.build.helpers import config
from trainlib.build.components import (
    Horizon,
    build_inferer,
    build_loss,
    build_model,
    build_optimizer,
    build_scheduler,
)
from trainlib.build.resolve import ComponentError
from trainlib.errors import InputError, PatchError

HORIZON = Horizon(epochs=7, steps=70)
SEGMENTING: list[tuple[str, dict[str, Any]]] = [
    ("UNet", {"channels": [4, 8], "strides": [2]}),
    ("AttentionUnet", {"channels": [4, 8], "strides": [2]}),
    ("DynUNet", {"kernel_size": [3, 3, 3], "strides": [1, 2, 2], "upsample_kernel_size": [2, 2]}),
    ("BasicUNet", {"features": [4, 4, 8, 8, 16, 4]}),
    ("BasicUNetPlusPlus", {"features": [4, 4, 8, 8, 16, 4]}),
    ("SegResNet", {}),
    ("SegResNetVAE", {}),
    ("VNet", {}),
    ("HighResNet", {}),
    ("MedNeXtS", {}),
    ("FlexibleUNet", {"backbone": "efficientnet-b0"}),
    ("AutoEncoder", {"channels": [4, 8], "strides": [2, 2]}),
    ("RegUNet", {"num_channel_initial": 4, "depth": 2}),
]
CLASSIFYING: list[tuple[str, dict[str, Any]]] = [
    ("DenseNet121", {}),
    ("resnet18", {}),
    ("SEResNet50", {}),
    ("EfficientNetBN", {"model_name": "efficientnet-b0", "pretrained": False}),
]


def _output(name: str, kwargs: dict[str, Any], dims: int) -> tuple[int, ...]:
    """Return the shape that a network gives for two cases of two channels; nothing is computed."""
    crop = {"RandSpatialCropd": {"roi_size": [64] * dims}}
    made = config({"spatial_dims": dims}, model={name: kwargs}, transforms={"train": [crop]})
    with torch.device("meta"):
        network, image = build_model(made), torch.zeros(2, 2, *[64] * dims)
    output = network.to("meta").eval()(image)
    while isinstance(output, list | tuple):
        output = output[0]
    return tuple(output.shape)


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize(("name", "kwargs"), SEGMENTING, ids=[name for name, _ in SEGMENTING])
def test_a_segmenting_network_takes_the_channels_and_gives_the_classes(
    name: str, kwargs: dict[str, Any], dims: int
) -> None:
    assert _output(name, kwargs, dims) == (2, 3, *[64] * dims)


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize(("name", "kwargs"), CLASSIFYING, ids=[name for name, _ in CLASSIFYING])
def test_a_classifying_network_takes_the_channels_and_gives_the_classes(
    name: str, kwargs: dict[str, Any], dims: int
) -> None:
    assert _output(name, kwargs, dims) == (2, 3)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"DenseNet121": {"dropout_prb": 0.1}},
         "model.DenseNet121.dropout_prb is not a keyword of DenseNet121. Did you mean dropout_prob?"),
        ({"resnet18": {"spatial_dim": 3}}, "model.resnet18.spatial_dim is not a keyword of resnet18. Did you mean "
         "spatial_dims?"),
        ("drop_connect", "model.drop_connect: drop_connect needs the keyword inputs."),
        ({"get_efficientnet_image_size": {"model_name": "efficientnet-b0"}},
         "model.get_efficientnet_image_size returned int, expected a torch.nn.Module."),
        ("builtins.dict", "model: builtins.dict is not a known model: it does not derive from torch.nn.Module."),
        ("math.sqrt", "model: math.sqrt is not a known model: it is a function of Python itself."),
    ],
)  # fmt: skip
def test_what_is_no_network_is_one_sentence(spec: Any, expected: str) -> None:
    with pytest.raises(InputError) as caught:
        build_model(config(model=spec))
    assert str(caught.value).startswith(expected)
    assert not isinstance(caught.value, PatchError)


def test_the_default_loss_takes_logits_and_a_label_map() -> None:
    loss = build_loss(config())
    logits, label = torch.zeros(2, 3, 4, 4, 4), torch.zeros(2, 1, 4, 4, 4)
    # Cross entropy of three equal logits is log 3; soft Dice of background 1/3 on all of it 2/3 / (4/3), of others 0.
    dice = (1 - (2 / 3) / (4 / 3) + 1 + 1) / 3
    assert float(loss(logits, label)) == pytest.approx(dice + torch.log(torch.tensor(3.0)).item(), abs=1e-3)


@pytest.mark.parametrize("spec", [{"DiceLoss": {"sofmax": True}}, {"DiceLoss": {"sigmoid": True, "softmax": True}}])
def test_wrong_keywords_of_a_loss_are_refused(spec: Any) -> None:
    with pytest.raises(ComponentError, match=r"^loss.DiceLoss(.sofmax is not a keyword|: DiceLoss refuses these keyw)"):
        build_loss(config(loss=spec))


def test_the_optimizer_gets_the_parameters_and_its_keywords() -> None:
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = build_optimizer(config(optimizer={"SGD": {"lr": 0.5, "momentum": 0.9}}), iter([parameter]))
    assert type(optimizer) is torch.optim.SGD
    [group] = optimizer.param_groups
    assert (group["params"], group["lr"], group["momentum"]) == ([parameter], 0.5, 0.9)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (
            {"Adam": {"learning_rate": 0.1}},
            r"^optimizer.Adam.learning_rate is not a keyword of Adam. Choose from: amsgrad",
        ),
        ({"Adam": {"params": []}}, r"^optimizer.Adam.params is not a keyword of Adam."),
        ({"SGD": {"lr": -1}}, r"^optimizer.SGD: SGD refuses these keywords: ValueError: Invalid learning rate: -1.$"),
        ("adam", r"^optimizer: adam is not a known optimizer. Did you mean Adam\?$"),
    ],
)
def test_a_wrong_optimizer_is_one_sentence(spec: Any, expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        build_optimizer(config(optimizer=spec), [torch.nn.Parameter(torch.zeros(1))])


def _schedule(spec: Any, optimizer: torch.optim.Optimizer | None = None, **sections: Any) -> dict[str, Any]:
    optimizer = optimizer or torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.25)
    schedule = build_scheduler(config(scheduler=spec, **sections), optimizer, HORIZON)
    assert schedule is not None
    return schedule


def test_no_schedule_is_none() -> None:
    assert build_scheduler(config(scheduler=None), torch.optim.SGD([torch.zeros(1)], lr=1), HORIZON) is None


@pytest.mark.parametrize("name", ["OneCycleLR", "torch.optim.lr_scheduler.OneCycleLR"])
def test_one_cycle_lasts_the_whole_training_and_peaks_at_the_optimizers_rate(name: str) -> None:
    schedule = _schedule(name)
    assert schedule["interval"] == "step"
    assert schedule["scheduler"].total_steps == 70
    optimizer, rates = schedule["scheduler"].optimizer, []
    for _ in range(69):
        rates.append(schedule["scheduler"].get_last_lr()[0])
        optimizer.step()
        schedule["scheduler"].step()
    assert max(rates) == pytest.approx(0.25)
    assert rates.index(max(rates)) == 20  # at 30 % of the 70 steps


def test_the_config_decides_the_peak_and_the_length_where_it_says_so() -> None:
    scheduler = _schedule({"OneCycleLR": {"max_lr": 2.0, "epochs": 3, "steps_per_epoch": 5}})["scheduler"]
    assert scheduler.total_steps == 15
    assert scheduler.optimizer.param_groups[0]["max_lr"] == 2.0


def test_each_group_of_parameters_peaks_at_its_own_rate() -> None:
    groups = [{"params": [torch.zeros(1)], "lr": 0.1}, {"params": [torch.zeros(1)], "lr": 0.4}]
    scheduler = _schedule("OneCycleLR", torch.optim.SGD(groups))["scheduler"]
    assert [group["max_lr"] for group in scheduler.optimizer.param_groups] == [0.1, 0.4]


@pytest.mark.parametrize("optimizer", ["Adagrad", "Adam", "SGD", "RMSprop"])
def test_momentum_is_cycled_where_the_optimizer_has_one(optimizer: str) -> None:
    made = getattr(torch.optim, optimizer)([torch.zeros(1)], lr=0.1)
    assert _schedule("OneCycleLR", made)["scheduler"].cycle_momentum is (optimizer != "Adagrad")


def test_cosine_annealing_lasts_the_epochs_and_is_stepped_by_them() -> None:
    schedule = _schedule("CosineAnnealingLR")
    assert (schedule["interval"], schedule["scheduler"].T_max) == ("epoch", 7)
    assert _schedule({"CosineAnnealingLR": {"T_max": 3}})["scheduler"].T_max == 3


@pytest.mark.parametrize("name", ["PolynomialLR", "torch.optim.lr_scheduler.PolynomialLR"])
def test_polynomial_decay_ends_with_the_last_epoch(name: str) -> None:
    schedule = _schedule(name)
    assert (schedule["interval"], schedule["scheduler"].total_iters) == ("epoch", 7)


def test_a_warm_up_keeps_its_own_length() -> None:
    assert _schedule("LinearLR")["scheduler"].total_iters == 5  # torch's default; not the length of the training


@pytest.mark.parametrize("name", ["ReduceLROnPlateau", "torch.optim.lr_scheduler.ReduceLROnPlateau"])
@pytest.mark.parametrize(("monitor", "mode"), [("valid/dice", "max"), ("valid/loss", "min")])
def test_a_plateau_watches_the_monitored_metric_in_its_direction(name: str, monitor: str, mode: str) -> None:
    schedule = _schedule(name, checkpoint={"monitor": monitor})
    assert (schedule["monitor"], schedule["interval"], schedule["scheduler"].mode) == (monitor, "epoch", mode)


@pytest.mark.parametrize(
    ("spec", "kind", "interval"),
    [
        ({"StepLR": {"step_size": 2}}, lr_scheduler.StepLR, "epoch"),
        ({"ExponentialLR": {"gamma": 0.9}}, lr_scheduler.ExponentialLR, "epoch"),
        ({"CosineAnnealingWarmRestarts": {"T_0": 2}}, lr_scheduler.CosineAnnealingWarmRestarts, "epoch"),
        ({"CyclicLR": {"base_lr": 0.01}}, lr_scheduler.CyclicLR, "step"),
        ({"WarmupCosineSchedule": {"warmup_steps": 3}}, monai.optimizers.WarmupCosineSchedule, "step"),
    ],
)
def test_a_schedule_is_stepped_as_it_counts(spec: Any, kind: type, interval: str) -> None:
    schedule = _schedule(spec)
    assert type(schedule["scheduler"]) is kind
    assert schedule["interval"] == interval


def test_a_warm_up_with_cosine_lasts_all_steps() -> None:
    assert _schedule({"WarmupCosineSchedule": {"warmup_steps": 3}})["scheduler"].t_total == 70


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("StepLR", r"^scheduler.StepLR: StepLR needs the keyword step_size.$"),
        (
            {"OneCycleLR": {"max_rl": 1}},
            r"^scheduler.OneCycleLR.max_rl is not a keyword of OneCycleLR. Did you mean max_lr",
        ),
        ({"OneCycleLR": {"optimizer": 1}}, r"^scheduler.OneCycleLR.optimizer is not a keyword of OneCycleLR."),
        (
            {"ReduceLROnPlateau": {"mode": "mx"}},
            r"^scheduler.ReduceLROnPlateau.mode: expected min or max, found 'mx'. \(ReduceLROnPlateau says: ValueError",
        ),
    ],
)
def test_a_wrong_schedule_is_one_sentence(spec: Any, expected: str) -> None:
    with pytest.raises(ComponentError, match=expected):
        _schedule(spec)


def test_the_sliding_window_has_the_size_of_the_training_crop() -> None:
    train = [{"RandSpatialCropd": {"roi_size": [8, 16, 24]}}]
    inferer = build_inferer(config(transforms={"train": train}))
    assert type(inferer) is monai.inferers.SlidingWindowInferer
    assert (inferer.roi_size, inferer.overlap, inferer.mode) == ([8, 16, 24], 0.5, "gaussian")
    assert build_inferer(config(inferer={"SlidingWindowInferer": {"roi_size": [4, 4, 4]}})).roi_size == [4, 4, 4]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (
            {"SlidingWindowInferer": {"mode": "gausian"}},
            r"refuses these keywords: ValueError: 'gausian' is not a valid",
        ),
        (
            {"SlidingWindowInferer": {"overlp": 0.5}},
            r"^inferer.SlidingWindowInferer.overlp is not .* Did you mean overlap\?",
        ),
        ("SaliencyInferer", r"^inferer.SaliencyInferer: SaliencyInferer needs the keyword cam_name."),
    ],
)
def test_a_wrong_inferer_is_one_sentence(spec: Any, expected: str) -> None:
    with pytest.raises(ComponentError, match=expected):
        build_inferer(config(inferer=spec))
