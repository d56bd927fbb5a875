"""From the components of a config to what MONAI's ConfigParser builds them from."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any

from trainlib.build.losses import loss_facts
from trainlib.build.pipelines import drop_label, resolve_transform
from trainlib.build.resolve import Resolved, facts, resolve
from trainlib.config.schema import Config
from trainlib.config.sources import dotted
from trainlib.errors import ConfigError

Reference = dict[str, Any]
"""A mapping with the dotted path of a class or function as ``_target_``, and its keywords."""

SCRIPTS = "scripts"
"""Folder, and package, of the code that a bundle brings along."""
SAVING = f"{SCRIPTS}.saving.SavePredictiond"
TABLE = f"{SCRIPTS}.probabilities.SaveProbabilitiesd"
"""What writes the predictions of the two tasks; trainlib brings it along."""
_SIGNS = "$@%"  # with which MONAI's parser begins expressions, references and macros


def network_of(config: Config) -> Reference:
    """Refer to the network of a config; that of a patch is built by the bundle's own script."""
    if config.patch.model is not None:
        from trainlib.build.patches import patched

        if patched(config.patch.model, "get_model") is not None:
            return {"_target_": f"{SCRIPTS}.network.build_network"}
    return reference(resolve("model", ("model",), config.model, config, facts(config)))


def inferer_of(config: Config) -> Reference:
    """Refer to the inferer of a config."""
    return reference(resolve("inferer", ("inferer",), config.inferer, config, facts(config)))


def loss_of(config: Config) -> Reference:
    """Refer to the loss of a config."""
    return reference(resolve("loss", ("loss",), config.loss, config, lambda keywords: loss_facts(keywords, config)))


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
        ConfigError: A keyword is nothing that a file can hold, or would be taken for an expression.
    """
    origin = resolved.found.origin
    if origin.endswith(".py"):
        target = f"{SCRIPTS}.{Path(origin).stem}.{resolved.found.name}"
    elif "." in resolved.found.name:
        target = resolved.found.name
    else:
        target = f"{origin}.{resolved.found.name}"
    return {"_target_": target} | {name: _plain(value, resolved) for name, value in resolved.kwargs.items()}


def _plain(value: Any, resolved: Resolved) -> Any:
    """Turn a value into what YAML holds."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(name): _plain(item, resolved) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, resolved) for item in value]
    if isinstance(value, str) and value[:1] in tuple(_SIGNS):
        raise ConfigError(
            f"{dotted(resolved.key)}: MONAI would take the value {value!r} for an expression. It cannot be in a bundle."
        )
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise ConfigError(f"{dotted(resolved.key)}: a value of type {type(value).__name__} cannot be in a bundle.")
