"""The memory of a step, against what torch allocates in one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from tests.check.helpers import make_config, make_dataset
from trainlib.build.components import build_loss, build_model, build_optimizer
from trainlib.check import step_memory as module
from trainlib.check.step_memory import step_memory, too_much
from trainlib.config.schema import Config

WINDOW = (32, 32, 32)
UNET = {"UNet": {"channels": [8, 16, 32], "strides": [2, 2], "num_res_units": 1}}


def config(root: Path, **sections: Any) -> Config:
    return make_config(root, **({"model": UNET} | sections))


def allocated(config: Config, windows: int) -> int:
    """Measure the most that torch has allocated at once in a step, beside the network and its states."""
    network, loss = build_model(config), build_loss(config)
    optimizer = build_optimizer(config, network.parameters())
    image = torch.rand(windows, 1, *WINDOW)
    label = torch.randint(0, config.out_channels, (windows, 1, *WINDOW))

    def step() -> None:
        optimizer.zero_grad()
        loss(network(image), label).backward()
        optimizer.step()

    step()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        step()
    assert profiler.profiler is not None
    events = [event for event in profiler.profiler.kineto_results.events() if event.name() == "[memory]"]
    total = most = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        total += event.nbytes()
        most = max(most, total)
    return most


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dataset(tmp_path_factory.mktemp("step"))


def test_parameters_gradients_and_states_are_exact(root: Path) -> None:
    found = step_memory(config(root), WINDOW, 2)
    assert found is not None
    parameters = sum(parameter.numel() for parameter in build_model(config(root)).parameters())
    assert found.parameters == parameters
    assert (found.network, found.gradients, found.optimizer) == (4 * parameters, 4 * parameters, 8 * parameters)


@pytest.mark.parametrize(
    ("optimizer", "states"), [({"SGD": {"lr": 0.1}}, 0), ({"SGD": {"lr": 0.1, "momentum": 0.9}}, 1), ("RMSprop", 1)]
)
def test_states_are_those_of_the_optimizer(root: Path, optimizer: Any, states: int) -> None:
    found = step_memory(config(root, optimizer=optimizer), WINDOW, 2)
    assert found is not None
    assert found.optimizer == states * found.gradients


@pytest.mark.parametrize("windows", [2, 6])
def test_activations_are_close_to_what_torch_allocates(
    root: Path, monkeypatch: pytest.MonkeyPatch, windows: int
) -> None:
    monkeypatch.setattr(module, "_KEPT_TOO", 1.0)  # what torch itself allocates, as on a GPU
    found = step_memory(config(root), WINDOW, windows)
    assert found is not None
    assert found.activations == pytest.approx(allocated(config(root), windows), rel=0.3)


def test_half_precision_takes_less(root: Path) -> None:
    full = step_memory(config(root), WINDOW, 4)
    half = step_memory(config(root, trainer={"max_epochs": 1, "precision": "bf16-mixed"}), WINDOW, 4)
    assert full is not None
    assert half is not None
    assert half.activations < 0.75 * full.activations


def test_nothing_large_is_allocated_to_find_out(root: Path) -> None:
    found = step_memory(config(root), (1024, 1024, 1024), 8)
    assert found is not None
    assert found.total > 2**40
    [warning] = too_much(found)
    assert warning.severity == "warning"
    assert "A training step takes about" in warning.what


def test_a_classification_is_estimated_too(root: Path) -> None:
    found = step_memory(make_config(root, {"classes": ["a", "b"]}, task="classification"), WINDOW, 2)
    assert found is not None
    assert found.activations > 2 * 32**3 * 4


def test_a_network_that_needs_values_is_not_estimated(root: Path, tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(
        "import torch\n"
        "class Picky(torch.nn.Conv3d):\n"
        "    def forward(self, x):\n"
        "        return super().forward(x) if x.mean().item() > 0 else x\n"
        "def get_model(config):\n"
        "    return Picky(1, 3, 1)\n"
    )
    assert step_memory(config(root, patch={"model": str(tmp_path / "model.py")}), WINDOW, 2) is None


def test_a_network_that_asserts_something_of_its_batch_is_not_estimated(root: Path, tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(
        "import torch\n"
        "class Small(torch.nn.Conv3d):\n"
        "    def forward(self, x):\n"
        "        assert x.shape[0] < 4\n"
        "        return super().forward(x)\n"
        "def get_model(config):\n"
        "    return Small(1, 3, 1)\n"
    )
    own = config(root, patch={"model": str(tmp_path / "model.py")})
    assert step_memory(own, WINDOW, 2) is not None
    assert step_memory(own, WINDOW, 8) is None
