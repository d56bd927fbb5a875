"""Look at the cases of a run, from the worst to the best."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from trainlib.data.labels import read_label
from trainlib.data.splits import Case, read_split
from trainlib.errors import ConfigError
from trainlib.folders.results import Run, load_run
from trainlib.viewer.scene import Scene, ShapeError, make_scene
from trainlib.viewer.widgets import Entry, show


@dataclass(frozen=True)
class Scored:
    """A case of a run with what it was scored.

    Attributes:
        split: ``valid`` or ``test``.
        name: Name of the case.
        score: What the cases are sorted by: mean Dice, or the probability of the true class; nan without any.
        caption: Name, split and score in words.
        details: All that is known of it.
    """

    split: str
    name: str
    score: float
    caption: str
    details: tuple[tuple[str, str], ...]


def view_run(run: str | Path, split: str | None = None) -> Any:
    """Look at the scored cases of a run, the worst first.

    Args:
        run: The run folder.
        split: ``valid`` or ``test``; by default ``test``, whose predictions are kept, where there is one.

    Returns:
        A viewer with an entry for each case.

    Raises:
        ConfigError: It is no run folder, or has no scores of the split.
        DataError: The CSV of the split cannot be read.
    """
    opened = load_run(run)
    if not opened.folder.cases.is_file():
        raise ConfigError(f"{run} has no scores yet: there is no {opened.folder.cases.name} in it.")
    found = sorted(set(opened.cases["split"]))
    if split is not None and split not in found:
        raise ConfigError(f"split: {run} has scores of {', '.join(found) or 'no split'}, found {split!r}.")
    chosen = split or ("test" if "test" in found else found[0])
    cases = {case.name: case for case in read_split(opened.config, chosen)}
    files = _predictions(opened) if chosen == "test" else {}
    scored = [case for case in scored_cases(opened, chosen) if case.name in cases]
    if not scored:
        raise ConfigError(f"{run}: none of its {chosen} cases is in the CSV any more.")
    return show(
        [Entry(case.caption, partial(_open, opened, case, cases[case.name], files.get(case.name))) for case in scored]
    )


def scored_cases(run: Run, split: str) -> list[Scored]:
    """List the cases of a split, the worst first; those without a score come last.

    Args:
        run: The run.
        split: ``valid`` or ``test``.
    """
    table = run.cases
    table = table[table["split"] == split]
    score = _dice if run.config.task == "segmentation" else partial(_probability, run)
    cases = []
    for name, rows in table.groupby("case", sort=False):
        value, words, details = score(rows)
        caption = f"{name} ({split}): {words}"
        cases.append(Scored(split, str(name), value, caption, tuple(details)))
    return sorted(cases, key=lambda case: (math.isnan(case.score), case.score))


def _dice(rows: Any) -> tuple[float, str, list[tuple[str, str]]]:
    """Return the mean Dice of a case, in words, and every score of each class."""
    mean = float(rows["dice"].mean())
    details = []
    for row in rows.to_dict("records"):
        scores = [f"{n} {row[n]:.3g}" for n in ("dice", "hd95", "asd", "nsd") if n in row and not math.isnan(row[n])]
        outcome = row.get("outcome")
        details.append((str(row["class"]), ", ".join([*scores, *([outcome] if isinstance(outcome, str) else [])])))
    return mean, f"dice {mean:.3f}" if not math.isnan(mean) else "nothing to find", details


def _probability(run: Run, rows: Any) -> tuple[float, str, list[tuple[str, str]]]:
    """Return the probability of what is true of a case, true and predicted class, and all probabilities."""
    row, classes = rows.iloc[0], run.config.data.classes
    probabilities = {name: float(row[f"probability_{name}"]) for name in classes}
    details = [(name, f"{value:.3f}") for name, value in probabilities.items()]
    if run.config.multilabel:
        true = [name for name in classes if int(row[f"label_{name}"])]
        predicted = [name for name in classes if int(row[f"prediction_{name}"])]
        worst = min(p if name in true else 1 - p for name, p in probabilities.items())
        return worst, f"true {', '.join(true) or 'none'}, predicted {', '.join(predicted) or 'none'}", details
    value = probabilities[row["label"]]
    text = f"true {row['label']}, predicted {row['prediction']} ({probabilities[row['prediction']]:.2f})"
    return value, text, details


def _predictions(run: Run) -> dict[str, Path]:
    """Find the predicted files of a run by the names of their cases."""
    import pandas as pd

    table = run.folder.predictions / "predictions.csv"
    if run.config.task != "segmentation" or not table.is_file():
        return {}
    rows = pd.read_csv(table, dtype=str, keep_default_na=False)
    return {row["case"]: run.folder.predictions / row["prediction"] for row in rows.to_dict("records")}


def _open(run: Run, scored: Scored, case: Case, prediction: Path | None) -> Scene:
    """Read the files of a case; a prediction that is gone, or a label on another grid, is left out and told of."""
    from monai.data import MetaTensor

    config, details = run.config, list(scored.details)
    label = None
    if case.label is not None:
        values, affine = read_label(case.label, config)
        label = MetaTensor(values, affine=affine)
    if prediction is None or not prediction.is_file():
        details += [("prediction", "no file was kept")] if config.task == "segmentation" else []
        prediction = None
    images = list(map(str, case.images))
    options: dict[str, Any] = {"dims": config.data.spatial_dims, "caption": scored.caption}
    if config.task == "segmentation":
        options["classes"] = config.data.classes
    try:
        return make_scene(images, label, prediction, details=details, **options)
    except ShapeError:
        if label is None:
            raise
    details.append(("label", "has a grid of its own, and is not shown"))
    return make_scene(images, None, prediction, details=details, **options)
