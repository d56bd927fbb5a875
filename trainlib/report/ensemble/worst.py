"""The cases on which the models do worst, with their pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from trainlib.report.classification.mistakes import choose_mistakes
from trainlib.report.classification.predictions import Predictions
from trainlib.report.ensemble.load import EnsembleContent
from trainlib.report.reading import Picture, read_picture
from trainlib.report.segmentation.names import METRICS, OUTCOMES

MOST = 6


@dataclass(frozen=True)
class WorstCase:
    """A case that went badly.

    Attributes:
        case: Its name.
        model: Who predicted it.
        link: Address of the report that it is in; empty where there is none.
        picture: Its picture; None where there is none.
        facts: What is true, what was predicted, and its scores.
    """

    case: str
    model: str
    link: str
    picture: Picture | None
    facts: list[tuple[str, str]]


def worst_cases(content: EnsembleContent) -> list[WorstCase]:
    """Choose the worst cases: those that a fold held out, or else test cases by the mean of the members."""
    table, by = (content.cv, "fold") if len(content.cv) else (content.scores, "model")
    if not len(table):
        return []
    if by == "model":
        table = table[table["model"] == "mean"]
    return _worst_maps(content, table, by) if content.task == "segmentation" else _worst_classes(content, table, by)


def _worst_maps(content: EnsembleContent, table: pd.DataFrame, by: str) -> list[WorstCase]:
    """Rank by the mean Dice over the classes of a case."""
    means = table.groupby("case", sort=False)["dice"].mean().dropna().sort_values(kind="stable")
    found = []
    for case, dice in means.head(MOST).items():
        rows = table[table["case"] == case]
        facts = [("Mean Dice", METRICS["dice"].show(float(dice)))]
        for row in rows.to_dict("records"):
            values = [f"Dice {METRICS['dice'].show(row['dice'])}", f"HD95 {METRICS['hd95'].show(row['hd95'])} mm"]
            outcome = str(row["outcome"])
            known = OUTCOMES.get(outcome, outcome)
            facts.append((str(row["class"]), ", ".join(values) if outcome == "found" else known))
        found.append(_case(content, str(case), str(rows[by].iloc[0]), facts))
    return found


def _worst_classes(content: EnsembleContent, table: pd.DataFrame, by: str) -> list[WorstCase]:
    """Take the most confident mistakes."""
    config = content.ensemble.config
    classes = config.data.classes
    probabilities = table[[f"probability_{name}" for name in classes]].to_numpy(np.float64)
    targets: np.ndarray
    if config.multilabel:
        targets = table[[f"label_{name}" for name in classes]].to_numpy(np.float64).astype(np.int64)
    else:
        targets = pd.Index(classes).get_indexer(pd.Index(table["label"])).astype(np.int64)
    cases = table["case"].tolist()
    predictions = Predictions("test", classes, config.multilabel, cases, probabilities, targets)
    model_of = dict(zip(cases, table[by], strict=True))
    mistakes = choose_mistakes(predictions, lambda case: None)
    return [_case(content, mistake.case, str(model_of[mistake.case]), mistake.facts) for mistake in mistakes[:MOST]]


def _case(content: EnsembleContent, case: str, model: str, facts: list[tuple[str, str]]) -> WorstCase:
    folder = content.ensemble.folder
    run = folder.test if model == "mean" else folder.held_out(model)
    picture = read_picture(run.picture("test", case), run.pictures, "image/png")
    return WorstCase(case, model, content.link(run.report), picture, facts)
