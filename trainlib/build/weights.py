"""Build a network without memory for its weights, to look at their shapes."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from trainlib.build.components import build_model
from trainlib.config.schema import Config
from trainlib.seeding import isolated_random_state

if TYPE_CHECKING:
    import torch

_PREFIX = "network."  # of a task's network among all that a checkpoint holds


_built: dict[str, torch.nn.Module] = {}  # the last one, by its config


def meta_network(config: Config) -> torch.nn.Module:
    """Build the network of a config on torch's device ``meta``, once for each config in a row.

    Args:
        config: The config.

    Returns:
        The network; it is shared, and must not be trained or moved.
    """
    import torch

    key = config.model_dump_json(exclude={"run"})
    if key not in _built:
        _built.clear()
        with isolated_random_state(0), torch.device("meta"), warnings.catch_warnings():
            # Of a script that loads pretrained weights, which have no place here: a warning for each of them.
            warnings.filterwarnings("ignore", message=".*copying from a non-meta parameter.*")
            _built[key] = build_model(config)
    return _built[key]


def misfitting_weights(state: Mapping[str, Any], config: Config) -> list[str]:
    """List the weights that one of both lacks, or that have another shape; none where the network cannot tell.

    Args:
        state: The weights of a checkpoint by name.
        config: The config.
    """
    try:
        network = meta_network(config).state_dict()
        expected = {_PREFIX + name: tuple(value.shape) for name, value in network.items()}
    except Exception:  # a network that needs memory, or one that takes its shapes from the first image
        return []
    found = {name: _shape(value) for name, value in state.items() if name.startswith(_PREFIX)}
    return [
        *(f"{name} is missing" for name in expected if name not in found),
        *(f"{name} is not known to the network" for name in found if name not in expected),
        *(f"{name} is {_words(found[name])}, expected {_words(shape)}"
          for name, shape in expected.items() if found.get(name, shape) != shape),
    ]  # fmt: skip


def _shape(value: Any) -> tuple[int, ...] | None:
    return tuple(value.shape) if hasattr(value, "shape") else None


def _words(shape: tuple[int, ...] | None) -> str:
    return "no tensor" if shape is None else f"of shape {shape}"
