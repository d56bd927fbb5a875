"""Scripts of the user's own: what is wrong with them is told with their line, and none shadows another."""

from __future__ import annotations

import json

import pytest

from tests.hostile.place import Damage, Place, added, both, folder, replaced, written
from tests.hostile.runner import Row, check

NETWORK = "import torch\n\ndef get_model(config):\n    return torch.nn.Conv3d({}, {}, 1)\n"
LOSS = "def get_loss(config):\n    return lambda logits, label: {}\n"
TRANSFORM = "from monai.transforms import MapTransform\n\nclass Oddd(MapTransform):\n"
FLIP = "    - RandFlipd: {spatial_axis: 0}"
NOT_A_CASE = "Each transform must return the data it was given, changed or not."


def patch(kind: str, text: str | bytes, name: str = "patches/own.py") -> Damage:
    return both(added(f"patch: {{{kind}: {name}}}\n"), written(name, text))


def transform(body: str, use: str = "Oddd: {keys: [image]}", section: str = "train") -> Damage:
    """Add a transform of the user's own to a pipeline."""
    pipeline = replaced(FLIP, f"{FLIP}\n    - {use}")
    if section == "base":
        pipeline = replaced("NormalizeIntensityd]", f"NormalizeIntensityd, {use}]")
    return both(patch("transforms", TRANSFORM + body), pipeline)


def model_falls_back(place: Place, output: str) -> None:
    assert f"model: UNet from monai.networks.nets ({place.path}/patches/own.py defines no get_model)" in output


def both_scripts_are_used(place: Place, output: str) -> None:
    origins = json.loads((place.path / "runs/broken/snapshot/components.json").read_text())
    assert origins["model"] == f"get_model from {place.path}/one/own.py"
    assert origins["loss"] == f"get_loss from {place.path}/two/own.py"
    assert (place.path / "loss_of_two").exists()


TWO = both(
    added("patch: {model: one/own.py, loss: two/own.py}\n"),
    written("one/own.py", "NAME = 'one'\n" + NETWORK.format(1, 2) + "\ndef get_loss(config):\n    assert False\n"),
    written("two/own.py", "import pathlib\nimport monai\n\nNAME = 'two'\n\ndef get_loss(config):\n"
            "    pathlib.Path(f'loss_of_{NAME}').touch()\n    return monai.losses.DiceLoss(softmax=True, "
            "to_onehot_y=True)\n\ndef get_model(config):\n    assert False\n"),
)  # fmt: skip

SCRIPTS = [
    Row("no script", added("patch: {model: patches/own.py}\n"),
        ("config.yaml:24: patch.model: there is no script .../patches/own.py.",)),
    Row("a folder for a script", both(added("patch: {loss: patches/own.py}\n"), folder("patches/own.py")),
        ("config.yaml:24: patch.loss: there is no script .../patches/own.py.",)),
    Row("a script that is no Python", patch("model", "model: UNet\n", "patches/own.yaml"),
        ("config.yaml:24: patch: .../patches/own.yaml is not a Python script; its name must end in .py.",)),
    Row("a syntax error", patch("model", "x = 1\ndef get_model(config:\n    return x\n"),
        ("config.yaml:24: .../own.py:2: the patch script cannot be imported: SyntaxError: '(' was never closed ...",)),
    Row("a syntax error in the script of all transforms", patch("transforms", "x = (\n"),
        ("config.yaml:24: .../own.py:1: the patch script cannot be imported: SyntaxError: '(' was never closed ...",)),
    Row("an import error", patch("optimizer", "import torch\n\nimport no_such_package\n"),
        ("config.yaml:24: .../own.py:3: the patch script cannot be imported: ModuleNotFoundError: No module named "
         "'no_such_package'.",)),
    Row("a script that ends the process", patch("model", "import sys\nsys.exit(0)\n"),
        ("config.yaml:24: .../own.py:2: the patch script cannot be imported: SystemExit: 0.",)),
    Row("null characters in a script", patch("loss", b"x = 1\0\n"),
        ("config.yaml:24: .../own.py: the patch script cannot be imported: ... source code string cannot "
         "contain null bytes.",)),  # a SyntaxError since Python 3.11.4
]  # fmt: skip

