"""Settings that exclude each other, or that nothing follows from."""

from __future__ import annotations

import os.path
from collections.abc import Iterator

from trainlib.config.grid import country_problem
from trainlib.config.schema import Config
from trainlib.config.sources import Key, dotted
from trainlib.metrics.scores import METRICS
from trainlib.suggest import did_you_mean


def contradictions(config: Config) -> Iterator[tuple[Key, str]]:
    """Find what cannot be meant, each with its key and a sentence; nothing is imported that takes long."""
    for name, path in config.patch:
        if path is not None and not os.path.isfile(path):
            yield ("patch", name), f"patch.{name}: there is no script {path}."
    if config.task == "segmentation" and len(config.data.label_cols) > 1:
        yield ("data", "label_cols"), "data.label_cols: segmentation expects one label column, found several."
    yield from _class_contradictions(config)
    yield from _computing_contradictions(config)
    yield from _monitor_contradictions(config)
    country = config.emissions.country if config.emissions is not None else None
    if country is not None and (problem := country_problem(country)):
        yield ("emissions", "country"), f"emissions.country: {problem}"
    epochs = config.trainer.get("max_epochs")
    if not isinstance(epochs, int) or isinstance(epochs, bool) or epochs < 1:
        yield ("trainer", "max_epochs"), f"trainer.max_epochs: expected a positive integer, found {epochs!r}."


def _computing_contradictions(config: Config) -> Iterator[tuple[Key, str]]:
    precision = config.trainer.get("precision")
    if config.spreads_network and "16" in str(precision):
        text = f"expected 32-true with the strategy fsdp, which would round losses and spacings too, found {precision}"
        yield ("trainer", "precision"), f"trainer.precision: {text}. Or set trainer.strategy to ddp."
    if (settings := config.model.compile) is not None and settings.uses_graphs and _accumulates(config):
        key: Key = ("model", "compile", "options" if settings.options else "mode")
        text = "CUDA graphs get gradients wrong that are summed over several batches (accumulate_grad_batches)"
        yield key, f"{dotted(key)}: {text}. Set mode to default or max-autotune-no-cudagraphs, which use none."


def _accumulates(config: Config) -> bool:
    """Tell whether gradients of several batches make a step of the optimizer."""
    count = config.trainer.get("accumulate_grad_batches")
    names = [callback.name.rpartition(".")[2] for callback in config.callbacks]
    return (isinstance(count, int) and count > 1) or "GradientAccumulationScheduler" in names


def _monitor_contradictions(config: Config) -> Iterator[tuple[Key, str]]:
    monitor = config.checkpoint.monitor
    known = _logged(config)
    if monitor not in known:
        yield (
            ("checkpoint", "monitor"),
            f"checkpoint.monitor: nothing is logged as {monitor}.{did_you_mean(monitor, known)}",
        )
    elif monitor.split("/")[1] in ("hd", "hd95", "asd", "nsd") and config.metrics.surface_every != 1:
        yield (
            ("checkpoint", "monitor"),
            f"checkpoint.monitor: {monitor} is not computed in every validation. Set metrics.surface_every to 1.",
        )


def _logged(config: Config) -> list[str]:
    """List the metrics that a training logs."""
    if config.task == "classification":
        names = [f"valid/{metric}" for metric in METRICS]
        return ["train/loss", "valid/loss", *names, *(f"{n}/{c}" for n in names for c in config.data.classes)]
    scores = ("dice", "hd", "hd95", "asd", "nsd")
    classes = config.data.classes if config.metrics.include_background else config.data.classes[1:]
    per_class = [f"valid/{score}/{name}" for score in scores for name in classes]
    return ["train/loss", "valid/loss", *(f"valid/{score}" for score in scores), *per_class]


def _class_contradictions(config: Config) -> Iterator[tuple[Key, str]]:
    data = config.data
    if config.task == "segmentation":
        if data.balance:
            yield ("data", "balance"), "data.balance: only classification draws cases by their class. Leave it out."
        return
    if config.multilabel and data.balance:
        yield ("data", "balance"), "data.balance: a multi-label case has no class of its own. Leave it out."
    if config.multilabel and len(data.classes) != len(data.label_cols):
        yield (
            ("data", "classes"),
            f"data.classes: expected {len(data.label_cols)} names, one for each of data.label_cols, "
            f"found {len(data.classes)}.",
        )
    if config.multilabel and data.label_map:
        yield ("data", "label_map"), "data.label_map: columns of a multi-label task hold 0 and 1. Leave it out."
    elif data.label_map and not data.classes:
        yield ("data", "label_map"), "data.label_map: name the classes in data.classes too."
