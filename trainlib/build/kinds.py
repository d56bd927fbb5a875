"""The kinds of components: where each is looked for, and what makes a class or function one of them."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType
from typing import Any

from trainlib.suggest import did_you_mean

MODULES: dict[str, tuple[str, ...]] = {
    "model": ("monai.networks.nets", "torch.nn"),
    "loss": ("monai.losses", "torch.nn.modules.loss"),
    "optimizer": ("monai.optimizers", "torch.optim"),
    # MONAI's LinearLR and ExponentialLR search for a learning rate; what users mean is torch's.
    "scheduler": ("torch.optim.lr_scheduler", "monai.optimizers"),
    "transform": ("monai.transforms",),
    "inferer": ("monai.inferers",),
    "callback": ("lightning.pytorch.callbacks",),
    "logger": ("lightning.pytorch.loggers",),
}
"""Kind of component -> the modules that are searched, in order."""

BASES: dict[str, str] = {
    "model": "torch.nn.Module",
    "loss": "torch.nn.Module",
    "optimizer": "torch.optim.Optimizer",
    "scheduler": "torch.optim.lr_scheduler.LRScheduler",
    "transform": "monai.transforms.MapTransform",
    "inferer": "monai.inferers.Inferer",
    "callback": "lightning.Callback",
    "logger": "lightning.fabric.loggers.logger.Logger",  # of `LitLogger` as well
}
"""Kind of component -> the class that it derives from."""
POSITIONAL = {"optimizer": 1, "scheduler": 1}
"""Kind of component -> number of its first parameters that no config holds: parameters to train, an optimizer."""


def public(module: ModuleType) -> Iterator[str]:
    """List what a module offers, without other spellings of a class such as MONAI's `RandFlipDict`."""
    return (
        name
        for name, value in vars(module).items()
        if callable(value) and not name.startswith("_") and (not inspect.isclass(value) or value.__name__ == name)
    )


def base_of(kind: str) -> type:
    """Import the class that a kind of component derives from."""
    module_name, _, name = BASES[kind].rpartition(".")
    base: type = getattr(import_module(module_name), name)
    return base


def is_kind(kind: str, target: Any) -> bool:
    """Tell a network from its neighbours; networks may also be made by functions such as ``resnet18``."""
    if kind == "loss" and "loss" not in getattr(target, "__module__", ""):
        return False  # `Linear`, say, which torch's losses import
    if inspect.isclass(target):
        base = base_of(kind)
        return issubclass(target, base) and target is not base and not inspect.isabstract(target)
    return kind == "model" and inspect.isfunction(target) and target.__module__.startswith("monai.networks.nets")


def names_of(kind: str) -> set[str]:
    """List every name of a kind of component in MONAI and torch."""
    modules = map(import_module, MODULES[kind])
    return {name for module in modules for name in public(module) if is_kind(kind, getattr(module, name))}


def nothing_like(kind: str, name: str, names: set[str]) -> str:
    """Say what to write instead of a name that nothing of a kind has.

    Args:
        kind: The kind.
        name: The name in the config.
        names: All names of that kind.

    Returns:
        A sentence that begins with a space.
    """
    if kind == "transform" and name + "d" in names:
        return f" It works on arrays; the one that works on cases is {name}d."
    places = MODULES[kind]
    nowhere = f"{places[0]} has none" if len(places) == 1 else f"Neither {' nor '.join(places)} has one"
    return did_you_mean(name, names) or f" {nowhere} of that name."