FUNCTIONS = [
    Row("no function, so that the component is used", patch("model", "def get_modell(config):\n    return None\n"),
        then=model_falls_back),
    Row("two scripts of one name", TWO, then=both_scripts_are_used),
    Row("a function that raises", patch("model", "def get_model(config):\n    x = 1\n    return config.nothing\n"),
        ("config.yaml:24: .../own.py:3: get_model failed: AttributeError: 'Config' object has no attribute "
         "'nothing'.",)),
    Row("a function that calls itself for ever",
        patch("model", "def get_model(config):\n    return get_model(config)\n"),
        ("config.yaml:24: .../own.py:2: get_model failed: RecursionError: maximum recursion depth exceeded...",)),
    Row("a function without the argument", patch("optimizer", "def get_optimizer(config):\n    return None\n"),
        ("config.yaml:24: .../own.py: get_optimizer failed: TypeError: get_optimizer() takes 1 positional argument but "
         "2 were given.",)),
    Row("a function that returns nothing", patch("model", "def get_model(config):\n    pass\n"),
        ("config.yaml:24: .../own.py: get_model returned None. It must return the object it built.",)),
    Row("a name for a network", patch("model", "def get_model(config):\n    return 'UNet'\n"),
        ("config.yaml:24: .../own.py: get_model returned str, expected a torch.nn.Module.",)),
    Row("a number for a loss", patch("loss", "def get_loss(config):\n    return 0.5\n"),
        ("config.yaml:24: .../own.py: get_loss returned float, expected a callable.",)),
    Row("a network for an optimizer", patch("optimizer", "import torch\n\ndef get_optimizer(config, parameters):\n"
                                                         "    return torch.nn.Identity()\n"),
        ("config.yaml:24: .../own.py: get_optimizer returned Identity, expected a torch.optim.Optimizer.",)),
    Row("a network for five channels", patch("model", NETWORK.format(5, 2)),
        ("config.yaml:24: model: fails on an image of shape (1, 1, 8, 8, 8): RuntimeError: ... 5 channels...",)),
    Row("a network for seven classes", patch("model", NETWORK.format(1, 7)),
        ("config.yaml:24: model: for an input of shape (1, 1, 8, 8, 8) the output has shape (1, 7, 8, 8, 8), expected "
         "(1, 2, 8, 8, 8): a channel for each of data.classes, ...",)),
    Row("a loss that is no number", patch("loss", LOSS.format("logits")),
        ("config.yaml:24: loss: returned shape (1, 2, 8, 8, 8), expected a tensor with one number.",)),
    Row("a loss of which nothing can be learned", patch("loss", "import torch\n\n" + LOSS.format("torch.zeros(())")),
        ("config.yaml:24: loss: what it returns does not depend on the output of the network, so that nothing can be "
         "learned.",)),
]  # fmt: skip

TRANSFORMS = [
    Row("a transform that cannot be built", transform("    def __init__(self, keys):\n        raise ValueError('no')\n"
                                                      "    def __call__(self, data):\n        return data\n"),
        ("config.yaml:15: .../own.py:5: Oddd failed: ValueError: no.",)),
    Row("an unknown keyword of a transform", transform(
            "    def __init__(self, keys, width=1):\n        super().__init__(keys)\n"
            "    def __call__(self, data):\n        return data\n", "Oddd: {keys: [image], widht: 3}"),
        ("config.yaml:15: transforms.train[2].Oddd.widht is not a keyword of Oddd. Did you mean width?",)),
    Row("a transform without keys", transform("    def __call__(self, data):\n        return data\n", "Oddd"),
        ("config.yaml:15: transforms.train[2].Oddd: say what it is applied to, `keys: [image]` or "
         "`keys: [image, label]`.",)),
    Row("augmentation that raises",
        transform("    def __call__(self, data):\n        raise ValueError('no contrast')\n"),
        ("train.csv:... (...): transforms.train[2].Oddd failed (.../own.py:5) on image (1, 8, 8, 8), label "
         "(1, 8, 8, 8): ValueError: no contrast.",), kept=4),
    Row("augmentation that returns nothing", transform("    def __call__(self, data):\n        pass\n"),
        (f"train.csv:... (...): expected a mapping with tensors 'image' and 'label' after transforms.train, found "
         f"NoneType. {NOT_A_CASE}",), kept=4),
    Row("a base transform that raises", transform("    def __call__(self, data):\n        return 1 / 0\n",
                                                  section="base"),
        tuple(f"{case}: transforms.base[3].Oddd failed (.../own.py:5) on ...: ZeroDivisionError: division by zero."
              for case in ("train.csv:2 (i0.nii.gz)", "train.csv:3 (i1.nii.gz)", "valid.csv:2 (i2.nii.gz)"))),
    Row("a base transform that drops the image", transform(
            "    def __call__(self, data):\n        return {'label': data['label']}\n", section="base"),
        tuple(f"{case}: expected a mapping with tensors 'image' and 'label' after transforms.base, found a mapping "
              f"without 'image'. {NOT_A_CASE}"
              for case in ("train.csv:2 (i0.nii.gz)", "train.csv:3 (i1.nii.gz)", "valid.csv:2 (i2.nii.gz)"))),
    Row("a base transform that makes two cases of one", transform(
            "    def __call__(self, data):\n        return [data, data]\n", section="base"),
        tuple(f"{case}: transforms.base returned a list. What cuts several crops from a case belongs in "
              "transforms.train."
              for case in ("train.csv:2 (i0.nii.gz)", "train.csv:3 (i1.nii.gz)", "valid.csv:2 (i2.nii.gz)"))),
    Row("post-processing that returns nothing", both(
            replaced("transforms:", "transforms:\n  post:\n    - Oddd: {keys: [pred]}"),
            patch("transforms", TRANSFORM + "    def __call__(self, data):\n        return None\n")),
        ("config.yaml:12: .../own.py: Oddd failed on a label map: TypeError: 'NoneType' object is not "
         "subscriptable.",)),
]  # fmt: skip

ROWS = [*SCRIPTS, *FUNCTIONS, *TRANSFORMS]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_wrong_script_is_told_with_its_line(row: Row, place: Place) -> None:
    check(row, place)
