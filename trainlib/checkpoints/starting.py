"""The weights that a training starts from: of a checkpoint, a run, or a plain state dict."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from trainlib.build.freezing import is_frozen
from trainlib.checkpoints.checkpoint import unreadable
from trainlib.config.schema import Config
from trainlib.errors import CheckpointError
from trainlib.folders.run import RunFolder

log = logging.getLogger(__name__)

# Where the weights lie in checkpoints of other tools, the outer name first.
_INSIDE = ("state_dict", "model_state_dict", "network_weights", "model_state", "model", "net", "network")
# What the names of the weights begin with there: of a Lightning module, of several processes, of a compiled network.
_PREFIXES = ("network.", "module.", "model.", "net.", "_orig_mod.")


@dataclass(frozen=True)
class Start:
    """What was taken from a file.

    Attributes:
        taken: Names of the weights that were.
        misfits: A sentence for each other one, of the network or of the file.
    """

    taken: list[str]
    misfits: list[str]


def weights_file(path: Path) -> Path:
    """Find the file with the weights that a path stands for.

    Args:
        path: A file, or a run folder, of which the best checkpoint is taken, or else the last.

    Raises:
        CheckpointError: There is none.
    """
    if not path.exists():
        raise CheckpointError(f"model.weights: there is no file or run folder {path}.")
    if not path.is_dir():
        return path
    folder = RunFolder(path)
    found = next((file for file in (folder.best, folder.last) if file.is_file()), None)
    if found is None:
        raise CheckpointError(
            f"model.weights: {path} is no run folder with a checkpoint: it has no {folder.best.name}."
        )
    return found


def start_from_weights(network: torch.nn.Module, config: Config) -> None:
    """Load the weights that a config names, and tell each one that does not fit.

    Args:
        network: The network.
        config: The config; without ``model.weights`` the network stays as it is.

    Raises:
        CheckpointError: There are none, they cannot be read, or not one fits.
    """
    if config.model.weights is None:
        return
    path = weights_file(Path(config.model.weights))
    start = load_weights(network, read_weights(path))
    if not start.taken:
        raise CheckpointError(
            f"model.weights: nothing in {path} fits the network: {start.misfits[0]} Take the network that the weights "
            "are of, or leave model.weights out."
        )
    log.info("model.weights: %d of %d tensors from %s.", len(start.taken), len(network.state_dict()), path)
    for sentence in start.misfits:
        log.warning("model.weights: %s", sentence)
    names = [name for name, _ in network.named_parameters() if is_frozen(name, config.model.freeze)]
    if random := [name for name in names if name not in start.taken]:
        log.warning("model.freeze: frozen at random values, for the file does not have them: %s.", ", ".join(random))


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Read the weights in a file; nothing in it is run.

    Raises:
        CheckpointError: The file cannot be read, or holds no weights.
    """
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # of many kinds
        raise CheckpointError(f"model.weights: {unreadable(path, error)}") from error
    for _ in range(2):
        inside = next(
            (name for name in _INSIDE if isinstance(content, Mapping) and _has_weights(content.get(name))), None
        )
        content = content[inside] if inside else content
    if not _has_weights(content):
        raise CheckpointError(f"model.weights: {path} holds no weights: expected a state dict, name -> tensor.")
    return {str(name): value for name, value in content.items() if isinstance(value, torch.Tensor)}


def _has_weights(content: Any) -> bool:
    return isinstance(content, Mapping) and any(isinstance(value, torch.Tensor) for value in content.values())


def load_weights(network: torch.nn.Module, weights: Mapping[str, torch.Tensor]) -> Start:
    """Copy the weights that fit by name and shape into a network.

    Args:
        network: The network.
        weights: Name -> tensor; a prefix that all names have in a checkpoint is left out where that helps.
    """
    own = network.state_dict()
    weights = _without_prefix(weights, own)
    fitting = {name: value for name, value in weights.items() if name in own and value.shape == own[name].shape}
    network.load_state_dict(fitting, strict=False)
    misfits = [
        f"{name} has shape {_shape(weights[name])} in the file, {_shape(value)} in the network, and starts at random."
        if name in weights
        else f"{name} is not in the file, and starts at random."
        for name, value in own.items()
        if name not in fitting
    ]
    misfits += [f"{name} is in the file and not in the network." for name in weights if name not in own]
    return Start(list(fitting), misfits)


def _without_prefix(weights: Mapping[str, torch.Tensor], own: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Take off the names what makes the most of them those of the network."""
    candidates = [dict(weights)]
    for _ in range(2):  # one prefix may lie in the other
        candidates += [
            {name.removeprefix(prefix): value for name, value in found.items() if name.startswith(prefix)}
            for found in candidates
            for prefix in _PREFIXES
        ]
    return max(candidates, key=lambda found: len(found.keys() & own.keys()))  # the first of equals: no prefix


def _shape(tensor: torch.Tensor) -> tuple[int, ...]:
    return tuple(tensor.shape)
