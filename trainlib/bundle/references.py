"""From the components of a config to what MONAI's ConfigParser builds them from."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any

import torch

from trainlib.build.losses import finish_loss, loss_facts
from trainlib.build.pipelines import drop_label, resolve_transform
from trainlib.build.resolve import Resolved, facts, resolve
from trainlib.config.model import BUNDLE
from trainlib.config.schema import Config
from trainlib.config.sources import dotted
from trainlib.errors import ConfigError

Reference = dict[str, Any]
"""A mapping with the dotted path of a class or function as ``_target_``, and its keywords."""

SCRIPTS = "scripts"
"""Folder, and package, of the code that a bundle brings along."""
NETWORK = f"{SCRIPTS}.network.build_network"
ORIGIN = f"{SCRIPTS}.origin.build_network"
"""What builds the network of a patch, and that of the bundle which a training began with."""
CASES = f"{SCRIPTS}.cases.read_cases"
SAVING = f"{SCRIPTS}.saving.SavePredictiond"
TABLE = f"{SCRIPTS}.probabilities.SaveProbabilitiesd"
"""What reads the cases, and writes the predictions of the two tasks; trainlib brings it along."""
_SIGNS = ("$", "@", "%")  # with which MONAI's parser begins expressions, references and macros
_RELATIVE = ("@#", "%#", "@::", "%::")  # which it takes for relative references anywhere in a text


def network_of(config: Config) -> Reference:
    """Refer to the network of a config; that of a patch is built by the bundle's own script."""
    if config.patch.model is not None:
        from trainlib.build.patches import patched

        if patched(config.patch.model, "get_model") is not None:
            return {"_target_": NETWORK}
    if config.model.name == BUNDLE:
        return {"_target_": ORIGIN}
    return reference(resolve("model", ("model",), config.model, config, facts(config)))


def inferer_of(config: Config) -> Reference:
    """Refer to the inferer of a config."""
    return reference(resolve("inferer", ("inferer",), config.inferer, config, facts(config)))


def loss_of(config: Config) -> Reference:
    """Refer to the loss of a config."""
    found = resolve("loss", ("loss",), config.loss, config, lambda keywords: loss_facts(keywords, config))
    told = reference(found)
    finish_loss(found, config)
    for name, value in found.kwargs.items():
        if isinstance(value, torch.Tensor):  # a list of weights in the config
            told[name] = f"$torch.tensor({value.tolist()}, device=@device)"
    return told


def optimizer_of(config: Config) -> Reference:
    """Refer to the optimizer of a config, for the parameters of the item ``network``."""
    found = reference(resolve("optimizer", ("optimizer",), config.optimizer, config, {}, positional=1))
    return {"_target_": found.pop("_target_"), "params": "$@network.parameters()", **found}


def pipeline_of(config: Config, section: str, *, with_label: bool = False) -> list[Reference]:
    """Refer to the transforms of a pipeline.

    Args:
        config: The config.
        section: ``base``, ``train`` or ``post``.
        with_label: Whether they are applied to the label too.
    """
    found = []
    for i, component in enumerate(getattr(config.transforms, section)):
        resolved = resolve_transform(config, section, i, component)
        if with_label or drop_label(resolved):
            found.append(reference(resolved))
    return found


def reference(resolved: Resolved) -> Reference:
    """Refer to a component with all its keywords.

    Raises:
        ConfigError: It is part of trainlib, or a keyword is nothing that a file can hold.
    """
    origin = resolved.found.origin
    if origin.endswith(".py"):
        target = f"{SCRIPTS}.{Path(origin).stem}.{resolved.found.name}"
    elif "." in resolved.found.name:
        target = resolved.found.name
    else:
        target = f"{origin}.{resolved.found.name}"
    if target.partition(".")[0] == "trainlib":
        raise ConfigError(
            f"{dotted(resolved.key)}: {resolved.found.name} is part of trainlib, and a bundle must run without it. "
            "Copy what is needed of it into a patch script."
        )
    return {"_target_": target} | {name: plain(value, dotted(resolved.key)) for name, value in resolved.kwargs.items()}


def plain(value: Any, where: str) -> Any:
    """Turn a value into what YAML holds, and MONAI's parser leaves as it is.

    Args:
        value: The value.
        where: What it is of, for the message.

    Raises:
        ConfigError: There is no such form of it.
    """
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {name: plain(item, where) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, where) for item in value]
    if isinstance(value, str) and (value.startswith(_SIGNS) or any(sign in value for sign in _RELATIVE)):
        raise ConfigError(f"{where}: MONAI would take the value {value!r} for an expression. It cannot be in a bundle.")
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise ConfigError(f"{where}: a value of type {type(value).__name__} cannot be in a bundle.")
