"""The part of a network that is not trained, by the names of its modules and parameters."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from trainlib.config.schema import Config
from trainlib.config.sources import Key
from trainlib.suggest import did_you_mean

if TYPE_CHECKING:
    import torch


def freeze(network: torch.nn.Module, patterns: Sequence[str]) -> list[torch.nn.Module]:
    """Take parameters out of the training.

    Args:
        network: The network; its other parameters are as they were.
        patterns: Dotted names of modules and parameters, with the wildcards of `fnmatch`; a module stands for all
            that is in it.

    Returns:
        The modules that were named: they are to stay in evaluation mode, so that the statistics of their
        normalisation stay as they are as well.
    """
    modules = [module for name, module in network.named_modules() if name and _is_named(name, patterns)]
    for name, parameter in network.named_parameters():
        if is_frozen(name, patterns):
            parameter.requires_grad_(False)
    return modules


def is_frozen(name: str, patterns: Sequence[str]) -> bool:
    """Tell whether a parameter, or a module that it lies in, is named by one of the patterns."""
    parts = name.split(".")
    return any(_is_named(".".join(parts[: end + 1]), patterns) for end in range(len(parts)))


def freeze_mistakes(config: Config, network: torch.nn.Module) -> list[tuple[Key, str]]:
    """Name the patterns that stand for nothing, or say that they leave nothing to train."""
    patterns = config.model.freeze
    names = [name for name, _ in (*network.named_modules(), *network.named_parameters()) if name]
    unmatched = [i for i, pattern in enumerate(patterns) if not any(fnmatchcase(name, pattern) for name in names)]
    if unmatched:
        top = ", ".join(name for name, _ in network.named_children())
        return [
            (
                ("model", "freeze", i),
                f"model.freeze: no part of the network is named {patterns[i]!r}."
                f"{did_you_mean(patterns[i], names) or f' Its parts are {top}.'}",
            )
            for i in unmatched
        ]
    if patterns and all(is_frozen(name, patterns) for name, _ in network.named_parameters()):
        return [(("model", "freeze"), "model.freeze: leaves nothing of the network to train. Name fewer parts.")]
    return []


def _is_named(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
