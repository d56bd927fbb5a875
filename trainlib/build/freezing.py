"""The part of a network that is not trained, by the names of its modules and parameters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from trainlib.config.schema import Config
from trainlib.config.sources import Key
from trainlib.suggest import did_you_mean
from trainlib.weights.names import is_named, is_within
from trainlib.words import listed

if TYPE_CHECKING:
    import torch


def freeze(network: torch.nn.Module, patterns: Sequence[str]) -> list[torch.nn.Module]:
    """Take parameters out of the training.

    The optimizer gets them all the same, and leaves alone what has no gradient: so a run can be continued with another
    part frozen and keeps what the optimizer has learned of the rest.

    Args:
        network: The network; its other parameters are as they were.
        patterns: Dotted names of modules and parameters, with the wildcards of `fnmatch`; a module stands for all
            that is in it.

    Returns:
        The modules that are to stay in evaluation mode, as they are now, so that the statistics of a normalisation
        stay as well: those that are named, and those with statistics whose parameters all are.
    """
    for name, parameter in network.named_parameters(remove_duplicate=False):
        if is_within(name, patterns):
            parameter.requires_grad_(False)
    modules = [
        module
        for name, module in network.named_modules()
        if name and (is_named(name, patterns) or _has_frozen_statistics(name, module, patterns))
    ]
    for module in modules:
        module.eval()
    return modules


def _has_frozen_statistics(name: str, module: torch.nn.Module, patterns: Sequence[str]) -> bool:
    """Tell whether a module, such as a batch normalisation, has buffers, and parameters that all are frozen."""
    own = [f"{name}.{parameter}" for parameter, _ in module.named_parameters(recurse=False)]
    return bool(own) and any(True for _ in module.buffers(recurse=False)) and all(is_within(n, patterns) for n in own)


@contextmanager
def evaluating(network: torch.nn.Module) -> Iterator[None]:
    """Put a network into evaluation mode for the block, and each of its modules back into its own mode."""
    modes = {module: module.training for module in network.modules()}
    network.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


def freeze_mistakes(config: Config, network: torch.nn.Module) -> list[tuple[Key, str]]:
    """Name the patterns that stand for nothing, or say that they leave nothing to train."""
    patterns = config.model.freeze
    parameters = list(network.named_parameters(remove_duplicate=False))
    names = [name for name, _ in (*network.named_modules(), *parameters) if name]
    if unmatched := [i for i, pattern in enumerate(patterns) if not any(fnmatchcase(name, pattern) for name in names)]:
        parts = f" Its parts are {listed(_parts(network))}."
        return [
            (
                ("model", "freeze", i),
                f"model.freeze: no part of the network is named {patterns[i]!r}."
                f"{did_you_mean(patterns[i], names) or parts}",
            )
            for i in unmatched
        ]
    if patterns and not any(value.requires_grad and not is_within(name, patterns) for name, value in parameters):
        return [(("model", "freeze"), "model.freeze: leaves nothing of the network to train. Name fewer parts.")]
    return []


def _parts(network: torch.nn.Module) -> list[str]:
    """Name the outermost parts of a network that has more than one."""
    prefix = ""
    while len(children := list(network.named_children())) == 1:
        prefix, network = f"{prefix}{children[0][0]}.", children[0][1]
    return [f"{prefix}{name}" for name, _ in children] or [prefix.removesuffix(".")]
