"""The best, the median and the worst case of a split."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from trainlib.report.content import Content
from trainlib.report.reading import Picture, read_picture
from trainlib.report.segmentation.names import METRICS, OUTCOMES


@dataclass(frozen=True)
class RankedCase:
    """A case that stands for others.

    Attributes:
        rank: What it is: ``Best``, ``Median`` or ``Worst``.
        case: Its name.
        dice: Its mean Dice over the classes.
        picture: The overlay of label and prediction; None where there is none.
        rows: For each class its name, its colour, its scores as texts and its outcome.
    """

    rank: str
    case: str
    dice: float
    picture: Picture | None
    rows: list[tuple[str, int, dict[str, str], str]]


def rank_cases(content: Content, split: str) -> list[RankedCase]:
    """Choose the best, the median and the worst case by the mean Dice over the classes of a case.

    Of an even number of cases the median is the lower of the two in the middle. One case is shown once, of two
    there is no median.
    """
    if not len(content.cases):
        return []
    table = content.cases[content.cases["split"] == split]
    means = table.groupby("case", sort=False)["dice"].mean().dropna()
    order = means.sort_values(ascending=False, kind="stable")
    last = len(order) - 1
    chosen = {"Best": 0, "Median": (last + 1) // 2, "Worst": last} if last > 1 else {"Best": 0, "Worst": 1}
    if last <= 0:
        chosen = {"Only case": 0} if last == 0 else {}
    return [
        _ranked(content, rank, str(order.index[place]), float(order.iloc[place]), table)
        for rank, place in chosen.items()
    ]


def _ranked(content: Content, rank: str, case: str, dice: float, table: pd.DataFrame) -> RankedCase:
    [split] = set(table["split"])
    picture = read_picture(content.folder.picture(split, case), content.folder.pictures, "image/png")
    rows = []
    for row in table[table["case"] == case].to_dict("records"):
        scores = {key: metric.show(row[key]) for key, metric in METRICS.items() if key in row}
        outcome = str(row["outcome"])
        rows.append((str(row["class"]), content.tone(str(row["class"])), scores, OUTCOMES.get(outcome, outcome)))
    return RankedCase(rank, case, dice, picture, rows)
