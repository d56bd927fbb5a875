"""What a config leaves to the data: the classes of a classification, and the channels of an image file."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from trainlib.config.component import Component
from trainlib.config.schema import Config
from trainlib.data.channels import count_channels
from trainlib.data.splits import SPLITS, csv_of, read_split
from trainlib.data.table import read_table
from trainlib.errors import ConfigError, DataError, Problem

log = logging.getLogger(__name__)

_WEIGHTS = ("weight", "pos_weight")  # keywords of losses that weigh classes
_NEED_TWO_CLASSES = ("auroc", "average_precision")
_FEW = 10  # cases of which each may be a class of its own


def complete(config: Config, trained: Mapping[str, Any] | None = None) -> Config:
    """Fill in `data.classes`, `data.channels` and ``balanced`` weights of the loss where they are left out.

    What cannot be read is left out still; the checks of the CSVs and files say what is wrong with it.

    Args:
        config: The config.
        trained: The complete config that a checkpoint was trained with, to be used in place of the training data.

    Returns:
        The complete config; the same where nothing was missing.

    Raises:
        ConfigError: The cells of the label column are no classes.
    """
    data = dict(trained["data"]) if trained else {}
    update: dict[str, Any] = {}
    if not config.data.classes and config.task == "classification":
        update["classes"] = data.get("classes") or _classes(config)
    if config.data.channels is None:
        update["channels"] = data.get("channels") or _channels(config)
    config = config.model_copy(update={"data": config.data.model_copy(update=update)})
    weights = [name for name in _WEIGHTS if config.loss.kwargs.get(name) == "balanced"]
    if weights and config.task == "classification":
        found = (
            Component.model_validate(trained["loss"]).kwargs
            if trained
            else {name: _balanced(config, name) for name in weights}
        )
        kwargs = config.loss.kwargs | {name: found[name] for name in weights if found.get(name)}
        config = config.model_copy(update={"loss": config.loss.model_copy(update={"kwargs": kwargs})})
    return config


def with_computable_monitor(config: Config) -> Config:
    """Watch the loss where the monitored metric needs two classes and the validation cases are of one.

    Args:
        config: A complete config.
    """
    metric = [*config.checkpoint.monitor.split("/"), ""][1]
    if config.task != "classification" or not config.data.classes or metric not in _NEED_TWO_CLASSES:
        return config
    try:
        cases = read_split(config, "valid")[: config.data.limit_cases]
    except DataError:
        return config
    if len({case.target for case in cases}) != 1:
        return config
    monitor = config.checkpoint.monitor
    log.info("checkpoint.monitor: valid/loss, for all validation cases are alike and %s is not defined.", monitor)
    watched = config.checkpoint.model_copy(update={"monitor": "valid/loss", "mode": "auto"})
    return config.model_copy(update={"checkpoint": watched})


def _classes(config: Config) -> list[str]:
    """List the label columns of a multi-label task, else the values of the label column in the training CSV."""
    data = config.data
    if config.multilabel:
        return _checked(list(data.label_cols), "data.label_cols")
    try:
        table = read_table(config, data.train_csv)
    except DataError:
        return []
    column = data.label_cols[0]
    if column not in table:
        return []
    names = sorted(sorted({cell for cell in table[column] if cell}), key=by_value)
    where = f"the column {column!r} of {data.train_csv}"
    if len(names) < 2:
        raise ConfigError(f"data.classes: {where} does not hold two classes. Name them, or correct the CSV.")
    if len(names) > max(_FEW, len(table) / 2):
        raise ConfigError(
            f"data.classes: {where} holds {len(names)} different values in {len(table)} rows, such as {names[0]!r}. "
            "Name the column of the classes in data.label_cols, or the classes in data.classes."
        )
    log.info("data.classes: %s (the values of %s)", ", ".join(names), where)
    return _checked(names, where)


def _checked(names: list[str], where: str) -> list[str]:
    """Refuse names that cannot be classes, for they become parts of the names of metrics."""
    wrong = [name for name in names if "/" in name]
    if wrong:
        raise ConfigError(
            Problem(
                f"data.classes: {where} holds {name!r}, and a class has a name without slashes. Name the classes in "
                "data.classes, and in data.label_map what each cell stands for."
            )
            for name in wrong
        )
    return names


def _balanced(config: Config, keyword: str) -> list[float]:
    """Weigh classes by the training CSV so that they count alike.

    Returns:
        For ``weight`` cases / (classes x cases of the class), as scikit-learn's ``class_weight="balanced"``; for
        ``pos_weight`` the negatives of each class for one positive, as torch recommends. Empty where the CSV cannot be
        read, or a class has no case.
    """
    try:
        targets = np.array([case.target for case in read_split(config, "train")])
    except DataError:
        return []
    count = len(config.data.classes)
    positive = targets if config.multilabel else targets == np.arange(count)
    cases = positive.sum(axis=0)
    if not cases.all():
        return []
    weights = len(targets) / (count * cases) if keyword == "weight" else (len(targets) - cases) / cases
    log.info("%s.%s: %s", config.loss.name, keyword, ", ".join(f"{weight:.3g}" for weight in weights))
    return [float(weight) for weight in weights]


def by_value(name: str) -> tuple[int, float, str]:
    """Key that sorts names of classes: numbers by their value, and before texts."""
    try:
        number = float(name)
    except ValueError:
        number = math.nan
    return (0, number, name) if math.isfinite(number) else (1, 0.0, name)


def _channels(config: Config) -> int | None:
    """Count the channels of the first image file that can be read."""
    for split in SPLITS:
        csv = csv_of(config, split)
        try:
            table = read_table(config, csv) if csv else None
            if table is None or (column := config.data.image_cols[0]) not in table:
                continue
            path = config.data_path(next(cell for cell in table[column] if cell))
            return _counted(path, config)
        except (DataError, OSError, StopIteration):
            continue
    return None


def _counted(path: Path, config: Config) -> int | None:
    channels = count_channels(path, config.data.spatial_dims)
    if channels is not None and channels > 1:
        log.info("data.channels: %d (as in %s)", channels, path.name)
    return channels
