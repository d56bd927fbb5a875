from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.build.helpers import config
from trainlib.build.check import check_components, check_trainer, origins
from trainlib.build.components import build_inferer
from trainlib.build.resolve import ComponentError

SMALL: dict[str, Any] = {"model": {"UNet": {"channels": [4, 8], "strides": [2]}}}


@pytest.mark.parametrize("dims", [2, 3])
def test_the_defaults_are_without_a_mistake(dims: int) -> None:
    assert check_components(config({"spatial_dims": dims})) == []


def test_a_mistake_in_every_section_is_told_at_once() -> None:
    made = config(
        model={"UNet": {"channels": [4, 8], "strides": [2], "dropuot": 0.1}},
        loss={"DiceLoss": {"sofmax": True}},
        optimizer="Adm",
        scheduler="StepLR",
        inferer={"SlidingWindowInferer": {"overlp": 0.5}},
        transforms={"base": [], "train": ["RandFlip"], "post": [{"AsDiscreted": {"treshold": 1}}]},
        trainer={"max_epoch": 3},
    )
    assert [key[0] for key, _ in check_components(made)] == [
        "model", "loss", "inferer", "optimizer", "scheduler", "transforms", "transforms", "trainer",
    ]  # fmt: skip


def test_a_wrong_optimizer_is_not_blamed_on_the_schedule() -> None:
    [(key, text)] = check_components(config(**SMALL, optimizer={"SGD": {"lrr": 1}}))
    assert key == ("optimizer", "SGD", "lrr")
    assert text == "optimizer.SGD.lrr is not a keyword of SGD. Did you mean lr?"


@pytest.mark.parametrize("kind", ["model", "loss", "transforms"])
def test_a_broken_patch_is_told_with_its_line(tmp_path: Path, kind: str) -> None:
    script = tmp_path / "mine.py"
    script.write_text("x = 1\nimport no_such_package\n")
    mistakes = check_components(config(**SMALL, patch={kind: str(script)}))
    assert mistakes
    for _, text in mistakes:
        assert text == (
            f"{script}:2: the patch script cannot be imported: ModuleNotFoundError: No module named 'no_such_package'."
        )


def test_the_patch_of_an_optimizer_is_tried_on_the_network(tmp_path: Path) -> None:
    script = tmp_path / "mine.py"
    script.write_text("def get_optimizer(config, parameters):\n    raise RuntimeError(f'{len(parameters) > 1}')\n")
    [(key, text)] = check_components(config(**SMALL, patch={"optimizer": str(script)}))
    assert (key, text) == (("patch", "optimizer"), f"{script}:2: get_optimizer failed: RuntimeError: True.")


def test_the_patch_of_an_optimizer_may_look_at_the_weights(tmp_path: Path) -> None:
    script = tmp_path / "mine.py"
    script.write_text(
        "import torch\n"
        "def get_optimizer(config, parameters):\n"
        "    return torch.optim.SGD([p for p in parameters if p.abs().max().item() >= 0], lr=1.0)\n"
    )
    assert check_components(config(**SMALL, scheduler="OneCycleLR", patch={"optimizer": str(script)})) == []


def test_the_patch_of_an_optimizer_is_not_called_without_a_network(tmp_path: Path) -> None:
    script = tmp_path / "mine.py"
    script.write_text("def get_optimizer(config, parameters):\n    raise RuntimeError('called')\n")
    [(key, _)] = check_components(config(model="UNett", patch={"optimizer": str(script)}))
    assert key[0] == "model"


