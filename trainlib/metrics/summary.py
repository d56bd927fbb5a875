"""The scores of many cases in a few numbers."""

import math
from collections.abc import Mapping, Sequence

METRICS = ("dice", "hd", "hd95", "asd", "nsd")


def summarise(rows: Sequence[Mapping[str, float | str]], metrics: Sequence[str] = METRICS) -> dict[str, float]:
    """Average the rows of many cases: first over the cases of each class, then over the classes.

    So a rare class weighs as much as one that is in every case. nan (not computed, or in neither label nor
    prediction) is left out of the means; a class, or a metric, with nothing else is left out of the result.

    Args:
        rows: One row per case and class, as from `trainlib.metrics.case.score_case`.
        metrics: Keys of the rows to average.

    Returns:
        For each metric the headline, such as "dice", then its classes in order of first appearance, such as
        "dice/tumour"; last "missed" and "false_positive", the number of rows with that outcome. Empty without
        rows.
    """
    if not rows:
        return {}
    summary: dict[str, float] = {}
    for metric in metrics:
        per_class = _class_means(rows, metric)
        if per_class:
            summary[metric] = _mean(list(per_class.values()))
            summary |= {f"{metric}/{name}": mean for name, mean in per_class.items()}
    for outcome in ("missed", "false_positive"):
        summary[outcome] = float(sum(row["outcome"] == outcome for row in rows))
    return summary


def _class_means(rows: Sequence[Mapping[str, float | str]], metric: str) -> dict[str, float]:
    """Average one metric over the cases of each class that has a value, in order of the classes' first appearance."""
    values: dict[str, list[float]] = {str(row["class"]): [] for row in rows}
    for row in rows:
        value = float(row[metric])
        if not math.isnan(value):
            values[str(row["class"])].append(value)
    return {name: _mean(found) for name, found in values.items() if found}


def _mean(values: Sequence[float]) -> float:
    """Average values with a correctly rounded sum, so that neither their order nor their number adds error."""
    return math.fsum(values) / len(values)
