"""The folder of an ensemble that is written in a moment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from PIL import Image

from tests.report.helpers import CLASSES, make_run
from trainlib.config.schema import Config
from trainlib.ensemble.summary import write_summary
from trainlib.folders.ensemble import Ensemble, EnsembleFolder

FOLDS = ("fold_1", "fold_2", "fold_3")


def make_ensemble(
    path: Path, *, classes: list[str] | None = None, members: tuple[str, ...] = FOLDS, test: bool = True
) -> Ensemble:
    """Write the folder of an ensemble with 4 held-out cases a fold and 5 test cases.

    Args:
        path: The folder.
        classes: The classes, background first.
        members: Names of the members.
        test: Whether there is a test set.
    """
    names = classes or CLASSES
    for member in members:
        run = make_run(path / member, classes=names, report={"resamples": 200})
        (run / "report.html").write_text("report")
        (run / "held_out" / "pictures" / "test").mkdir(parents=True)
        (run / "held_out" / "report.html").write_text("report")
        for case in range(4):
            picture = Image.new("RGB", (60, 20), (case, 0, 0))
            picture.save(run / "held_out" / "pictures" / "test" / f"{member}_{case}.png")
    config = Config.model_validate(yaml.safe_load((path / members[0] / "config.yaml").read_text()))
    if not test:
        config = config.model_copy(update={"data": config.data.model_copy(update={"test_csv": None})})
    kind: Any = "folds" if members[0].startswith("fold") else "seeds"
    ensemble = Ensemble(EnsembleFolder(path.absolute()), kind, members, config, {})
    ensemble.write(ensemble.folder.settings)
    if kind == "folds":
        score_table("fold", list(members), names[1:], 4).to_csv(ensemble.folder.cv, index=False)
    if test:
        models = [*members, "mean", "vote", "staple"]
        score_table("model", models, names[1:], 5).to_csv(ensemble.folder.scores, index=False)
        (path / "test").mkdir()
        (path / "test" / "report.html").write_text("report")
    write_summary(ensemble)
    return ensemble


def score_table(by: str, models: list[str], classes: list[str], cases: int) -> pd.DataFrame:
    """Make scores that are better from model to model; the test cases are the same for all."""
    rng = np.random.default_rng(1)
    rows: list[dict[str, Any]] = []
    for place, model in enumerate(models):
        for case in range(cases):
            for name in classes:
                row = {by: model, "case": f"{model if by == 'fold' else 'test'}_{case}", "class": name}
                row |= {"dice": 0.5 + 0.05 * place + 0.02 * case + rng.uniform(0, 0.01), "nsd": rng.uniform()}
                row |= {metric: rng.uniform(1, 9) for metric in ("hd", "hd95", "asd")}
                rows.append(row | {"label_ml": 2.0, "prediction_ml": 1.0, "outcome": "found"})
    return pd.DataFrame(rows)