def test_a_window_that_is_no_size_is_told_once() -> None:
    crop = {"RandSpatialCropd": {"roi_size": [16, 16, -1]}}
    [(key, text)] = check_components(config(**SMALL, transforms={"train": ["RandFlipd", crop]}))
    assert key == ("transforms", "train", 1, "RandSpatialCropd", "roi_size")
    assert text == (
        "transforms.train[1].RandSpatialCropd.roi_size: expected 3 positive integers, found [16, 16, -1]: "
        "the window must have one size."
    )


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ({"UNet": {"channels": 16, "strides": [2]}}, ["model.UNet.channels: expected a list of integers, found 16. "]),
        ({"UNet": {"chanels": [4, 8], "strides": [2]}},
         ["model.UNet.chanels is not a keyword of UNet. ", "model.UNet: UNet needs the keyword channels."]),
        ({"SwinUNETR": {"feature_sise": 12}}, ["model.SwinUNETR.feature_sise is not a keyword of SwinUNETR. "]),
    ],
)  # fmt: skip
def test_a_window_that_is_no_size_hides_no_mistake_and_is_told_once(model: Any, told: list[str]) -> None:
    crop = {"RandSpatialCropd": {"roi_size": "16x16x16"}}
    made = config(model=model, transforms={"train": [crop]}, trainer={"gpus": 1, "max_time": "tomorrow"})
    texts = [text for _, text in check_components(made)]
    expected = [
        "transforms.train[0].RandSpatialCropd.roi_size: expected 3 positive integers, found '16x16x16': ",
        *told,
        "trainer.gpus is not an argument",
        "trainer.max_time: lightning.Trainer refuses 'tomorrow': ",
    ]
    assert len(texts) == len(expected), texts
    assert all(text.startswith(begin) for text, begin in zip(texts, expected, strict=True)), texts


def test_a_component_that_gets_the_window_is_not_built_without_one() -> None:
    made = config(transforms={"train": [{"RandSpatialCropd": {"roi_size": 0}}]})
    with pytest.raises(ComponentError, match=r"roi_size: expected 3 positive integers, found 0"):
        build_inferer(made)


@pytest.mark.parametrize(
    ("precision", "meant"),
    [("fp16", "16-mixed"), ("FP16", "16-mixed"), ("bfloat16", "bf16-mixed"), ("fp32", "32-true")],
)
def test_the_precision_of_other_tools_is_told(precision: str, meant: str) -> None:
    [(_, text)] = check_trainer(config(trainer={"precision": precision}))
    assert text.endswith(f"found '{precision}'. Did you mean {meant}?")
    assert check_trainer(config(trainer={"precision": meant})) == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("max_epoch", "trainer.max_epoch is not an argument of lightning.Trainer. Did you mean trainer.max_epochs?"),
        ("gpus", "trainer.gpus is not an argument of lightning.Trainer. Write `accelerator: gpu` and `devices: 1`."),
        ("callback", "trainer.callback is not an argument of lightning.Trainer."),
        ("self", "trainer.self is not an argument of lightning.Trainer."),
        ("callbacks", "trainer.callbacks is set by trainlib. Use the section callbacks."),
        ("default_root_dir", "trainer.default_root_dir is set by trainlib. Use run.root and run.name."),
        ("enable_checkpointing", "trainer.enable_checkpointing is set by trainlib. Use the section checkpoint."),
        ("use_distributed_sampler",
         "trainer.use_distributed_sampler is set by trainlib. "
         "Leave it out: each case goes to exactly one process anyway."),
        ("barebones", "trainer.barebones is set by trainlib. "
         "Leave it out: a run without checkpoints and logs cannot be resumed or reported."),
    ],
)  # fmt: skip
def test_an_argument_that_the_trainer_does_not_get_from_the_config_is_refused(name: str, expected: str) -> None:
    assert check_trainer(config(trainer={name: 1})) == [(("trainer", name), expected)]


def test_arguments_of_the_trainer_are_accepted() -> None:
    trainer = {"max_epochs": 3, "precision": "16-mixed", "accelerator": "cpu", "gradient_clip_val": 1.0, "devices": 1}
    assert check_trainer(config(trainer=trainer)) == []


def test_origins_tell_what_every_component_stands_for(tmp_path: Path) -> None:
    script = tmp_path / "mine.py"
    script.write_text(
        "from monai.transforms import Flipd\nclass Ownd(Flipd): pass\ndef get_loss(config):\n    return abs\n"
    )
    made = config(
        scheduler=None,
        transforms={"base": ["LoadImaged"], "train": ["Ownd"], "post": []},
        patch={"model": str(script), "loss": str(script), "transforms": str(script)},
    )
    assert origins(made) == {
        "model": f"UNet from monai.networks.nets ({script} defines no get_model)",
        "loss": f"get_loss from {script}",
        "optimizer": "AdamW from torch.optim",
        "inferer": "SlidingWindowInferer from monai.inferers",
        "transforms.base": "LoadImaged",
        "transforms.train": f"Ownd from {script}",
        "transforms.post": "none",
    }
