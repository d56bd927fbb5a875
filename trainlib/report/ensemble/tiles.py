"""The figures on the first screen of an ensemble, and what each of them stands for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import median

from trainlib.folders.ensemble import POOLED
from trainlib.report.ensemble.load import EnsembleContent
from trainlib.report.ensemble.names import JOINT, shown_metrics
from trainlib.report.formats import Metric


@dataclass(frozen=True)
class Tile:
    """A figure on the first screen.

    Attributes:
        name: What it is.
        value: Its value.
        notes: Its interval, and its spread or what it is compared with.
    """

    name: str
    value: str
    notes: list[str]


def tiles_of(content: EnsembleContent) -> list[Tile]:
    """Choose the figures on the first screen: cross-validated, then those of the mean on the test set."""
    metrics = shown_metrics(content.task)
    second = next(metric for metric in metrics if metric.key in ("hd95", "balanced_accuracy"))
    tiles = [_cross_validated(content, metric) for metric in (metrics[0], second) if content.models("cv")]
    tiles += [_tested(content, metric) for metric in (metrics[0], second) if "mean" in content.models("test")]
    return tiles


def _cross_validated(content: EnsembleContent, metric: Metric) -> Tile:
    found, spread = content.figure("cv", content.together, metric.key), content.deviation(metric.key)
    notes = [] if math.isnan(spread) else [f"± {metric.show(spread)} over the folds"]
    pooled = content.figure("cv", POOLED, metric.key)
    interval = [f"95 % CI {metric.interval(pooled)}"] if metric.interval(pooled) else []
    if content.together == POOLED:
        return Tile(f"{metric.title}, cross-validated", metric.show(found.value), interval + notes)
    notes += [f"all cases pooled {metric.show(pooled.value)}", *interval]
    return Tile(f"{metric.title}, cross-validated, mean of folds", metric.show(found.value), notes)


def _tested(content: EnsembleContent, metric: Metric) -> Tile:
    found, middle = content.figure("test", "mean", metric.key), median_member(content, metric)
    notes = [f"95 % CI {metric.interval(found)}"] if metric.interval(found) else []
    notes += [] if math.isnan(middle) else [f"median member {metric.show(middle)}"]
    return Tile(f"{metric.title}, test, mean of members", metric.show(found.value), notes)


def advice_of(content: EnsembleContent) -> str:
    """Say which of the figures on the first screen stands for what; empty without any."""
    held_out, tested = bool(content.models("cv")), "mean" in content.models("test")
    single = "the cross-validated figures stand for a single model, and are a little flattered by the choice of its "
    single += "checkpoint on the same cases"
    joint = "the test figures of the mean, on cases that had no part in any choice"
    if held_out and tested:
        return f"To quote for the ensemble: {joint}. For comparison, {single}."
    if held_out:
        return f"To quote: {single}. How good all members are together, only a test set tells."
    return f"To quote for the ensemble: {joint}." if tested else ""


def median_member(content: EnsembleContent, metric: Metric) -> float:
    """Return the median of a figure over the members alone, on the test set."""
    alone = [content.figure("test", model, metric.key).value for model in content.models("test") if model not in JOINT]
    return median(alone) if alone and not any(map(math.isnan, alone)) else math.nan
