"""Find what a component's name stands for: patch script first, then MONAI, then torch."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any

from trainlib.build.patches import describe, load_patch
from trainlib.config.model import BUNDLE
from trainlib.config.schema import Config
from trainlib.errors import ConfigError
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

_BASES: dict[str, str] = {
    "model": "torch.nn.Module",
    "loss": "torch.nn.Module",
    "optimizer": "torch.optim.Optimizer",
    "scheduler": "torch.optim.lr_scheduler.LRScheduler",
    "transform": "monai.transforms.MapTransform",
    "inferer": "monai.inferers.Inferer",
    "callback": "lightning.Callback",
    "logger": "lightning.pytorch.loggers.Logger",
}


@dataclass(frozen=True)
class Found:
    """A component that was looked up.

    Attributes:
        name: Name in the config.
        target: The class or function.
        origin: The module or patch script that it was found in.
    """

    name: str
    target: Callable[..., Any]
    origin: str


def find(kind: str, name: str, config: Config) -> Found:
    """Look a component up by name or dotted path.

    Args:
        kind: What it is to be: a key of `MODULES`.
        name: Name or dotted path from the config.
        config: The config, for its patch script.

    Raises:
        ConfigError: Nothing of that kind has the name; the nearest real name is suggested.
        PatchError: The patch script cannot be imported.
    """
    if kind == "transform" and config.patch.transforms:
        target = getattr(load_patch(config.patch.transforms), name, None)
        if callable(target):
            return Found(name, target, config.patch.transforms)
    if kind == "model" and name == BUNDLE:
        from trainlib.build.bundles import bundled_network

        return Found(name, bundled_network, bundled_network.__module__)
    if "." in name:
        return _import(kind, name)
    for module_name in MODULES[kind]:
        target = getattr(import_module(module_name), name, None)
        if target is not None and _is_kind(kind, target):
            return Found(name, target, module_name)
    raise ConfigError(f"{name} is not a known {kind}.{_hint(kind, name, config)}")


def _import(kind: str, path: str) -> Found:
    module_name, _, attribute = path.rpartition(".")
    if not all(part.isidentifier() for part in path.split(".")):
        raise ConfigError(f"{path} is no dotted path. Write it as in my_package.my_module.MyClass.")
    try:
        module = import_module(module_name)
    except Exception as error:  # whatever the module raises while it is imported
        raise ConfigError(f"{path} cannot be imported as {kind}: {describe(error)}.") from error
    target = getattr(module, attribute, None)
    if not callable(target):
        hint = did_you_mean(attribute, _public(module))
        raise ConfigError(f"{path} is not a known {kind}: {module_name} has no {attribute}.{hint}")
    if reason := _unfit(kind, target):
        raise ConfigError(f"{path} is not a known {kind}: {reason}.")
    return Found(path, target, module_name)


def _unfit(kind: str, target: Any) -> str | None:
    """Tell what keeps the target of a dotted path from being called: it might do anything, such as delete files.

    What another function returns only calling it tells.
    """
    if inspect.isclass(target):
        return None if issubclass(target, _base(kind)) else f"it does not derive from {_BASES[kind]}"
    package = (getattr(target, "__module__", None) or "").partition(".")[0]
    if inspect.isbuiltin(target) or (inspect.isfunction(target) and package in sys.stdlib_module_names):
        return "it is a function of Python itself"
    return None


def _public(module: ModuleType) -> Iterator[str]:
    """List what a module offers, without other spellings of a class such as MONAI's `RandFlipDict`."""
    return (
        name
        for name, value in vars(module).items()
        if callable(value) and not name.startswith("_") and (not inspect.isclass(value) or value.__name__ == name)
    )


def _base(kind: str) -> type:
    module_name, _, name = _BASES[kind].rpartition(".")
    base: type = getattr(import_module(module_name), name)
    return base


def _is_kind(kind: str, target: Any) -> bool:
    """Tell a network from its neighbours; networks may also be made by functions such as ``resnet18``."""
    if kind == "loss" and "loss" not in getattr(target, "__module__", ""):
        return False  # `Linear`, say, which torch's losses import
    if inspect.isclass(target):
        base = _base(kind)
        return issubclass(target, base) and target is not base and not inspect.isabstract(target)
    return kind == "model" and inspect.isfunction(target) and target.__module__.startswith("monai.networks.nets")


def names_of(kind: str) -> set[str]:
    """List every name of a kind of component in MONAI and torch."""
    names = set()
    for module_name in MODULES[kind]:
        module = import_module(module_name)
        names |= {name for name in _public(module) if _is_kind(kind, getattr(module, name))}
    return names


def _hint(kind: str, name: str, config: Config) -> str:
    names = names_of(kind)
    if kind == "transform":
        if name + "d" in names:
            return f" It works on arrays; the one that works on cases is {name}d."
        if config.patch.transforms:
            names |= set(_public(load_patch(config.patch.transforms)))
    return did_you_mean(name, names) or f" Neither {' nor '.join(MODULES[kind])} has one of that name."
