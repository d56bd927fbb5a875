"""Callbacks and loggers that a config names, beside those of trainlib."""

from __future__ import annotations

import inspect
import os
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from trainlib.build.components import expect
from trainlib.build.credentials import credential_mistakes
from trainlib.build.guarding import guard, set_patience
from trainlib.build.keywords import Keywords
from trainlib.build.resolve import ComponentError, Resolved, collect, resolve
from trainlib.config.component import Component
from trainlib.config.schema import Config
from trainlib.config.sources import Key, dotted

# Callbacks that there is a section for, or that do their work by trainings of their own -> what to do instead.
_OWN = {
    "EarlyStopping": "Use the section early_stopping, under which a run can be resumed.",
    "LearningRateMonitor": "Use the section lr_monitor.",
    "StochasticWeightAveraging": "No checkpoint would hold its average. Use WeightAveraging or EMAWeightAveraging.",
    "BatchSizeFinder": "Set data.batch_size; `trainlib check` tells how much memory a step takes.",
    "LearningRateFinder": "Search for a learning rate with `trainlib tune`.",
}
_BAR = "trainlib shows one itself; trainer.enable_progress_bar: false hides it."
# Loggers -> packages of which one must be installed.
_PACKAGES = {
    "MLFlowLogger": ("mlflow", "mlflow_skinny"),
    "WandbLogger": ("wandb",),
    "CometLogger": ("comet_ml",),
    "LitLogger": ("litlogger",),
}


def extra_callbacks(config: Config) -> list[Any]:
    """Build the callbacks under ``callbacks``, in their order.

    Raises:
        InputError: One cannot be built, or not be used beside those of trainlib.
    """
    return [_built_callback(config, ("callbacks", i), component) for i, component in enumerate(config.callbacks)]


def extra_loggers(config: Config, folder: Path) -> list[Any]:
    """Build the loggers under ``trainer.logger``, and tell them the settings.

    Args:
        config: The config.
        folder: Where they write, unless the config says so.

    Returns:
        Those that work; of another it is told why not, for a training does not depend on it.

    Raises:
        InputError: One cannot be built.
    """
    from lightning.fabric.loggers.logger import Logger

    working = []
    set_patience()
    for key, component in keyed_loggers(config):
        resolved = _resolved_logger(config, key, component, folder)
        logger = expect(resolved.construct(), Logger, "a logger of Lightning", resolved.key)
        works = guard(logger, f"{dotted(key)}: {component.name}")
        logger.log_hyperparams(config.model_dump(mode="json"))
        if works():
            working.append(logger)
    return working


def extra_mistakes(config: Config) -> list[tuple[Key, str]]:
    """Find what is wrong with callbacks and loggers; the latter, which may reach for a network, are not built."""
    mistakes: list[tuple[Key, str]] = []
    for i, component in enumerate(config.callbacks):
        collect(partial(_built_callback, config, ("callbacks", i), component), mistakes, ("callbacks", i))
    for key, component in keyed_loggers(config):
        collect(partial(_usable_logger, config, key, component), mistakes, key)
    return mistakes


def keyed_loggers(config: Config) -> list[tuple[Key, Component]]:
    """List the loggers with their keys; one alone needs no list."""
    several = isinstance(config.trainer.get("logger"), list)
    return [
        (("trainer", "logger", i) if several else ("trainer", "logger"), component)
        for i, component in enumerate(config.loggers)
    ]


def _built_callback(config: Config, key: Key, component: Component) -> Any:
    from lightning.pytorch.callbacks import Callback, ProgressBar

    resolved = resolve("callback", key, component, config, {})
    target = resolved.found.target
    reason = _OWN.get(component.name.rpartition(".")[2]) if _is_of_lightning(target) else None
    if inspect.isclass(target) and issubclass(target, ProgressBar):
        reason = _BAR
    if reason:
        raise ComponentError([(resolved.key, f"{dotted(key)}: {component.name} cannot be used here. {reason}")])
    return expect(resolved.construct(), Callback, "a lightning.Callback", resolved.key)


def _is_of_lightning(target: Any) -> bool:
    return str(getattr(target, "__module__", "")).startswith("lightning.")


def _resolved_logger(config: Config, key: Key, component: Component, folder: Path) -> Resolved:
    name = component.name.rpartition(".")[2]
    if credentials := credential_mistakes((*key, component.name), component):
        raise ComponentError(credentials)
    database = _database(component, folder) if name == "MLFlowLogger" else {}
    resolved = resolve("logger", key, component, config, lambda keywords: _place(keywords, folder) | database)
    packages = _PACKAGES.get(name, ()) if _is_of_lightning(resolved.found.target) else ()
    if packages and not any(find_spec(package) for package in packages):
        text = f"{component.name} needs the package {packages[0]}. Install it: pip install {packages[0]}"
        raise ComponentError([(resolved.key, f"{dotted(key)}: {text}.")])
    return resolved


def _place(keywords: Keywords, folder: Path) -> dict[str, str]:
    """Let a logger write into a folder; `root_dir` is the name for it where there is no other."""
    return {"save_dir" if "save_dir" in keywords.parameters else "root_dir": str(folder)}


def _database(component: Component, folder: Path) -> dict[str, str]:
    """Give MLflow a database in the run folder, unless it is told where to write.

    In plain files, its own choice, ``valid/dice`` and ``valid/dice/liver`` would be a file and a folder of one name.
    """
    if os.environ.get("MLFLOW_TRACKING_URI") or component.kwargs.keys() & {"tracking_uri", "save_dir"}:
        return {}
    return {"tracking_uri": f"sqlite:///{folder / 'mlflow.db'}", "artifact_location": str(folder / "mlruns")}


def _usable_logger(config: Config, key: Key, component: Component) -> None:
    resolved = _resolved_logger(config, key, component, Path(config.run.root))
    if resolved.mistakes:
        raise ComponentError(resolved.mistakes)
