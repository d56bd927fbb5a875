"""Find what a component's name stands for: patch script first, then MONAI, then torch."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from trainlib.build.kinds import BASES, MODULES, base_of, is_kind, names_of, nothing_like, public
from trainlib.build.patches import describe, load_patch
from trainlib.config.model import BUNDLE
from trainlib.config.schema import Config
from trainlib.errors import ConfigError
from trainlib.suggest import did_you_mean


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
        from trainlib.build.bundles import network_of_bundle

        return Found(name, network_of_bundle, network_of_bundle.__module__)
    if "." in name:
        return _import(kind, name)
    for module_name in MODULES[kind]:
        target = getattr(import_module(module_name), name, None)
        if target is not None and is_kind(kind, target):
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
        hint = did_you_mean(attribute, public(module))
        raise ConfigError(f"{path} is not a known {kind}: {module_name} has no {attribute}.{hint}")
    if reason := _unfit(kind, target):
        raise ConfigError(f"{path} is not a known {kind}: {reason}.")
    return Found(path, target, module_name)


def _unfit(kind: str, target: Any) -> str | None:
    """Tell what keeps the target of a dotted path from being called: it might do anything, such as delete files.

    What another function returns only calling it tells.
    """
    if inspect.isclass(target):
        return None if issubclass(target, base_of(kind)) else f"it does not derive from {BASES[kind]}"
    package = (getattr(target, "__module__", None) or "").partition(".")[0]
    if inspect.isbuiltin(target) or (inspect.isfunction(target) and package in sys.stdlib_module_names):
        return "it is a function of Python itself"
    return None


def _hint(kind: str, name: str, config: Config) -> str:
    names = names_of(kind)
    if kind == "transform" and config.patch.transforms:
        names |= set(public(load_patch(config.patch.transforms)))
    return nothing_like(kind, name, names)
