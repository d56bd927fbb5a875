from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.build.helpers import config
from trainlib.build.components import build_loss, build_model, build_optimizer
from trainlib.build.patches import call_patch, load_patch, patched
from trainlib.errors import DataError, PatchError

Write = Callable[..., str]


@pytest.fixture
def script(tmp_path: Path) -> Write:
    """Write a patch script."""

    def write(text: str, name: str = "patch.py") -> str:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


def test_a_script_is_loaded_once_under_a_name_of_its_own(script: Write) -> None:
    before = list(sys.path)
    path = script("import random\nvalue = random.random()\n")
    assert load_patch(path) is load_patch(path)
    assert load_patch(path).__name__ not in ("patch", "patch.py")
    assert sys.path == before


def test_two_scripts_of_the_same_file_name_do_not_mix(script: Write) -> None:
    one, two = script("value = 1\n", "one/model.py"), script("value = 2\n", "two/model.py")
    assert [load_patch(one).value, load_patch(two).value] == [1, 2]


def test_classes_of_a_script_can_be_pickled_and_be_dataclasses(script: Write) -> None:
    text = "from __future__ import annotations\nfrom dataclasses import dataclass\n@dataclass\nclass P:\n    x: int\n"
    point = load_patch(script(text)).P(3)
    assert pickle.loads(pickle.dumps(point)) == point


def test_a_script_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PatchError, match=rf"^patch: there is no script {tmp_path}/no.py.$"):
        load_patch(str(tmp_path / "no.py"))
    with pytest.raises(PatchError, match="there is no script"):
        load_patch(str(tmp_path))


def test_a_file_that_is_no_python_script_is_an_error(script: Write) -> None:
    with pytest.raises(PatchError, match=r"model.txt is not a Python script; its name must end in .py.$"):
        load_patch(script("x = 1\n", "model.txt"))


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("x = 1\ndef f(:\n", 2, "SyntaxError: invalid syntax"),
        ("\n\nimport no_such_package\n", 3, "ModuleNotFoundError: No module named 'no_such_package'"),
        ("def f():\n    return 1 / 0\nx = 1\nf()\n", 2, "ZeroDivisionError: division by zero"),
        ("import sys\nsys.exit(3)\n", 2, "SystemExit: 3"),
        ("import json\njson.loads('{')\n", 2, "JSONDecodeError: "),
    ],
)
def test_a_script_that_cannot_be_imported_shows_its_line_and_is_tried_again(
    script: Write, text: str, line: int, reason: str
) -> None:
    path = script(text)
    with pytest.raises(PatchError) as caught:
        load_patch(path)
    assert str(caught.value).startswith(f"{path}:{line}: the patch script cannot be imported: {reason}")
    assert "\n" not in str(caught.value)
    Path(path).write_text("x = 5\n")
    assert load_patch(path).x == 5


def test_a_function_that_is_absent_falls_back(script: Write) -> None:
    path = script("def other(config): ...\n")
    assert patched(path, "get_model") is None
    assert call_patch(path, "get_model", config()) is None
    assert call_patch(None, "get_model", config()) is None
    made = config(model="BasicUNet", patch={"model": path, "loss": path, "optimizer": path})
    assert type(build_model(made)).__name__ == "BasicUNet"
    assert type(build_loss(made)).__name__ == "DiceCELoss"
    assert type(build_optimizer(made, [torch.nn.Parameter(torch.zeros(1))])).__name__ == "AdamW"


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("def get_model(config):\n    x = 1\n    return config.no_such\n", 3, "AttributeError: 'Config' object has no"),
        (
            "def help():\n    raise AttributeError('get_model')\ndef get_model(config):\n    return help()\n",
            2,
            "AttributeError",
        ),
        ("def get_model(config):\n    import torch\n    return torch.nn.Linear('a', 2)\n", 3, "TypeError"),
        ("def get_model(config):\n    raise ValueError\n", 2, "ValueError."),
        ("def get_model(config):\n    raise ValueError('a.\\nb')\n", 2, "ValueError: a."),
        ("def get_model(config):\n    exit(3)\n", 2, "SystemExit: 3."),
    ],
)
def test_a_function_that_raises_shows_its_line_and_never_falls_back(
    script: Write, text: str, line: int, reason: str
) -> None:
    path = script(text)
    with pytest.raises(PatchError) as caught:
        build_model(config(patch={"model": path}))
    assert str(caught.value).startswith(f"{path}:{line}: get_model failed: {reason}")
    assert "\n" not in str(caught.value)


def test_a_function_with_the_wrong_arguments_is_an_error(script: Write) -> None:
    path = script("def get_model():\n    return 1\n")
    with pytest.raises(
        PatchError, match=r"get_model failed: TypeError: get_model\(\) takes 0 positional arguments but 1"
    ):
        build_model(config(patch={"model": path}))


def test_an_error_that_speaks_for_itself_is_passed_on(script: Write) -> None:
    path = script("from trainlib.errors import DataError\ndef get_model(config):\n    raise DataError('Add rows.')\n")
    with pytest.raises(DataError, match=r"^Add rows.$"):
        build_model(config(patch={"model": path}))


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        ("model", "return None", "get_model returned None. It must return the object it built."),
        ("model", "return 5", "get_model returned int, expected a torch.nn.Module."),
        ("loss", "return 5", "get_loss returned int, expected a callable."),
        ("optimizer", "return []", "get_optimizer returned list, expected a torch.optim.Optimizer."),
    ],
)
def test_a_function_that_returns_the_wrong_thing_is_an_error(
    script: Write, kind: str, body: str, expected: str
) -> None:
    path = script(f"def get_{kind}(*args):\n    {body}\n")
    made = config(patch={kind: path})
    build: dict[str, Callable[[], Any]] = {
        "model": lambda: build_model(made),
        "loss": lambda: build_loss(made),
        "optimizer": lambda: build_optimizer(made, []),
    }
    with pytest.raises(PatchError) as caught:
        build[kind]()
    assert str(caught.value) == f"{path}: {expected}"


def test_a_patch_takes_the_place_of_the_component(script: Write) -> None:
    path = script(
        "import torch\n"
        "def get_model(config):\n    return torch.nn.Conv3d(config.in_channels, config.out_channels, 1)\n"
        "def get_loss(config):\n    return lambda logits, label: logits.sum()\n"
        "def get_optimizer(config, parameters):\n    return torch.optim.SGD(parameters, lr=0.125)\n"
    )
    made = config(patch={"model": path, "loss": path, "optimizer": path})
    network = build_model(made)
    assert isinstance(network, torch.nn.Conv3d)
    assert (network.in_channels, network.out_channels) == (2, 3)
    assert build_loss(made)(torch.ones(3), torch.zeros(3)) == 3
    assert build_optimizer(made, network.parameters()).param_groups[0]["lr"] == 0.125
