"""The weights of a checkpoint against the network of a config."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.build.helpers import config
from trainlib.build.components import build_model
from trainlib.build.weights import meta_network, misfitting_weights

SMALL: dict[str, Any] = {"model": {"UNet": {"channels": [4, 8], "strides": [2]}}}


def weights(**sections: Any) -> dict[str, Any]:
    network = build_model(config(**(SMALL | sections)))
    return {f"network.{name}": value for name, value in network.state_dict().items()} | {"loss.weight": torch.ones(3)}


def test_the_weights_of_the_same_network_fit() -> None:
    assert misfitting_weights(weights(), config(**SMALL)) == []


def test_what_is_missing_unknown_or_of_another_shape_is_named() -> None:
    state = weights()
    first, second, *_ = state
    shape = tuple(state[first].shape)
    found = misfitting_weights(
        {**state, first: torch.zeros(1), second: "text", "network.more": torch.zeros(1)}, config(**SMALL)
    )
    assert found == [
        "network.more is not known to the network",
        f"{first} is of shape (1,), expected of shape {shape}",
        f"{second} is no tensor, expected of shape {tuple(state[second].shape)}",
    ]
    del state[first]
    assert misfitting_weights(state, config(**SMALL)) == [f"{first} is missing"]


def test_a_script_that_has_changed_since_is_noticed(tmp_path: Path) -> None:
    script = tmp_path / "own.py"
    text = "import torch\n\ndef get_model(config):\n    return torch.nn.Conv3d(2, {}, 1)\n"
    script.write_text(text.format(3))
    patch = {"model": str(script)}
    state = weights(patch=patch)
    other = tmp_path / "other.py"
    other.write_text(text.format(4))
    assert misfitting_weights(state, config(**SMALL, patch=patch)) == []
    assert len(misfitting_weights(state, config(**SMALL, patch={"model": str(other)}))) == 2


def test_of_a_network_that_needs_its_memory_nothing_is_said(tmp_path: Path) -> None:
    script = tmp_path / "own.py"
    script.write_text(
        "import torch\n\ndef get_model(config):\n    network = torch.nn.Conv3d(2, 3, 1)\n"
        "    assert network.weight.sum().item() < 1000\n    return network\n"
    )
    assert misfitting_weights({}, config(**SMALL, patch={"model": str(script)})) == []


PRETRAINED = """
import torch

built = []

def get_model(config):
    network = torch.nn.Conv3d(2, 3, 1)
    network.load_state_dict(torch.load({file!r}))
    built.append(network)
    return network
"""


def test_a_script_that_loads_weights_is_called_once_and_in_silence(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    torch.save(torch.nn.Conv3d(2, 3, 1).state_dict(), tmp_path / "weights.pt")
    (tmp_path / "own.py").write_text(PRETRAINED.format(file=str(tmp_path / "weights.pt")))
    made = config(**SMALL, patch={"model": str(tmp_path / "own.py")})
    network = meta_network(made)
    assert len(misfitting_weights({}, made)) == 2
    assert meta_network(made.model_copy()) is network
    assert meta_network(made.model_copy(update={"seed": 7})) is not network
    assert [str(warning.message) for warning in recwarn if "non-meta" in str(warning.message)] == []
