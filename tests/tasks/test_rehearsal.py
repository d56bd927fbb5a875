"""Network, inferer and loss are tried on a window before any case is prepared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from trainlib.config.schema import Config
from trainlib.tasks.rehearsal import misfits

WINDOW = {"base": [], "train": [{"SpatialPadd": {"spatial_size": [8, 8, 8]}}]}
SMALL = {"UNet": {"channels": [2, 4], "strides": [2]}}


def config(**sections: Any) -> Config:
    data = {"train_csv": "a.csv", "valid_csv": "b.csv", "classes": ["background", "organ"], "channels": 1}
    whole = {"model": SMALL, "transforms": WINDOW} | sections
    return Config.model_validate({"data": data | whole.pop("data", {}), **whole})


def classification(**sections: Any) -> Config:
    model = {"DenseNet": {"init_features": 2, "growth_rate": 2, "block_config": [1]}}
    return config(**({"task": "classification", "model": model, "loss": "CrossEntropyLoss"} | sections))


def script(tmp_path: Path, text: str) -> str:
    (tmp_path / "own.py").write_text(text)
    return str(tmp_path / "own.py")


@pytest.mark.parametrize(
    "made",
    [
        config(),
        config(loss="DiceLoss", inferer={"SlidingWindowInferer": {"roi_size": [4, 4, 4]}}),
        config(inferer="SimpleInferer", loss={"TverskyLoss": {"alpha": 0.3}}),
        classification(),
        classification(data={"label_cols": ["a", "b"], "classes": ["a", "b"]}, loss="BCEWithLogitsLoss"),
        classification(
            model="DenseNet121", transforms={"base": [], "train": [{"Resized": {"spatial_size": [32] * 3}}]}
        ),
    ],
)
def test_what_fits_is_accepted(made: Config) -> None:
    assert misfits(made) == []


@pytest.mark.parametrize(
    ("made", "section", "expected"),
    [
        (config(transforms={"base": [], "train": [{"SpatialPadd": {"spatial_size": [9, 9, 9]}}]}), "model",
         "model: for an input of shape (1, 1, 9, 9, 9) the output has shape (1, 2, 10, 10, 10), expected (1, 2, 9, "),
        (config(model="DenseNet121", transforms={"base": [], "train": [{"Resized": {"spatial_size": [32] * 3}}]}),
         "model", "model: for an input of shape (1, 1, 32, 32, 32) the output has shape (1, 2), expected "),
        (classification(model=SMALL), "model",
         "model: for an input of shape (1, 1, 8, 8, 8) the output has shape (1, 2, 8, 8, 8), expected (1, 2): a "),
        (config(model={"UNet": {"channels": [2, 4], "strides": [0]}}), "model",
         "model: fails on an image of shape (1, 1, 8, 8, 8): RuntimeError: "),
        (config(inferer={"SlidingWindowInferer": {"overlap": 2}}), "inferer",
         "inferer: fails on an image of shape (1, 1, 8, 8, 8): ValueError: overlap"),
        (config(loss="BCEWithLogitsLoss"), "loss", "loss: fails on an output of shape (1, 2, 8, 8, 8): "),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told_with_its_section(made: Config, section: str, expected: str) -> None:
    [(key, text)] = misfits(made)
    assert key == (section,)
    assert text.startswith(expected)


def test_a_script_is_named_in_place_of_the_section_that_it_replaces(tmp_path: Path) -> None:
    own = script(tmp_path, "import torch\n\ndef get_model(config):\n    return torch.nn.Conv3d(1, 7, 1)\n")
    [(key, text)] = misfits(config(patch={"model": own}))
    assert (key, text[:56]) == (("patch", "model"), "model: for an input of shape (1, 1, 8, 8, 8) the output ")
    assert misfits(config(patch={"loss": own})) == []  # it has no get_loss


@pytest.mark.parametrize(
    ("returned", "expected"),
    [
        ("logits", "loss: returned shape (1, 2, 8, 8, 8), expected a tensor with one number."),
        ("1.5", "loss: returned float, expected a tensor with one number."),
        ("label.float().mean()", "loss: what it returns does not depend on the output of the network, "),
    ],
)
def test_a_loss_of_which_nothing_can_be_learned_is_told(tmp_path: Path, returned: str, expected: str) -> None:
    own = script(tmp_path, f"def get_loss(config):\n    return lambda logits, label: {returned}\n")
    [(key, text)] = misfits(config(patch={"loss": own}))
    assert key == ("patch", "loss")
    assert text.startswith(expected)


def test_a_network_that_cannot_run_without_memory_is_left_to_the_training(tmp_path: Path) -> None:
    own = script(
        tmp_path,
        "import torch\n\nclass Net(torch.nn.Module):\n    def forward(self, image):\n"
        "        return image if image.sum().item() else None\n\ndef get_model(config):\n    return Net()\n",
    )
    assert misfits(config(patch={"model": own})) == []


def test_nothing_is_computed_for_a_large_window() -> None:
    large = {"base": [], "train": [{"SpatialPadd": {"spatial_size": [2048, 2048, 2048]}}]}
    assert misfits(config(transforms=large)) == []


def test_the_random_numbers_of_the_process_are_left_alone() -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    misfits(config())
    assert torch.equal(torch.get_rng_state(), before)


ON_GPU_ALONE = """
from monai.losses import DiceLoss
from monai.networks.nets import UNet

def refuse(tensor):
    if not tensor.is_cuda:
        raise RuntimeError("Expected all tensors to be on the same device, but found cuda:0 and cpu!")

class Network(UNet):
    def forward(self, image):
        refuse(image)
        return super().forward(image)

class Loss(DiceLoss):
    def forward(self, logits, label):
        refuse(logits)
        return super().forward(logits, label)

def get_model(config):
    return Network(3, 1, 2, [2, 4], [2])

def get_loss(config):
    return Loss(to_onehot_y=True)
"""


@pytest.mark.parametrize("part", ["model", "loss"])
@pytest.mark.parametrize(("accelerator", "count"), [("gpu", 0), ("cuda", 0), ("cpu", 1)])
def test_what_works_on_a_gpu_alone_is_refused_only_where_the_training_has_none(
    tmp_path: Path, part: str, accelerator: str, count: int
) -> None:
    made = config(patch={part: script(tmp_path, ON_GPU_ALONE)}, trainer={"accelerator": accelerator})
    assert [key for key, _ in misfits(made)] == [("patch", part)] * count


def test_a_shape_that_does_not_fit_is_told_for_a_gpu_too() -> None:
    nine = {"base": [], "train": [{"SpatialPadd": {"spatial_size": [9, 9, 9]}}]}
    [(key, text)] = misfits(config(transforms=nine, trainer={"accelerator": "gpu"}))
    assert key == ("model",)
    assert "has shape (1, 2, 10, 10, 10), expected (1, 2, 9, " in text


def test_a_line_in_the_module_of_a_component_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_losses.py").write_text(
        "import torch\n\nclass Own(torch.nn.Module):\n    def forward(self, logits, label):\n"
        "        raise ValueError('no such loss')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    [(_, text)] = misfits(config(loss="own_losses.Own"))
    place = f"{tmp_path / 'own_losses.py'}:5"
    assert text == f"loss: fails ({place}) on an output of shape (1, 2, 8, 8, 8): ValueError: no such loss."
