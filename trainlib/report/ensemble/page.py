"""Put the report of an ensemble together."""

from __future__ import annotations

import shlex
from typing import Any

from trainlib.folders.ensemble import POOLED
from trainlib.report.ensemble.about import (
    comparison,
    ensemble_facts,
    member_rows,
    missing_of,
    sentence_of,
)
from trainlib.report.ensemble.forest import draw_forests
from trainlib.report.ensemble.load import EnsembleContent
from trainlib.report.ensemble.names import class_metrics, shown_metrics
from trainlib.report.ensemble.table import ensemble_table
from trainlib.report.ensemble.tiles import advice_of, tiles_of
from trainlib.report.ensemble.worst import worst_cases
from trainlib.report.page import fill, frame
from trainlib.report.reading import read_text

_SECTIONS = (
    ("results", "Results"),
    ("members", "Members"),
    ("worst", "Worst cases"),
    ("cases", "Cases"),
    ("config", "Config"),
    ("reproduce", "Use and repeat"),
)


def render_ensemble(content: EnsembleContent) -> str:
    """Write the page."""
    ensemble, first = content.ensemble, content.members[0]
    forests = draw_forests(content)
    context: dict[str, Any] = {
        **frame(first, ensemble.folder.path.name, ["ensemble/style.css"]),
        "sections": _SECTIONS,
        "sentence": sentence_of(content),
        "tiles": tiles_of(content),
        "facts": ensemble_facts(content),
        "missing": missing_of(content),
        "advice": advice_of(content),
        "headline": forests[:1],
        "forests": forests[1:],
        "pooled_apart": content.together != POOLED,
        "resamples": first.resamples,
        "task": content.task,
        "folds": len(ensemble.members) if ensemble.kind == "folds" else 0,
        "held_out_cases": content.cases("cv"),
        "test_cases": content.cases("test"),
        "monitor": ensemble.config.checkpoint.monitor,
        "cross_validated": _cross_validated(content),
        "class_metrics": class_metrics(content.task),
        "metrics": shown_metrics(content.task),
        "comparison": comparison(content),
        "positive": _positive(content),
        "test_report": content.link(ensemble.folder.test.report),
        "members": member_rows(content),
        "worst": worst_cases(content),
        "table": ensemble_table(content),
        "settings": read_text(ensemble.folder.settings),
        "command": read_text(first.folder.snapshot / "command.txt").strip(),
        "predict": shlex.join(["trainlib", "predict", str(ensemble.folder.path), "--csv", "NEW.csv", "--uncertainty"]),
    }
    return fill("ensemble/report.html", context)


def _cross_validated(content: EnsembleContent) -> list[dict[str, Any]]:
    """List all classes and each class with their cross-validated figures."""
    if not content.models("cv"):
        return []
    figures = content.figures
    groups = list(dict.fromkeys(figures.loc[(figures["set"] == "cv") & (figures["model"] == POOLED), "class"]))
    tone = content.members[0].tone
    return [
        {
            "name": group,
            "tone": tone(group) if content.task == "segmentation" else tone(group) + 1,
            "cells": [
                (
                    content.figure("cv", content.together, metric.key, group),
                    content.deviation(metric.key, group),
                    content.figure("cv", POOLED, metric.key, group),
                    metric,
                )
                for metric in class_metrics(content.task)
            ],
        }
        for group in groups
    ]


def _positive(content: EnsembleContent) -> str:
    """Name the positive class of a binary task."""
    config = content.ensemble.config
    binary = content.task == "classification" and len(config.data.classes) == 2 and not config.multilabel
    return config.data.classes[1] if binary else ""
